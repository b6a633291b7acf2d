/* The administrator's command: options and the choice of a subcommand.
 * Apart from the subcommands, which know nothing of each other. */
#include <stdio.h>

int main(void)
{
	fputs("usage: wsmfactl COMMAND\n", stderr);
	return 2;
}
