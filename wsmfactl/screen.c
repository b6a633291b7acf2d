/* Text on a terminal: how wide it is, what is safe there, where its lines end.
 * Apart from out.c, which knows rows and columns of a result. */
#include "screen.h"

#include <langinfo.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool ctl_utf8(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

int ctl_columns(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return 80;
}

char const *ctl_style(struct ctl const *c, enum ctl_style style)
{
	static char const *const codes[] = { "\033[0m",  "\033[1m",  "\033[2m", "\033[31m",
					     "\033[33m", "\033[32m", "\033[36m" };

	return c->color ? codes[style] : "";
}

/* The next character of UTF-8 text; malformed octets come one by one as U+FFFD. */
static uint32_t utf8_next(char const **text)
{
	unsigned char const *p = (unsigned char const *)*text;
	int more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : *p >= 0xc0 ? 1 : 0;
	uint32_t code = more ? *p & (0x3fu >> more) : *p;

	(*text)++;
	if (*p >= 0x80 && (!more || *p >= 0xf8))
		return 0xfffd;
	for (int i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0xfffd;
		code = code << 6 | (p[i] & 0x3fu);
	}
	*text += more;
	return code;
}

/* Control characters, and those that turn the direction of what follows. */
static bool unsafe(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x202a && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069);
}

static int code_width(uint32_t code)
{
	if (code >= 0x300 && code <= 0x36f)
		return 0;
	if ((code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf) ||
	    (code >= 0xac00 && code <= 0xd7a3) || (code >= 0xf900 && code <= 0xfaff) ||
	    (code >= 0xfe30 && code <= 0xfe6f) || (code >= 0xff00 && code <= 0xff60) ||
	    (code >= 0x1f300 && code <= 0x1faff))
		return 2;
	return 1;
}

int ctl_text_width(char const *text)
{
	int width = 0;

	while (*text)
		width += code_width(utf8_next(&text));
	return width;
}

void ctl_put_clean(FILE *f, char const *text)
{
	while (*text) {
		char const *begin = text;

		if (unsafe(utf8_next(&text)))
			fputc('?', f);
		else
			fwrite(begin, 1, (size_t)(text - begin), f);
	}
}

static void line_begin(int indent, int *at)
{
	printf("\n%*s", indent, "");
	*at = indent;
}

void ctl_put_wrapped(char const *text, int indent, int columns)
{
	int at = indent;

	printf("%*s", indent, "");
	while (*text) {
		size_t len = strcspn(text, " ");
		char const *end = text + len;
		int width = 0;

		for (char const *p = text; p < end;)
			width += code_width(utf8_next(&p));
		if (at > indent && at + 1 + width > columns) {
			line_begin(indent, &at);
		} else if (at > indent) {
			fputc(' ', stdout);
			at++;
		}
		while (text < end) {
			char const *begin = text;
			uint32_t code = utf8_next(&text);

			if (at > indent && at + code_width(code) > columns)
				line_begin(indent, &at);
			at += code_width(code);
			if (unsafe(code))
				fputc('?', stdout);
			else
				fwrite(begin, 1, (size_t)(text - begin), stdout);
		}
		text += strspn(text, " ");
	}
	fputc('\n', stdout);
}
