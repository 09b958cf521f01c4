/*
 * expunge.h: removing what is marked \Deleted.
 */
#ifndef SERVER_IMAP_EXPUNGE_H
#define SERVER_IMAP_EXPUNGE_H

#include <stdbool.h>

struct session;
struct picked;

/*
 * Removes the messages that are marked \Deleted now, for any session; picked: only of those.  They are
 * gone for good when this returns; the client hears of them with the news.  -1: errno, some may stay.
 */
int expunge_deleted(struct session *session, struct picked *picked);

/* Removes those; marked: that are marked \Deleted. */
int expunge_picked(struct session *session, struct picked *picked, bool marked);

#endif
