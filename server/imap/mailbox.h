/*
 * mailbox.h: the selected mailbox as its client knows it: which message has which number, and what
 * was told of its flags.
 *
 * The folder (maildir.h) is as it is on disk; the client hears of changes only when the protocol lets
 * it.  So a mailbox has a list of its own: messages that are gone stay in it until an EXPUNGE may be
 * told, and numbers are places in it, counted from 1.
 */
#ifndef SERVER_IMAP_MAILBOX_H
#define SERVER_IMAP_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/imap/flags.h"
#include "server/imap/sequence.h"

struct session;
struct maildir_folder;

struct mailbox_message {
	uint32_t uid;
	uint32_t flags;
	uint64_t keywords; /* as told, or to be told when changed is set */
	bool recent;
	bool gone;    /* it is expunged, and the client has not heard of it */
	bool changed; /* its flags differ from what was told */
};

struct mailbox {
	struct maildir_folder *folder;
	char *name; /* of the folder */
	bool read_only;
	uint32_t validity;
	struct mailbox_message *message;
	size_t count, room, told; /* told: the number in the last EXISTS */
	size_t gone;		  /* how many are */
	bool changes;		  /* any has changed set */
	bool stale;		  /* the folder's list is not what it was when they were compared */
	size_t folder_count;
	uint32_t folder_next;
	int64_t looked; /* when the disk was looked at last; see clock.h */
	struct flag_names names, told_names;
};

/* Opens a folder and takes in what is there; nothing is told.  NULL: errno. */
struct mailbox *mailbox_open(struct session *session, const char *folder, bool read_only);
void mailbox_close(struct mailbox **box);

/* Looks at the disk.  -1: errno; ESTALE when the mailbox is not the same any more (deleted, or its
 * UIDVALIDITY is another one): the session must end. */
int mailbox_refresh(struct mailbox *box);

/* Tells what is new: EXPUNGE only where it may be told, then EXISTS and RECENT, then flags. */
void mailbox_tell(struct session *session, bool expunges);

/* mailbox_refresh and mailbox_tell; when the mailbox is gone the session leaves. */
void mailbox_news(struct session *session, bool expunges);

/* FLAGS and PERMANENTFLAGS, when they are not what was told. */
void mailbox_tell_flags(struct session *session, bool always);

/* The place of the UID, or of the first above it. */
size_t mailbox_find(const struct mailbox *box, uint32_t uid);

/* The message as the folder has it; false: it is gone. */
bool mailbox_message(const struct mailbox *box, size_t place, struct maildir_message *message_r);

/* Notes that the client is told the flags that the folder has now (in an answer of its own). */
void mailbox_told(struct mailbox *box, size_t place);

/* "* 5 FETCH (UID 7 FLAGS (\Seen))" and its line end. */
void mailbox_put_flags(struct session *session, size_t place, bool uid, struct mdtext *out);

/*
 * The messages that a command names: a set of numbers, of UIDs, or "$".  BAD when a number is beyond
 * the mailbox.
 */
struct picked {
	struct sequence set;
	bool by_uid;
	size_t range, place;
};
bool mailbox_pick(struct session *session, struct word set, bool by_uid, struct picked *picked_r);
/* The next place, rising; false: that was the last. */
bool picked_next(const struct mailbox *box, struct picked *picked, size_t *place_r);
/* All that there are. */
void mailbox_pick_all(const struct mailbox *box, struct picked *picked_r);
void picked_clear(struct picked *picked);

#endif
