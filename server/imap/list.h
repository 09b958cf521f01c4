/*
 * list.h: LIST's line about one mailbox, in the answers to other commands.
 */
#ifndef SERVER_IMAP_LIST_H
#define SERVER_IMAP_LIST_H

struct session;

/*
 * Says the untagged LIST of a folder, with all of its attributes, or \NonExistent; and with OLDNAME where the client
 * has spelled the last name of its command otherwise (session->oldname).  Says nothing if the mailboxes cannot be read.
 */
void list_tell(struct session *session, const char *folder);

/* The same, but only where there is an OLDNAME to be told. */
void list_tell_oldname(struct session *session, const char *folder);

#endif
