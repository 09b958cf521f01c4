/*
 * picked.h: the messages that a command names: a set of numbers, of UIDs, or "$".
 */
#ifndef SERVER_IMAP_PICKED_H
#define SERVER_IMAP_PICKED_H

#include <stdbool.h>
#include <stddef.h>

#include "server/imap/args.h"
#include "server/imap/sequence.h"

struct mailbox;
struct session;

struct picked {
	struct sequence set;
	bool by_uid;
	size_t range, place, end; /* the next range; of the present one what is left */
};

/* Reads a set.  false: it is wrong, or has a number beyond the mailbox. */
bool picked_parse(struct session *session, struct word set, bool by_uid, struct picked *picked_r);
/* All messages. */
void picked_all(const struct mailbox *box, struct picked *picked_r);
/* The next place, rising.  false: that was the last, or see mailbox_is_lost. */
bool picked_next(struct mailbox *box, struct picked *picked, size_t *place_r);
void picked_clear(struct picked *picked);

#endif
