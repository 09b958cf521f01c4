/*
 * lock.h: who may change a folder.
 *
 * Among our own processes the lock is an fcntl lock of an open file description (F_OFD_SETLK) on the
 * file sallyport.lock of the folder; the kernel drops it when its holder dies, however it dies.
 * Around a write to a file of Dovecot's there is Dovecot's lock file besides, always taken inside the
 * other, so that two of ours never wait there for each other.
 */
#ifndef MAILDIR_BASE_LOCK_H
#define MAILDIR_BASE_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

struct maildir;
struct mdtext;
struct mddir;

#define LOCK_NAME "sallyport.lock"

/* Dovecot's lock files, of a folder and of the Maildir. */
#define UIDLIST_LOCK_NAME	"dovecot-uidlist.lock"
#define SUBSCRIPTIONS_LOCK_NAME "subscriptions.lock"

/* Which octet of the file stands for what. */
enum lock_byte {
	LOCK_FOLDER = 0,   /* writing dovecot-uidlist, dovecot-keywords; resolving doubled names */
	LOCK_SESSION = 1,  /* a POP3 session */
	LOCK_VALIDITY = 2, /* dovecot-uidvalidity; in the Maildir itself only */
	LOCK_TREE = 3,	   /* folders renamed and deleted, files about them; there only, too */
};

/*
 * Waits for the lock, at most wait_ms (0: EAGAIN at once; ENOLCK when the time is over).  *fd is the
 * lock file, opened here when -1; closing it unlocks.
 *
 * A process never waits for itself.  All held batches of md end first (maildir_change_hold), so that no session
 * keeps others waiting while it waits.  EDEADLK: another open folder of md has this lock.
 */
int mdlock_take(struct maildir *md, int dirfd, int *fd, enum lock_byte byte, unsigned wait_ms);
void mdlock_drop(int fd, enum lock_byte byte);

/* The folder's lock, with the usual patience. */
int mdlock_folder(struct mddir *dir);
/* Without waiting: EAGAIN. */
int mdlock_folder_try(struct mddir *dir);
/*
 * For a look at the folder and for changes to files of messages: as mdlock_folder, or mdlock_folder_try.  Where the
 * lock file cannot be used (error_bars) this is no error, and dir->unlocked says why: then none of our files and of
 * Dovecot's may be written, and messages are changed as any program without a lock changes them (sync.c).
 */
int mdlock_enter(struct mddir *dir, bool wait);
void mdlock_unfolder(struct mddir *dir);

/* dovecot-uidlist.lock; ENOLCK when another holds it too long. */
int dotlock_take(struct mddir *dir);
/* Whether it is still ours: one who thinks us dead may have taken it. */
bool dotlock_held(const struct mddir *dir);
void dotlock_drop(struct mddir *dir);
/* As file_replace, while the lock is ours (else ENOLCK); keep: what the file replaces is set aside. */
int dotlock_replace(
    struct mddir *dir, const char *tmp, const char *name, const struct mdtext *text, bool keep);

#endif
