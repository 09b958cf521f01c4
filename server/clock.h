/*
 * clock.h: monotonic time in milliseconds, for deadlines.
 */
#ifndef SERVER_CLOCK_H
#define SERVER_CLOCK_H

#include <stdint.h>

enum { CLOCK_NEVER = -1 };

/* Milliseconds since some fixed moment; the time that the machine sleeps counts. */
int64_t clock_now(void);

/* The moment ms milliseconds from now; CLOCK_NEVER if ms is negative. */
int64_t clock_in(int64_t ms);

/* Milliseconds until a moment, as poll(2) takes them: 0 if it is past, -1 for CLOCK_NEVER. */
int clock_left(int64_t until);

/* The earlier of two moments, either of which may be CLOCK_NEVER. */
int64_t clock_earlier(int64_t a, int64_t b);

#endif
