/*
 * maildir.h: a Maildir with its folders, messages, flags and UIDs.
 *
 * A leaf library: it logs nothing and never exits; it runs as the mail user.  The protocols ask it
 * for facts about messages and for their bytes; only here are files of a Maildir opened, all of them
 * by openat(2) below the Maildir with O_NOFOLLOW.  How other programs may edit underneath, and what
 * is promised then, is told at the head of sync.c.
 *
 * Functions that return int give 0, or -1 with errno set, unless they say otherwise.
 */
#ifndef MAILDIR_MAILDIR_H
#define MAILDIR_MAILDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "maildir/message/texts.h"

struct maildir;
struct maildir_folder;
struct maildir_reader;
struct search_question;
struct mdtext;
struct mime;

/* --- the Maildir --- */

/*
 * Makes an empty Maildir (cur, new, tmp; mode 0700) at path if there is none; its parent must
 * exist.  An existing one, or a missing part of it, is completed; 0 also for one that lacks parts and can only be
 * read.
 */
int maildir_create(const char *path);

/*
 * Opens the Maildir at path.  errno is ENOENT when it is none (has neither cur nor new).
 * host and pid name this process to other programs, in dovecot-uidlist.lock ("pid:host").
 */
int maildir_open(const char *path, const char *host, struct maildir **md_r);
void maildir_close(struct maildir **md);

/*
 * Things worth a line in the administrator's log: one message that cannot be read, a damaged
 * dovecot-uidlist.  text is one line without newline, and may hold file names as they are (the
 * log escapes).  NULL: nobody listens.
 */
void maildir_on_notice(struct maildir *md, void (*notice)(void *ctx, const char *text), void *ctx);

/*
 * Whether to give up reading messages: stop(ctx) is asked after every few MiB, which is some ms.  After it has said
 * true every function that reads a message fails with ECANCELED, until this is called again.  Deliveries
 * and changes go on.
 */
void maildir_on_stop(struct maildir *md, bool (*stop)(void *ctx), void *ctx);

/* --- folders: Maildir++ --- */

/*
 * Calls each(ctx, name) for every folder: "INBOX" first, then "Sub/Folder" for .Sub.Folder, in byte
 * order.  Names are as on disk (modified UTF-7 is not decoded here).  each returns false to stop.
 */
int maildir_folders(struct maildir *md, bool (*each)(void *ctx, const char *name), void *ctx);

/*
 * Opens the folder's message list without looking at the disk yet (maildir_sync does).  Names that
 * Maildir++ cannot hold ("..", empty parts, a dot in a part, over 200 octets) give EINVAL; ENOENT
 * when there is no such folder.
 */
int maildir_folder_open(struct maildir *md, const char *name, struct maildir_folder **folder_r);
void maildir_folder_close(struct maildir_folder **folder);

/* Makes the folder (and the file maildirfolder in it).  EEXIST, EINVAL as above. */
int maildir_folder_create(struct maildir *md, const char *name);

/* --- sessions --- */

/*
 * Locks the folder for a POP3 session, without waiting: EAGAIN when another has it.  The lock dies
 * with the process or with maildir_folder_close.
 */
int maildir_session_lock(struct maildir_folder *folder);

/* --- messages --- */

enum maildir_flag {		  /* the standard flags of a file name, ":2," */
	MAILDIR_PASSED = 1 << 0,  /* P */
	MAILDIR_REPLIED = 1 << 1, /* R */
	MAILDIR_SEEN = 1 << 2,	  /* S */
	MAILDIR_TRASHED = 1 << 3, /* T */
	MAILDIR_DRAFT = 1 << 4,	  /* D */
	MAILDIR_FLAGGED = 1 << 5, /* F */
};

/* What is known of a message without opening it.  Its name in this library is its UID. */
struct maildir_message {
	uint32_t uid;
	uint32_t flags;	     /* enum maildir_flag */
	uint64_t keywords;   /* bit n: keyword number n, see maildir_keyword_names */
	uint64_t modseq;     /* RFC 7162: of its last change */
	uint32_t pop3_order; /* saved in dovecot-uidlist (O), or 0 */
	bool has_pop3_uidl;  /* maildir_pop3_uidl has one */
	bool octets_known;   /* else ask maildir_size */
	bool newline;
	uint64_t octets; /* with newline: what maildir_size would give */
};

/*
 * Brings the folder up to date with the disk and with what other sessions did: new mail moves from
 * new/ to cur/ and gets UIDs, which are on disk before this returns; messages whose files are gone
 * (seen twice) leave.  An unchanged folder costs a few system calls, whatever its size.  -1: nothing
 * changed in memory (ENOLCK, EIO...).
 *
 * Where nothing can be written -- a full disk, a file system or a tree for reading only -- messages that have
 * a UID are served all the same.  Those without wait, and get one with the first call that can write it.
 * -1 then only when no UID is known at all, or all are to be other ones.
 */
int maildir_sync(struct maildir_folder *folder);

/* 0: messages can be changed and removed.  Else why not: EROFS, EACCES. */
int maildir_read_only(const struct maildir_folder *folder);

/*
 * Milliseconds after which maildir_sync should be called though nothing was heard, because a change
 * may have escaped the times of the directories; -1: no need.
 */
int maildir_look_again(const struct maildir_folder *folder);

/* The messages: by rising UID, at places from 0. */
size_t maildir_count(const struct maildir_folder *folder);
/* false: there is none, or see maildir_broken. */
bool maildir_message(
    struct maildir_folder *folder, size_t place, struct maildir_message *message_r);
/* By its UID.  false: it is not there (any more). */
bool maildir_lookup(struct maildir_folder *folder, uint32_t uid, struct maildir_message *message_r);
/*
 * Whether what is known of the folder was found damaged, or was cut, since the last sync: answers may lack, and places
 * may be wrong, so a session whose client counts on them must end.  Mail, flags and UIDs are not concerned: the next sync
 * rebuilds it, and says MAILDIR_ANEW.
 */
bool maildir_broken(const struct maildir_folder *folder);
/* The place of the message with that UID, or of the first above it; maildir_count: there is none. */
size_t maildir_find(const struct maildir_folder *folder, uint32_t uid);

uint32_t maildir_uidvalidity(const struct maildir_folder *folder);
uint32_t maildir_uidnext(const struct maildir_folder *folder);

/* What STATUS asks, without a look at each message. */
struct maildir_counts {
	size_t messages, unseen, deleted;
	uint64_t octets;   /* on the wire */
	bool octets_known; /* of all; else maildir_size must be asked for each */
};
void maildir_counts(struct maildir_folder *folder, struct maildir_counts *counts_r);
/* The place of the first message without MAILDIR_SEEN; maildir_count: there is none. */
size_t maildir_first_unseen(struct maildir_folder *folder);

/*
 * Who keeps something for each message hears what becomes of them, from within maildir_sync and from
 * any call that changes or looks for a message.  New messages are not told: they are behind all
 * others, see maildir_count.  The folder must not be called from there.
 */
enum maildir_change {
	MAILDIR_CHANGED, /* its flags or keywords */
	MAILDIR_GONE,	 /* it is not in the list any more */
	MAILDIR_BACK,	 /* it was gone, and is in the list again under its UID, among the others:
			    its file came back */
	MAILDIR_ANEW,	 /* uid is 0: all UIDs are other ones (a new UIDVALIDITY), or the list is
			    not what it was in ways that cannot be told */
};
void maildir_on_change(struct maildir_folder *folder,
    void (*change)(void *ctx, enum maildir_change change, uint32_t uid), void *ctx);

/* --- modification sequences (RFC 7162) --- */

/* Not below any message's modseq, and never below what it was. */
uint64_t maildir_highest_modseq(const struct maildir_folder *folder);

/*
 * Calls each(ctx, uid) for messages that were expunged after that modseq, by rising modseq.  false:
 * not all of them are remembered so far back, and nothing was called; then every UID that is not there
 * counts as expunged.
 */
bool maildir_vanished(struct maildir_folder *folder, uint64_t since,
    void (*each)(void *ctx, uint32_t uid), void *ctx);

/* --- what is known of a message for ever, once it was looked at --- */

/*
 * When the message came here (INTERNALDATE): its file's modification time.  IMAP can write the years 0 to 9999
 * only: a time outside them becomes the nearest inside.  -1: the message is gone.
 */
int maildir_date(struct maildir_folder *folder, uint32_t uid, time_t *date_r);
/* When it was put into this folder (RFC 8514). */
int maildir_save_date(struct maildir_folder *folder, uint32_t uid, time_t *date_r);

/* RFC 8474: letters, digits, "_" and "-".  Copies of a message have the same; so has a folder that
 * was renamed. */
enum { MAILDIR_ID_SIZE = 256 };
int maildir_message_id(struct maildir_folder *folder, uint32_t uid, char id_r[MAILDIR_ID_SIZE]);
int maildir_folder_id(struct maildir_folder *folder, char id_r[MAILDIR_ID_SIZE]);

/* What dovecot-uidlist has for POP3 (P): one to 70 characters of RFC 1939.  false: nothing. */
enum { MAILDIR_UIDL_SIZE = 71 };
bool maildir_pop3_uidl(struct maildir_folder *folder, uint32_t uid, char uidl_r[MAILDIR_UIDL_SIZE]);
/* What other servers tell there: the base name of the message's file; guid: that of the message that it
 * is a copy of, which then several have.  false: POP3 does not allow it. */
bool maildir_name_uidl(
    struct maildir_folder *folder, uint32_t uid, bool guid, char uidl_r[MAILDIR_UIDL_SIZE]);

/*
 * The exact number of octets that maildir_reader will give for the message: its file with every
 * bare LF as CRLF.  *newline_r says whether it ends in a line end (an empty message does not).
 * Computed by reading the file unless it is remembered.  -1: the message cannot be read (ENOENT: gone;
 * EACCES; EINVAL: not a regular file; a notice was given).
 */
int maildir_size(struct maildir_folder *folder, uint32_t uid, uint64_t *octets_r, bool *newline_r);
/* The same of the file as it is at this moment: for who is going to send all of it. */
int maildir_exact_size(
    struct maildir_folder *folder, uint32_t uid, uint64_t *octets_r, bool *newline_r);

/* All of it is going to be asked for, of each message: then one is read once, and not for each thing. */
void maildir_expect(struct maildir_folder *folder, bool all);
/* Appends it to out.  -1 as maildir_size; EFBIG: MAILDIR_DECODED is not made of fields that long. */
int maildir_text(
    struct maildir_folder *folder, uint32_t uid, enum maildir_text text, struct mdtext *out);

/*
 * Remembers what was learned of messages since, for all sessions to come.  To be called after each
 * command; cheap when nothing was learned.  That it cannot be written costs only time.  false: others have
 * the folder, and it is kept in memory for the next call.
 */
bool maildir_remember(struct maildir_folder *folder);
/* Whether there is something to remember, which takes time: a client may get its answer before. */
bool maildir_has_learned(const struct maildir_folder *folder);
/*
 * Learns ahead: up to count messages of which something is not known yet are read, and some more looked
 * at.  Gives how many are left, or -1 (EROFS: nothing can be kept here).
 */
ssize_t maildir_learn(struct maildir_folder *folder, size_t count);

/*
 * \Recent: messages with this UID and above were not yet told as new to any IMAP session.
 * maildir_claim_recent also notes that they are now, so that they are told in one session only.
 */
int maildir_recent(struct maildir_folder *folder, uint32_t *from_r);
int maildir_claim_recent(struct maildir_folder *folder, uint32_t *from_r);

/* --- octets --- */

/*
 * Opens a message for reading: -1 as maildir_size.  The bytes are CRLF lines.  One that is renamed
 * (flags) while open reads on; one that is shortened underneath gives EIO.
 */
int maildir_reader_open(struct maildir_folder *folder, uint32_t uid, struct maildir_reader **r);
/* Passes over octets (fewer when it ends before). */
int maildir_reader_skip(struct maildir_reader *reader, uint64_t octets);
/* Up to size octets: > 0, 0 at the end, -1 with errno. */
ssize_t maildir_reader_read(struct maildir_reader *reader, void *buf, size_t size);
void maildir_reader_close(struct maildir_reader **reader);

/* Reads a message for its structure: mime.h.  -1: as maildir_reader_open and _read, or ENOMEM. */
int maildir_mime(struct maildir_folder *folder, uint32_t uid, struct mime **mime_r);
/*
 * Answers all questions about a message in one reading of it, or as little of it as is needed: match.h.
 * -1: as maildir_reader_open and _read, or ENOMEM; looking counts for maildir_on_stop as reading does.
 */
int maildir_search(
    struct maildir_folder *folder, uint32_t uid, struct search_question *matches, size_t count);

/* --- changes --- */

/*
 * Changes come in batches: begin takes the folder's lock and takes in what others did, end tells all
 * other sessions, makes it last (fsync) and gives the lock back.  A batch should be over within a second
 * or so: others wait.  maildir_flags and maildir_remove outside of a batch are one of their own.
 */
int maildir_change_begin(struct maildir_folder *folder);
int maildir_change_end(struct maildir_folder *folder);

/*
 * After hold the ends of batches wait for settle, which ends them all as one: for changes that come one
 * by one in a burst.  The lock is held meanwhile; other calls for the folder are as within a batch.  A call
 * that takes a lock for another handle, of this folder or of any, settles first.  -1: as
 * maildir_change_end, of any of them, settled here or by such a call.
 */
void maildir_change_hold(struct maildir_folder *folder);
int maildir_change_settle(struct maildir_folder *folder);

struct maildir_flag_change {
	uint32_t add, remove; /* enum maildir_flag */
	uint64_t add_keywords, remove_keywords;
};
/*
 * Changes flags and keywords of a message by renaming its file, whatever name other programs have
 * given it meanwhile; what others changed stays.  ENOENT: the message is gone.
 * ESTALE: all UIDs are other ones.
 */
int maildir_flags(
    struct maildir_folder *folder, uint32_t uid, const struct maildir_flag_change *change);

/* Removes the message's file.  0 also when it is gone already.  ESTALE: all UIDs are other ones.  EIO: the
 * folder could not be looked at well enough to know whether it is gone. */
int maildir_remove(struct maildir_folder *folder, uint32_t uid);

/* --- keywords --- */

/* 26 are letters of file names, named in dovecot-keywords; the others are in sallyport.keywords. */
enum { MAILDIR_KEYWORDS = 64 };

/* The names behind all numbers, NULL where there is none, until the next call about keywords. */
void maildir_keyword_names(struct maildir_folder *folder, const char *names_r[MAILDIR_KEYWORDS]);

/* The number that a name has, or -1. */
int maildir_keyword_find(struct maildir_folder *folder, const char *name);

/* The number for a name; when there is none yet it is written down.  -1: ERANGE when all are taken,
 * EINVAL for what can be no keyword, or the file cannot be written: ENOSPC, ENOLCK... */
int maildir_keyword_make(struct maildir_folder *folder, const char *name);

#endif
