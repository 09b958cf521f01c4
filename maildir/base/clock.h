/*
 * clock.h: waits, and a clock that never jumps.
 */
#ifndef MAILDIR_BASE_CLOCK_H
#define MAILDIR_BASE_CLOCK_H

#include <stdint.h>

void mdclock_sleep_ms(unsigned ms);
/* Milliseconds since some moment; the clock never jumps. */
uint64_t mdclock_now_ms(void);

#endif
