/*
 * mailbox.h: the selected mailbox as its client knows it: which message has which number, and what
 * was told of its flags.
 *
 * The folder (maildir.h) is as it is now; the client hears of changes only when the protocol lets it.
 * The client knows the folder's list up to the last UID that was told to it, and with it the
 * messages that are gone from there and not told as expunged yet.  So only the differences are kept
 * here, and numbers are found by search: a message's place, counted from 0, is that in the folder, with
 * the UIDs below it that are gone and without those that are hidden.
 */
#ifndef SERVER_IMAP_MAILBOX_H
#define SERVER_IMAP_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/maildir.h"
#include "server/imap/flags.h"
#include "server/imap/sequence.h"
#include "server/imap/uidset.h"

struct session;

struct mailbox {
	struct maildir_folder *folder;
	char *name;	  /* of the folder */
	bool read_only;	  /* EXAMINE */
	bool told_closed; /* the client was told that nothing can be changed */
	uint32_t validity;
	size_t count;	      /* messages that the client knows of */
	uint32_t next;	      /* above their UIDs */
	uint64_t modseq;      /* of the folder when the client knew all of it last */
	struct uidset hidden; /* came back after their expunge was told: not there for the client */
	struct uidset gone;   /* the client has not heard of it */
	struct uidset changed;	/* messages with flags to be told */
	bool all_changed;	/* they were too many: all that changed after modseq */
	bool lost;		/* as mailbox_is_lost last said */
	bool uncounted;		/* the folder has spoken since the sum was compared */
	struct sequence recent; /* UIDs that are \Recent in this session */
	struct flag_names names;
	bool names_stale; /* they may not be those of now */
	bool names_told;  /* they are */
};

/* Opens a folder and takes in what is there; nothing is told.  NULL: errno. */
struct mailbox *mailbox_open(struct session *session, const char *folder, bool read_only);
void mailbox_close(struct mailbox **box);

/*
 * Looks at the disk.  -1: errno; ESTALE when the mailbox is not the same any more (deleted, or its
 * UIDVALIDITY is another one): the session must end.
 */
int mailbox_refresh(struct mailbox *box);

/* Tells what is new: EXPUNGE only where it may be told, then EXISTS and RECENT, then flags. */
void mailbox_tell(struct session *session, bool expunges);

/* mailbox_refresh and mailbox_tell; when the mailbox is gone the session leaves. */
void mailbox_news(struct session *session, bool expunges);

/*
 * Whether no number and no UID is safe any more: the folder has other UIDs, what is known of it was damaged, or memory
 * was short.  A command that looks at messages may find that out at any of them: then there is no message any more.
 */
bool mailbox_is_lost(struct mailbox *box);
/* Whether the client's numbers are what they were; else the session leaves. */
bool mailbox_holds(struct session *session);

/* EXISTS, and RECENT. */
void mailbox_tell_exists(struct session *session);

/* Whether messages can be changed and removed: neither after EXAMINE, nor where the disk does not allow it.  false: the
 * text of a NO is set. */
bool mailbox_may_change(struct session *session, const char *what);

/* FLAGS and PERMANENTFLAGS, when they are not what was told. */
void mailbox_tell_flags(struct session *session, bool always);
/* Asks for the names of keywords again: there may be new ones. */
void mailbox_load_names(struct mailbox *box);

/* The place of the UID, or of the first above it. */
size_t mailbox_find(const struct mailbox *box, uint32_t uid);
/* The UID at a place, also of a message that is gone; 0 when it cannot be told just now. */
uint32_t mailbox_uid(const struct mailbox *box, size_t place);
/* The highest; 0: there is none. */
uint32_t mailbox_last_uid(const struct mailbox *box);

/* The message as it is in the folder now; false: it is gone, or see mailbox_is_lost. */
bool mailbox_message(struct mailbox *box, size_t place, struct maildir_message *message_r);
bool mailbox_is_recent(const struct mailbox *box, uint32_t uid);

/* Notes that the client was told these flags, in an answer of its own. */
void mailbox_told(struct mailbox *box, const struct maildir_message *told);

/* "FLAGS (\Seen)" */
void mailbox_put_flags(
    struct session *session, const struct maildir_message *message, struct mdbuf *out);

/* Parts of a message that are told though no FETCH has asked. */
enum {
	TELL_FLAGS = 1 << 0,
	TELL_UID = 1 << 1,
};
/* "* 5 FETCH (UID 7 FLAGS (\Seen))" and its line end; with CONDSTORE the UID and MODSEQ always. */
void mailbox_put_fetch(struct session *session, const struct maildir_message *message,
    unsigned tell, struct mdbuf *out);

#endif
