/*
 * process.h: the first steps of every process, and its name in ps(1).
 */
#ifndef SERVER_PROCESS_H
#define SERVER_PROCESS_H

#include <stddef.h>
#include <sys/types.h>

/* Call it once in main with its arguments: their memory becomes room for titles. */
void process_init(int argc, char **argv);

/* "sallyport: role" in ps(1). */
void process_title(const char *role);

/*
 * Forks with a socketpair between the processes; type: SOCK_STREAM or SOCK_SEQPACKET.  Returns as fork(2) does.
 * *end_r is this process's end, to be closed also if the fork failed, or -1.
 */
pid_t process_fork(int type, int *end_r);

/*
 * A new process drops what it inherited from master: it closes all descriptors except those of keep, standard
 * error and the log; its signals are as a program finds them; and it gets SIGTERM if its parent dies.  -1 in
 * keep is ignored.
 */
void process_enter(const char *role, const int keep[], size_t keep_len);

/* Asks for SIGTERM when the parent dies.  A change of identity takes that back: then call it again. */
void process_follow_parent(void);

#endif
