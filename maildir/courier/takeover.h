/*
 * takeover.h: what Courier kept of a Maildir, taken over when we open it first.  Courier's files are
 * only read, so that one may go back to it.
 */
#ifndef MAILDIR_COURIER_TAKEOVER_H
#define MAILDIR_COURIER_TAKEOVER_H

struct maildir;
struct maildir_folder;
struct mdtext;
struct uidlist;

/*
 * For a folder that has neither a dovecot-uidlist nor a record: makes list what Courier says, to be
 * written then; where Courier says nothing list stays as it is.  Keywords are in the file names and
 * in dovecot-keywords when this returns.  Called with the folder's lock and dovecot-uidlist.lock held.
 */
int takeover_folder(struct maildir_folder *folder, struct uidlist *list);

/* Writes what a file subscriptions would say; nothing where Courier has none. */
int takeover_subscriptions(struct maildir *md, struct mdtext *out);

#endif
