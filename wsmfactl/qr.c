/* QR codes by libqrencode, two rows of modules a line.
 * Apart from totp.c because it knows nothing of keys. */
#include "qr.h"

#include <qrencode.h>
#include <string.h>

#define QUIET 2 //!< modules around the code; ISO 18004 wants 4, every phone is content with 2, and lines are scarce

static bool dark(QRcode const *code, int x, int y)
{
	x -= QUIET;
	y -= QUIET;
	return x >= 0 && y >= 0 && x < code->width && y < code->width && (code->data[y * code->width + x] & 1);
}

static void line_print(FILE *f, QRcode const *code, int y, enum ctl_qr_form form)
{
	int size = code->width + 2 * QUIET;

	if (form == CTL_QR_COLOR)
		fputs("\033[37;40;1m", f);
	for (int x = 0; x < size; x++) {
		bool upper = !dark(code, x, y);
		bool lower = y + 1 < size && !dark(code, x, y + 1);

		if (form == CTL_QR_ASCII)
			fputs(upper ? "##" : "  ", f);
		else
			fputs(upper ? (lower ? "\u2588" : "\u2580") : (lower ? "\u2584" : " "), f);
	}
	fputs(form == CTL_QR_COLOR ? "\033[0m\n" : "\n", f);
}

bool ctl_qr_print(FILE *f, char const *text, enum ctl_qr_form form)
{
	QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);

	if (!code)
		return false;
	for (int y = 0; y < code->width + 2 * QUIET; y += form == CTL_QR_ASCII ? 1 : 2)
		line_print(f, code, y, form);
	/* The modules are the secret once more. */
	memset(code->data, 0, (size_t)code->width * (size_t)code->width);
	QRcode_free(code);
	return true;
}
