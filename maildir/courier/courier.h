/*
 * courier.h: what Courier kept of a Maildir, imported before a folder is read for the first time.
 *
 * Courier's files are only read, so that its administrator may go back to it.
 */
#ifndef MAILDIR_COURIER_COURIER_H
#define MAILDIR_COURIER_COURIER_H

#include <stddef.h>

struct maildir;
struct mdbuf;

/*
 * From now on a folder that has neither a dovecot-uidlist nor a record gets what Courier says, before its first sync:
 * UIDs and POP3 UIDLs as its dovecot-uidlist, keywords in file names, dovecot-keywords and sallyport.keywords.  A
 * Maildir without a file subscriptions gets Courier's.  If Courier says nothing, nothing is made.
 */
void courier_import(struct maildir *md);

/*
 * Writes a file subscriptions (version 2 of Dovecot's) with the folders that a courierimapsubscribed names; nothing
 * when there are none.
 */
void courier_put_subscriptions(struct mdbuf *out, const char *text, size_t size);

#endif
