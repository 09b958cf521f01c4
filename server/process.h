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
 * Starts this program again, as the image that is running, in a role of its own: `sallyport --role ROLE`.  So the new process
 * has a memory layout and a stack canary that it shares with no other role.  *control_r is this process's end of a
 * SOCK_SEQPACKET pair; the other end is PROCESS_CONTROL there.  0, 1 and 2 are /dev/null, but standard error stays for the
 * role "log", and in a build with a sanitizer, which reports there.
 * Returns the pid, or -1.
 */
enum { PROCESS_CONTROL = 3 };
pid_t process_exec(const char *role, int *control_r);

/*
 * Give a process that was just forked a stack canary, or a canary and a pointer guard, of its own, so that a guess at
 * them in one process says nothing about another.  The caller must never return.  glibc keeps pointers of what it has
 * loaded (iconv's converters, NSS) under the old guard: a process that uses these must keep it.  Where the two are not in
 * the thread's own memory (they are on x86-64), these functions do nothing.
 */
void process_renew_canary(void);
void process_renew_guards(void);

/*
 * Makes standard input /dev/null, and opens standard output and error if they are closed, so that nothing else gets
 * their numbers.  Returns 0, or -1 with errno.
 */
int process_fill_standard(void);

/* Closes all descriptors except those of keep, standard input, output and error, and the log channel.  -1 in keep is
 * ignored. */
void process_close_others(const int keep[], size_t keep_len);

/*
 * A new process drops what it inherited: it closes all descriptors except those of keep, standard
 * input, output and error, and the log channel; its signals are as a program finds them; and it gets SIGTERM if its parent dies.  -1 in
 * keep is ignored.
 */
void process_enter(const char *role, const int keep[], size_t keep_len);

/* Asks for SIGTERM when the parent dies.  A change of identity takes that back: then call it again. */
void process_follow_parent(void);

#endif
