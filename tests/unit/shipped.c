/* The reader of shipped.h: no more of the host's grammar than these files use. */
#include "unit.h"

#include <stdlib.h>

#include "shipped.h"

FILE *shipped_open(char const *path)
{
	char const *top = getenv("WSMFA_SRCDIR");
	char whole[4096];
	FILE *file;

	snprintf(whole, sizeof(whole), "%s/%s", top ? top : ".", path);
	file = fopen(whole, "r");
	if (!file)
		fail_msg("%s can't be read", whole);
	return file;
}

void shipped_setting(char const *name, char value[64])
{
	size_t const len = strlen(name);
	char line[512];
	FILE *file = shipped_open("raddb/mods-available/wsmfa");

	*value = '\0';
	while (fgets(line, sizeof(line), file)) {
		char const *at = line + strspn(line, "#\t");

		if (strncmp(at, name, len) == 0 && strncmp(at + len, " = ", 3) == 0)
			snprintf(value, 64, "%.*s", (int)strcspn(at + len + 3, "\n"), at + len + 3);
	}
	fclose(file);
	if (*value == '\0')
		fail_msg("there is no setting %s", name);
}

static enum wsmfa_text text_of(char const *name, size_t len)
{
	for (int id = WSMFA_TEXT_NONE + 1; id < WSMFA_TEXTS; id++) {
		char const *setting = wsmfa_text_setting((enum wsmfa_text)id);

		if (strlen(setting) == len && memcmp(setting, name, len) == 0)
			return (enum wsmfa_text)id;
	}
	return WSMFA_TEXT_NONE;
}

void shipped_texts_read(char const *code, struct shipped_texts *out)
{
	char path[96], line[1024];
	FILE *file;

	memset(out, 0, sizeof(*out));
	snprintf(out->language.code, sizeof(out->language.code), "%s", code);
	snprintf(path, sizeof(path), "raddb/mods-config/wsmfa/texts-%s.conf", code);
	file = shipped_open(path);
	while (fgets(line, sizeof(line), file)) {
		char const *name = line + strspn(line, "#\t ");
		char const *open = strstr(name, " = \"");
		char const *close = strrchr(line, '"');
		enum wsmfa_text id;

		if (!open || close < open + 4)
			continue;
		id = text_of(name, (size_t)(open - name));
		if (id == WSMFA_TEXT_NONE)
			fail_msg("%s: unknown text: %s", path, name);
		assert_string_equal(out->text[id], ""); // each once
		snprintf(out->text[id], sizeof(out->text[0]), "%.*s", (int)(close - open - 4), open + 4);
		out->language.text[id] = out->text[id];
	}
	fclose(file);
}
