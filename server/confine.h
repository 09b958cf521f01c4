/*
 * confine.h: what a process can still do once it has its identity: resource limits, Landlock,
 * seccomp.  Each step is a function of its own, so that it can be tested alone; a process takes all of
 * them by confine_worker, confine_key or confine_reader.
 */
#ifndef SERVER_CONFINE_H
#define SERVER_CONFINE_H

#include <stdbool.h>
#include <stdint.h>

/* Whether this is a build with a sanitizer, which needs more than our own code does. */
#if defined(__SANITIZE_ADDRESS__)
#define CONFINE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CONFINE_SANITIZED 1
#endif
#endif
#ifndef CONFINE_SANITIZED
#define CONFINE_SANITIZED 0
#endif

enum confine_role {
	CONFINE_WORKER,
	CONFINE_KEY,
	CONFINE_READER,
	CONFINE_SPAWNER,
	CONFINE_HASH,
	CONFINE_LOG,
};

/* For the outer spawner: the steps that it can take for all workers, and the calls that it and they need. */
void confine_spawner(int64_t memory);

/* Take all steps, and end the process if one fails.  memory: octets of private memory. */
void confine_worker(int64_t memory);
void confine_key(int64_t memory);
void confine_log(int64_t memory);
/* Without a limit of memory: the hash, which the administrator has chosen, says how much it takes. */
void confine_hash(void);
/* maildir: the only path below which the reader may do anything. */
void confine_reader(const char *maildir, int64_t memory);

/* Not dumpable (no core, no ptrace by the same uid, /proc/self of root), no new privileges. */
void confine_undumpable(void);

/*
 * No files (path NULL), or only those below path; no TCP, and no signals to other processes where the kernel
 * can refuse them.  Returns false if the kernel has no Landlock.
 */
bool confine_landlock(const char *path);

/* Only the system calls of the role; any other kills the process. */
void confine_seccomp(enum confine_role role);

/* Forbids sendmsg and recvmsg as well, and with them all passing of descriptors: call it after their last use. */
void confine_no_passing(void);

/*
 * Forbids a reader to read standard output and standard error: a terminal is open for both directions, and would tell
 * what is typed there.  Call it before confine_no_passing, which allows no further filter.
 */
void confine_no_reading_back(void);

/* Returns the version of Landlock that the kernel has, 0 if none. */
int confine_landlock_version(void);

/* Returns what this kernel lacks, for one line in the log at the start; NULL: nothing. */
const char *confine_missing(void);

#endif
