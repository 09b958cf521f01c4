/*
 * list.h: what LIST tells of one mailbox, for SELECT under IMAP4rev2.
 */
#ifndef SERVER_IMAP_LIST_H
#define SERVER_IMAP_LIST_H

struct session;

/* The untagged LIST of a folder, with all of its attributes.  -1: errno, and nothing was said. */
int list_tell(struct session *session, const char *folder);

#endif
