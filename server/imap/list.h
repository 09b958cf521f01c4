/*
 * list.h: what LIST tells of one mailbox, in answers of other commands.
 */
#ifndef SERVER_IMAP_LIST_H
#define SERVER_IMAP_LIST_H

struct session;

/*
 * The untagged LIST of a folder, with all of its attributes; \NonExistent where there is none.  oldname: how
 * the client spelled the name (OLDNAME); NULL or "": as we do.  -1: errno, and nothing was said.
 */
int list_tell(struct session *session, const char *folder, const char *oldname);

/* The same where the client spelled the last name of its command otherwise: session->oldname. */
void list_tell_oldname(struct session *session, const char *folder);

#endif
