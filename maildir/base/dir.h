/*
 * dir.h: a folder's directory with its locks, as the rooms below folder/ know a folder.
 */
#ifndef MAILDIR_BASE_DIR_H
#define MAILDIR_BASE_DIR_H

#include <stdbool.h>

#include "maildir/base/stamp.h"

struct maildir;

/*
 * A lock file of Dovecot's.  It names our process as Dovecot names its own, and our process locks the file as
 * well.  tmp and aside are names of our own beside it; no other process uses them at the same time, since each
 * holds one of our locks around this one.
 */
struct dotlock {
	struct maildir *md;
	int dirfd;
	const char *folder; /* for notices */
	const char *name, *tmp, *aside;
	int fd;			 /* of the file that we made and locked; or -1 */
	struct file_stamp stamp; /* of that file when we made it */
};

struct mddir {
	struct maildir *md;
	struct mddir *next; /* the next of md->dirs */
	char *name;	    /* of the folder, for notices */
	char *path;	    /* from the Maildir; "." for INBOX */
	int fd;
	int lock_fd;	/* of sallyport.lock; -1 until it was first locked */
	unsigned locks; /* how often the lock was taken and not given back */
	int unlocked;	/* errno: why the lock file cannot be used, see mdlock_enter; or 0 */
	struct dotlock dotlock; /* dovecot-uidlist.lock while we hold it */
	bool changing;		/* between maildir_change_begin and the end of the batch */
	bool held;		/* the end of a batch waits: see maildir_change_hold */
	/* Ends the batch whose end waits. */
	void (*settle)(struct mddir *dir);
};

/* Whether a batch of changes is not on the disk yet; the folder's lock is held then. */
static inline bool
mddir_in_batch(const struct mddir *dir)
{
	return dir->changing || dir->held;
}

#endif
