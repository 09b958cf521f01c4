/*
 * lock.h: the locks on a folder and on the Maildir.
 *
 * Our own processes keep each other out by an fcntl lock of an open file description (F_OFD_SETLK) on the folder's file
 * sallyport.lock; the kernel drops it when its holder dies.  A process that writes a file of Dovecot's takes Dovecot's
 * lock file as well.  It always has our lock then, so two of our processes never wait for each other there.
 *
 * Functions return -1 with errno set, and 0 on success if the comment says nothing else.
 */
#ifndef MAILDIR_BASE_LOCK_H
#define MAILDIR_BASE_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

struct maildir;
struct mdbuf;
struct mddir;

#define LOCK_NAME "sallyport.lock"

/* Dovecot's lock files: of a folder, and of the Maildir. */
#define UIDLIST_LOCK_NAME	"dovecot-uidlist.lock"
#define SUBSCRIPTIONS_LOCK_NAME "subscriptions.lock"

/* The octet of sallyport.lock that is locked says what the lock is for.  The last two are the Maildir's alone. */
enum lock_byte {
	LOCK_FOLDER =
	    0, /* writing dovecot-uidlist and dovecot-keywords, renaming files of messages */
	LOCK_SESSION = 1,  /* a POP3 session, from its login to its end */
	LOCK_VALIDITY = 2, /* dovecot-uidvalidity */
	LOCK_TREE = 3,	   /* renaming and deleting folders, writing the files about them */
};

/*
 * Waits for a lock, wait_ms at most: ENOLCK after that time, or EAGAIN at once if it is 0.  *fd is the lock file; if it
 * is -1 the file is opened, and stays open also on errors.  Closing it unlocks.
 *
 * A process never waits for itself.  All held batches of md end first (maildir_change_hold), so that no session
 * keeps others waiting while it waits.  EDEADLK: another open folder of md has this lock.
 */
int mdlock_take(struct maildir *md, int dirfd, int *fd, enum lock_byte byte, unsigned wait_ms);
/* The same for a lock file that is opened for this lock alone.  Returns its descriptor; to close it is to unlock. */
int mdlock_open(struct maildir *md, int dirfd, enum lock_byte byte, unsigned wait_ms);
/* The lock on the tree of folders, by mdlock_open, with a wait of half a minute. */
int mdlock_tree(struct maildir *md);

/* Takes the folder's lock, with a wait of half a minute.  A process may take it again while it has it. */
int mdlock_folder(struct mddir *dir);
/* The same without a wait: EAGAIN. */
int mdlock_folder_try(struct mddir *dir);
/*
 * As mdlock_folder, or without wait as mdlock_folder_try, to read the folder and to change files of messages.  It is no
 * error that the lock file cannot be used (error_forbids_writing): dir->unlocked says why.  Then none of our files and of
 * Dovecot's may be written, and messages are changed as any program without a lock changes them (sync.c).
 */
int mdlock_enter(struct mddir *dir, bool wait);
/* Undoes one of the three.  errno stays as it was. */
void mdlock_folder_drop(struct mddir *dir);

/* Takes dovecot-uidlist.lock, under the folder's lock.  ENOLCK if another process holds it too long. */
int uidlist_lock_take(struct mddir *dir);
/* Whether it is still ours: a program that thought us dead may have taken it over. */
bool uidlist_lock_held(const struct mddir *dir);
void uidlist_lock_drop(struct mddir *dir);
/* As file_replace, if the lock is still ours (else ENOLCK).  keep: what the file replaces is set aside. */
int uidlist_lock_replace(
    struct mddir *dir, const char *tmp, const char *name, const struct mdbuf *text, bool keep);

#endif
