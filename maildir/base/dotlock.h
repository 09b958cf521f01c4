/*
 * dotlock.h: a lock file as Dovecot makes it.  struct dotlock, in base/dir.h, says which one.
 */
#ifndef MAILDIR_BASE_DOTLOCK_H
#define MAILDIR_BASE_DOTLOCK_H

#include <stdbool.h>
#include <time.h>

struct dotlock;
struct file_stamp;

/* Makes the lock file; takes over one that a dead process left.  -1: ENOLCK if another process holds it too long. */
int dotlock_take(struct dotlock *lock);
/*
 * Whether there is a lock file whose maker, at that time, does not hold it any more.  *stamp_r: the file, if there is
 * one.
 */
bool dotlock_stale(const struct dotlock *lock, time_t now, struct file_stamp *stamp_r);
/* Whether the lock is still ours: a program that thought us dead may have taken it over. */
bool dotlock_held(const struct dotlock *lock);
/* Removes the lock file if it is ours.  errno stays as it was. */
void dotlock_drop(struct dotlock *lock);

#endif
