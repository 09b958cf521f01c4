/*
 * process.h: what every process does first, and what it is called in ps(1).
 */
#ifndef SERVER_PROCESS_H
#define SERVER_PROCESS_H

#include <stddef.h>

/* Once in main, with its arguments: they make room for titles. */
void process_init(int argc, char **argv);

/* "sallyport: role" in ps(1). */
void process_title(const char *role);

/*
 * A new process forgets master's: all descriptors but those of keep (and the log) are closed,
 * signals are as a program finds them, and it gets SIGTERM should its parent die.  -1 in keep is
 * passed over.
 */
void process_enter(const char *role, const int keep[], size_t keep_len);

/* Asks for SIGTERM when the parent dies; a change of identity takes that back, so ask again. */
void process_follow_parent(void);

#endif
