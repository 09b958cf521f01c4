/*
 * resync.h: what a client that was here before is told of the time since.  RFC 7162.
 */
#ifndef SERVER_IMAP_RESYNC_H
#define SERVER_IMAP_RESYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "server/imap/args.h"
#include "server/imap/sequence.h"

struct session;

/* SELECT's QRESYNC: what the client knows. */
struct resync {
	uint32_t validity;
	uint64_t modseq;
	bool has_known;
	struct sequence known;	       /* UIDs */
	struct sequence numbers, uids; /* pairs of them, a sample */
};

/* "(67890007 20050715194045000 41,43:211 (1,3 41,43))".  false: malformed. */
bool resync_parse(struct args *args, struct resync *resync_r);
void resync_clear(struct resync *resync);

/* VANISHED (EARLIER) and the flags that changed, for the mailbox that is selected now; nothing when it is
 * not the one that the client knows. */
void resync_tell(struct session *session, const struct resync *resync);

/*
 * VANISHED (EARLIER): of those UIDs the ones above "above" that were expunged after that modseq; all that
 * are not there when it is not remembered so far back.
 */
void resync_vanished(
    struct session *session, const struct sequence *known, uint64_t modseq, uint32_t above);

/* The client is one that knows of mod-sequences, from now on: section 3.1. */
void resync_enable(struct session *session);

#endif
