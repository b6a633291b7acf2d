/* QR codes on a terminal.
 * Apart from totp.c because it is pure: text in, text out. */
#ifndef WSMFACTL_QR_H
#define WSMFACTL_QR_H

#include <stdbool.h>
#include <stdio.h>

/** How the blocks are drawn. */
enum ctl_qr_form {
	CTL_QR_BLOCKS, //!< UTF-8 half blocks: light on the terminal's own background, which should be dark
	CTL_QR_COLOR,  //!< the same with light and dark set, for any terminal
	CTL_QR_ASCII,  //!< "##", for terminals without UTF-8
};

/** Prints a text as a QR code with its quiet zone. false when it does not fit into one. */
bool ctl_qr_print(FILE *f, char const *text, enum ctl_qr_form form);

#endif
