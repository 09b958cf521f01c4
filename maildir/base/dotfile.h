/*
 * dotfile.h: a lock file as Dovecot makes it.
 */
#ifndef MAILDIR_BASE_DOTFILE_H
#define MAILDIR_BASE_DOTFILE_H

#include <stdbool.h>
#include <time.h>

struct dotlock; /* base/dir.h */
struct file_stamp;

int dotfile_take(struct dotlock *lock);
/* Whether there is one that nobody can still mean at that time; what it was then. */
bool dotfile_stale(const struct dotlock *lock, time_t now, struct file_stamp *stamp_r);
bool dotfile_held(const struct dotlock *lock);
void dotfile_drop(struct dotlock *lock);

#endif
