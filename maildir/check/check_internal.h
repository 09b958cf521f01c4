/*
 * check_internal.h: what check.c, check_tree.c and check_mend.c share.
 */
#ifndef MAILDIR_CHECK_CHECK_INTERNAL_H
#define MAILDIR_CHECK_CHECK_INTERNAL_H

#include <stdbool.h>
#include <time.h>

struct maildir;

/* Whether a lock file of Dovecot's is there that nobody can still mean. */
bool check_lock_is_left(struct maildir *md, int dirfd, const char *name, time_t now);
/* Whether a temporary file of ours is there and nobody can still be writing it. */
bool check_is_left(int dirfd, const char *name, time_t now);
/* "a directory", of a mode that stat(2) gave. */
const char *check_kind(unsigned mode);

#endif
