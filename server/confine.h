/*
 * confine.h: what a process can still do once it has its identity: resource limits, Landlock,
 * seccomp.  The steps are single functions so that each can be tested alone; a process takes all of
 * them by confine_worker, confine_key or confine_reader.
 */
#ifndef SERVER_CONFINE_H
#define SERVER_CONFINE_H

#include <stddef.h>
#include <stdint.h>

enum confine_role { CONFINE_WORKER, CONFINE_KEY, CONFINE_READER };

/* All of it, ending the process when it cannot be had.  memory: octets of private memory. */
void confine_worker(int64_t memory);
void confine_key(int64_t memory);
/* maildir: the only path below which the reader may do anything. */
void confine_reader(const char *maildir, int64_t memory);

/* Not dumpable (no core, no ptrace by the same uid, /proc/self of root), no new privileges. */
void confine_undumpable(void);

/* No files at all, or those below path only; no TCP, no signals to others where the kernel can. */
enum confine_landlock { CONFINE_LANDLOCK_DONE, CONFINE_LANDLOCK_MISSING };
enum confine_landlock confine_landlock(const char *path);

/* The system calls of the role; any other kills the process. */
void confine_seccomp(enum confine_role role);

/* What this kernel lacks, for one line in the log at start; NULL: nothing. */
const char *confine_missing(void);

#endif
