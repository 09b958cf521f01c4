/*
 * dir.h: a folder's directory with its locks, as the rooms below folder/ know a folder.
 */
#ifndef MAILDIR_BASE_DIR_H
#define MAILDIR_BASE_DIR_H

#include <stdbool.h>

#include "maildir/base/stamp.h"

struct maildir;

/*
 * A lock file of Dovecot's, which names our process as Dovecot's names its own, and is locked as well.  tmp and
 * aside are names of our own beside it, which no other process uses at the same time: one of our locks is held
 * around it.
 */
struct dotlock {
	struct maildir *md;
	int dirfd;
	const char *folder; /* for notices */
	const char *name, *tmp, *aside;
	int fd;			 /* of the file that we made, which is locked; or -1 */
	struct file_stamp stamp; /* and as it was then */
};

struct mddir {
	struct maildir *md;
	struct mddir *next; /* of those that are open: md->dirs */
	char *name;	    /* the folder's, for notices */
	char *path;	    /* from the Maildir; "." for INBOX */
	int fd;
	int lock_fd;	/* of sallyport.lock; -1 until it was first locked */
	unsigned locks; /* how often the lock was taken and not given back */
	int unlocked;	/* errno of a lock file that cannot be used: see mdlock_enter; or 0 */
	struct dotlock dotlock; /* dovecot-uidlist.lock while we hold it */
	bool changing;		/* between maildir_change_begin and the end of the batch */
	bool held; /* a batch of changes is over but for its end: see maildir_change_hold */
	/* Ends the batch that is held. */
	void (*settle)(struct mddir *dir);
};

/* Between maildir_change_begin and the end that is on disk: the folder's lock is held. */
static inline bool
mddir_in_batch(const struct mddir *dir)
{
	return dir->changing || dir->held;
}

#endif
