/* The reader of FreeRADIUS's configuration files.
 * Apart from doctor_raddb.c, because it judges nothing. */
#include "raddb.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINE_MAX_LEN 8192
#define VALUE_MAX    2048
#define DEPTH_MAX    16
#define ITEMS_MAX    128

/* An item at the top, which ${name} may name. */
struct item {
	char name[64];
	char value[PATH_MAX];
};

struct reader {
	char const *folder;
	ctl_raddb_seen *seen;
	void *ctx;
	char *why;
	size_t why_size;
	char path[PATH_MAX];
	struct item items[ITEMS_MAX];
	size_t items_len;
	int depth;
};

static bool file_read(struct reader *r, char const *file, bool optional);

static void tell(struct reader *r, enum ctl_raddb_kind kind, char const *name, char const *value, char const *file,
		 int line)
{
	struct ctl_raddb_item const item = { kind, r->path, name, value, file, line };

	r->seen(r->ctx, &item);
}

static char const *item_get(struct reader const *r, char const *name, size_t len)
{
	for (size_t i = 0; i < r->items_len; i++) {
		if (strlen(r->items[i].name) == len && memcmp(r->items[i].name, name, len) == 0)
			return r->items[i].value;
	}
	return NULL;
}

static void item_set(struct reader *r, char const *name, char const *value)
{
	if (r->items_len == ITEMS_MAX || strlen(name) >= sizeof(r->items->name) || item_get(r, name, strlen(name)))
		return;
	snprintf(r->items[r->items_len].name, sizeof(r->items->name), "%s", name);
	snprintf(r->items[r->items_len].value, sizeof(r->items->value), "%s", value);
	r->items_len++;
}

/* A value without its quotes and with the ${...} that are known. */
static void value_expand(struct reader const *r, char const *text, char *out, size_t size)
{
	size_t len = strlen(text), n = 0;

	if (len >= 2 && (text[0] == '"' || text[0] == '\'') && text[len - 1] == text[0]) {
		text++;
		len -= 2;
	}
	for (size_t i = 0; i < len && n + 1 < size; i++) {
		size_t name = text[i] == '$' && text[i + 1] == '{' ? strcspn(text + i + 2, "}") : 0;
		char const *value = name ? item_get(r, text + i + 2, name) : NULL;

		if (value) {
			n += (size_t)snprintf(out + n, size - n, "%s", value);
			n = n < size ? n : size - 1;
			i += name + 2;
		} else {
			out[n++] = text[i];
		}
	}
	out[n] = '\0';
}

/* Cuts a remark off, and blanks at both ends. Quotes keep a # from being one. */
static char *line_trim(char *line)
{
	char quote = 0;
	char *end;

	for (char *p = line; *p; p++) {
		if (quote) {
			if (*p == '\\' && p[1])
				p++;
			else if (*p == quote)
				quote = 0;
		} else if (*p == '"' || *p == '\'') {
			quote = *p;
		} else if (*p == '#' && (p == line || isspace((unsigned char)p[-1]))) {
			*p = '\0';
			break;
		}
	}
	while (isspace((unsigned char)*line))
		line++;
	end = line + strlen(line);
	while (end > line && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return line;
}

static int name_compare(struct dirent const **a, struct dirent const **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* The server reads only files whose names are letters, digits, "-", "_" and "." . */
static int name_read(struct dirent const *entry)
{
	if (entry->d_name[0] == '.')
		return 0;
	for (char const *p = entry->d_name; *p; p++) {
		if (!isalnum((unsigned char)*p) && !strchr("-_.", *p))
			return 0;
	}
	return 1;
}

static bool folder_read(struct reader *r, char const *folder)
{
	struct dirent **names;
	int n = scandir(folder, &names, name_read, name_compare);
	bool done = n >= 0;
	char file[PATH_MAX];
	struct stat st;

	if (n < 0) {
		snprintf(r->why, r->why_size, "%s can't be read: %s", folder, strerror(errno));
		return false;
	}
	for (int i = 0; i < n; i++) {
		int len = snprintf(file, sizeof(file), "%s/%s", folder, names[i]->d_name);

		if (done && len < (int)sizeof(file) && stat(file, &st) == 0 && !S_ISDIR(st.st_mode))
			done = file_read(r, file, false);
		free(names[i]);
	}
	free(names);
	return done;
}

static bool include(struct reader *r, char const *line, char const *file)
{
	bool optional = strncmp(line, "$-", 2) == 0;
	char value[PATH_MAX], target[PATH_MAX * 2];
	char const *slash = strrchr(file, '/');
	struct stat st;

	line += strcspn(line, " \t");
	line += strspn(line, " \t");
	value_expand(r, line, value, sizeof(value));
	if (value[0] == '/' || !slash)
		snprintf(target, sizeof(target), "%s", value);
	else
		snprintf(target, sizeof(target), "%.*s/%s", (int)(slash - file), file, value);
	if (stat(target, &st) != 0) {
		/* What can't be expanded here may well be right there. */
		if (optional || strstr(target, "${"))
			return true;
		snprintf(r->why, r->why_size, "%s includes %s: %s", file, target, strerror(errno));
		return false;
	}
	return S_ISDIR(st.st_mode) ? folder_read(r, target) : file_read(r, target, optional);
}

static void section_open(struct reader *r, char *header, char const *file, int line)
{
	size_t len = strlen(r->path);

	header = line_trim(header);
	snprintf(r->path + len, sizeof(r->path) - len, "%s%s", len ? CTL_RADDB_WITHIN : "", header);
	tell(r, CTL_RADDB_BEGIN, header, "", file, line);
}

static void section_close(struct reader *r, char const *file, int line)
{
	char *last = strrchr(r->path, CTL_RADDB_WITHIN[0]);

	tell(r, CTL_RADDB_END, last ? last + 1 : r->path, "", file, line);
	if (last)
		*last = '\0';
	else
		r->path[0] = '\0';
}

/* A line without braces. */
static void simple_line(struct reader *r, char *line, char const *file, int number)
{
	char value[VALUE_MAX];
	size_t len = strcspn(line, " \t=+:!<>");
	char *rest = line + len + strspn(line + len, " \t");
	size_t op = strspn(rest, "=+:!<>-");

	if (!*line)
		return;
	if (!op) {
		tell(r, CTL_RADDB_WORD, line, "", file, number);
		return;
	}
	line[len] = '\0';
	rest += op;
	value_expand(r, rest + strspn(rest, " \t"), value, sizeof(value));
	if (!r->path[0])
		item_set(r, line, value);
	tell(r, CTL_RADDB_PAIR, line, value, file, number);
}

/* Where the brace of a section on one line stands: outside quotes, and not one of ${ } or %{ }. NULL for none. */
static char *brace_find(char *line)
{
	char quote = 0;

	for (char *p = line; *p; p++) {
		if (quote) {
			if (*p == '\\' && p[1])
				p++;
			else if (*p == quote)
				quote = 0;
		} else if (*p == '"' || *p == '\'') {
			quote = *p;
		} else if (*p == '{' && (p == line || (p[-1] != '$' && p[-1] != '%'))) {
			return p;
		}
	}
	return NULL;
}

/* Braces count at the ends of a line only: between them they may belong to a regular expression. */
static bool line_read(struct reader *r, char *line, char const *file, int number)
{
	size_t len;
	char *brace;

	line = line_trim(line);
	if (strncmp(line, "$INCLUDE", 8) == 0 || strncmp(line, "$-INCLUDE", 9) == 0)
		return include(r, line, file);
	while (*line == '}') {
		if (!r->path[0]) {
			snprintf(r->why, r->why_size, "%s, line %d: a } too many", file, number);
			return false;
		}
		section_close(r, file, number);
		line = line_trim(line + 1);
	}
	len = strlen(line);
	if (len && line[len - 1] == '{') {
		line[len - 1] = '\0';
		section_open(r, line, file, number);
	} else if (len && line[len - 1] == '}' && (brace = brace_find(line))) {
		line[len - 1] = *brace = '\0';
		section_open(r, line, file, number);
		simple_line(r, line_trim(brace + 1), file, number);
		section_close(r, file, number);
	} else {
		simple_line(r, line, file, number);
	}
	return true;
}

static bool file_read(struct reader *r, char const *file, bool optional)
{
	FILE *f = r->depth < DEPTH_MAX ? fopen(file, "r") : NULL;
	char line[LINE_MAX_LEN];
	size_t len = 0;
	bool done = true;

	if (!f) {
		snprintf(r->why, r->why_size, "%s can't be read: %s", file,
			 r->depth < DEPTH_MAX ? strerror(errno) : "included too deep");
		return optional && r->depth < DEPTH_MAX;
	}
	r->depth++;
	for (int number = 1; done && fgets(line + len, (int)(sizeof(line) - len), f); number++) {
		len = strcspn(line, "\n");
		line[len] = '\0';
		/* A line that ends in a backslash goes on. */
		if (len && line[len - 1] == '\\' && len < sizeof(line) - 2) {
			line[--len] = '\0';
			continue;
		}
		done = line_read(r, line, file, number);
		len = 0;
	}
	r->depth--;
	fclose(f);
	return done;
}

bool ctl_raddb_read(char const *folder, ctl_raddb_seen *seen, void *ctx, char *why, size_t why_size)
{
	static struct reader r;
	char file[PATH_MAX];

	r = (struct reader) { .folder = folder, .seen = seen, .ctx = ctx, .why = why, .why_size = why_size };
	/* Whatever the file says: this folder is meant. */
	item_set(&r, "raddbdir", folder);
	item_set(&r, "confdir", folder);
	snprintf(file, sizeof(file), "%s/radiusd.conf", folder);
	if (!file_read(&r, file, false))
		return false;
	if (r.path[0]) {
		snprintf(why, why_size, "%s: the section %.60s is never closed", file, r.path);
		return false;
	}
	return true;
}
