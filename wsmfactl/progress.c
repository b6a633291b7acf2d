/* The progress bar.
 * Apart from the works that show it, which know only how far they are. */
#include "progress.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define WIDTH 30

/* There is one bar, since there is one terminal. */
static struct {
	char const *what;
	int64_t begun, drawn; //!< milliseconds
	bool shown;
} bar;

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void ctl_progress_begin(char const *what)
{
	bar.what = what;
	bar.begun = now_ms();
	bar.drawn = 0;
	bar.shown = isatty(STDERR_FILENO) == 1;
}

void ctl_progress(size_t done, size_t total)
{
	int64_t now = now_ms();
	int filled = total ? (int)(done * WIDTH / total) : WIDTH;

	if (!bar.shown || (now - bar.drawn < 100 && done < total))
		return;
	bar.drawn = now;
	fprintf(stderr, "\r%-12s [", bar.what);
	for (int i = 0; i < WIDTH; i++)
		fputc(i < filled ? '#' : '.', stderr);
	fprintf(stderr, "] %3d %%", total ? (int)(done * 100 / total) : 100);
	/* An estimate only once there is something to judge by. */
	if (done && done < total && now - bar.begun > 2000)
		fprintf(stderr, ", %lld s left ",
			(long long)((now - bar.begun) * (int64_t)(total - done) / (int64_t)done / 1000));
	fputs("\033[K", stderr);
}

void ctl_progress_end(void)
{
	if (bar.shown)
		fputs("\r\033[K", stderr);
	bar.shown = false;
}
