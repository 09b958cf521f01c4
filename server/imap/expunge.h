/*
 * expunge.h: removes messages, as EXPUNGE, CLOSE and MOVE do.
 */
#ifndef SERVER_IMAP_EXPUNGE_H
#define SERVER_IMAP_EXPUNGE_H

#include <stdbool.h>

struct session;
struct picked;

/*
 * Removes the messages that are marked \Deleted now, by whatever session; picked: of those only.  They are gone for good
 * when this returns; the client hears of them with the news.  -1: errno, and some may stay.
 */
int expunge_deleted(struct session *session, struct picked *picked);

/* Removes picked messages; marked: only those that are marked \Deleted. */
int expunge_picked(struct session *session, struct picked *picked, bool marked);

#endif
