/*
 * resync.h: tells a client that comes back what has changed since it left.  RFC 7162.
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
	uint32_t validity; /* UIDVALIDITY */
	uint64_t modseq;
	bool has_known;
	struct sequence known;	       /* UIDs */
	struct sequence numbers, uids; /* pairs of them, a sample */
};

/* "(67890007 20050715194045000 41,43:211 (1,3 41,43))".  Returns false if it is malformed; resync_clear
 * frees in any case. */
bool resync_parse(struct args *args, struct resync *resync_r);
void resync_clear(struct resync *resync);

/*
 * Tells VANISHED (EARLIER) and the flags that changed, for the mailbox that was just selected.  Tells nothing
 * if the client knows another UIDVALIDITY.
 */
void resync_tell(struct session *session, const struct resync *resync);

/*
 * Tells by VANISHED (EARLIER) which of the known UIDs that are higher than above were expunged after modseq.
 * If the folder does not remember as much: all of them that it does not have.
 */
void resync_vanished(
    struct session *session, const struct sequence *known, uint64_t modseq, uint32_t above);

/* From now on the client knows of mod-sequences (section 3.1); the first time HIGHESTMODSEQ is told. */
void resync_enable(struct session *session);

#endif
