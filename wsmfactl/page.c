/* Writing an HTML page from a template.
 * Apart from report.c, which has the figures. */
#include "page.h"

#include <string.h>

void ctl_page_text(FILE *f, char const *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&': fputs("&amp;", f); break;
		case '<': fputs("&lt;", f); break;
		case '>': fputs("&gt;", f); break;
		case '"': fputs("&quot;", f); break;
		case '\'': fputs("&#39;", f); break;
		default:
			/* A control character is none of HTML's characters; what names hold is checked, what packets hold is not. */
			fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, f);
		}
	}
}

static bool line_write(FILE *f, char const *line, ctl_page_fill *fill, void *ctx)
{
	char name[32];

	for (char const *open; (open = strstr(line, "{{")); line = strstr(open, "}}") + 2) {
		char const *close = strstr(open, "}}");
		size_t len;

		if (!close)
			break;
		len = (size_t)(close - open) - 2;
		if (len >= sizeof(name))
			return false;
		memcpy(name, open + 2, len);
		name[len] = '\0';
		fwrite(line, 1, (size_t)(open - line), f);
		if (!fill(ctx, f, name))
			return false;
	}
	fputs(line, f);
	return true;
}

bool ctl_page_write(FILE *f, char const *const *lines, ctl_page_fill *fill, void *ctx)
{
	for (; *lines; lines++) {
		if (!line_write(f, *lines, fill, ctx))
			return false;
	}
	return !ferror(f);
}
