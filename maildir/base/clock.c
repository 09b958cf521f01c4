/*
 * clock.c: waits, and a clock that never jumps.
 * Runs as: mail user.
 */
#include <time.h>

#include "maildir/base/clock.h"

void
mdclock_sleep_ms(unsigned ms)
{
	struct timespec pause = {ms / 1000, (long)(ms % 1000) * 1000000};

	(void)nanosleep(&pause, NULL);
}

uint64_t
mdclock_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
