/*
 * lock.h: who may change a folder.
 *
 * Among our own processes the lock is an fcntl lock of an open file description (F_OFD_SETLK) on the
 * file sallyport.lock of the folder; the kernel drops it when its holder dies, however it dies.
 * Around a write to a file of Dovecot's there is Dovecot's lock file besides, always taken inside the
 * other, so that two of ours never wait there for each other.
 */
#ifndef MAILDIR_LOCK_H
#define MAILDIR_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

struct maildir;
struct maildir_folder;

#define LOCK_NAME "sallyport.lock"

/* Which octet of the file stands for what. */
enum lock_byte {
	LOCK_FOLDER = 0,   /* writing dovecot-uidlist, dovecot-keywords; resolving doubled names */
	LOCK_SESSION = 1,  /* a POP3 session */
	LOCK_VALIDITY = 2, /* dovecot-uidvalidity; in the Maildir itself only */
};

/*
 * Waits for the lock, at most wait_ms (0: EAGAIN at once; ENOLCK when the time is over).  *fd is the
 * lock file, opened here when -1; closing it unlocks.
 */
int mdlock_take(int dirfd, int *fd, enum lock_byte byte, unsigned wait_ms);
void mdlock_drop(int fd, enum lock_byte byte);

/* The folder's lock, with the usual patience. */
int mdlock_folder(struct maildir_folder *folder);
void mdlock_unfolder(struct maildir_folder *folder);

/* dovecot-uidlist.lock; ENOLCK when another holds it too long. */
int dotlock_take(struct maildir_folder *folder);
/* Whether it is still ours: one who thinks us dead may have taken it. */
bool dotlock_held(struct maildir_folder *folder);
void dotlock_drop(struct maildir_folder *folder);

#endif
