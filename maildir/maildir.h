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

struct maildir;
struct maildir_folder;
struct maildir_reader;

/* --- the Maildir --- */

/*
 * Makes an empty Maildir (cur, new, tmp; mode 0700) at path if there is none; its parent must
 * exist.  An existing one, or a missing part of it, is completed.
 */
int maildir_create(const char *path);

/*
 * Opens the Maildir at path.  errno is ENOENT when it is none (cur, new or tmp is missing).
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

/* What is known of a message without opening it. */
struct maildir_message {
	uint32_t uid;
	uint32_t flags;	   /* enum maildir_flag */
	uint32_t keywords; /* bit n: letter 'a' + n of the file name, named in dovecot-keywords */
	const char *pop3_uidl; /* saved in dovecot-uidlist (P), or NULL */
	uint32_t pop3_order;   /* saved in dovecot-uidlist (O), or 0 */
};

/*
 * Brings the list up to date with the disk: new mail moves from new/ to cur/ and gets UIDs, which
 * are on disk before this returns; messages whose files are gone (seen twice) leave the list.
 * Pointers into the list die.  -1: nothing changed in memory (ENOSPC, EDQUOT, ENOLCK, EIO...).
 */
int maildir_sync(struct maildir_folder *folder);

/* The list after maildir_sync: by rising UID, index from 0. */
size_t maildir_count(const struct maildir_folder *folder);
const struct maildir_message *maildir_message(const struct maildir_folder *folder, size_t index);
/* Another number after a sync that took anything new in; the same: the list is as it was. */
uint64_t maildir_generation(const struct maildir_folder *folder);
uint32_t maildir_uidvalidity(const struct maildir_folder *folder);
uint32_t maildir_uidnext(const struct maildir_folder *folder);

/* The message with that UID, or the first above it: its index, maildir_count when there is none. */
size_t maildir_find(const struct maildir_folder *folder, uint32_t uid);

/* When the message came here (INTERNALDATE): its file's modification time.  -1: it is gone. */
int maildir_date(struct maildir_folder *folder, size_t index, time_t *date_r);

/*
 * \Recent: messages with this UID and above were not yet told as new to any IMAP session.
 * maildir_claim_recent also notes that they are now, so that they are told in one session only.
 */
int maildir_recent(struct maildir_folder *folder, uint32_t *from_r);
int maildir_claim_recent(struct maildir_folder *folder, uint32_t *from_r);

/*
 * The exact number of octets that maildir_reader will give for the message: its file with every
 * bare LF as CRLF.  *newline_r says whether it ends in a line end (an empty message does not).
 * Computed by reading the file unless a size known to be right is remembered.  -1: the message
 * cannot be read (ENOENT: gone; EACCES; EINVAL: not a regular file; a notice was given).
 */
int maildir_size(struct maildir_folder *folder, size_t index, uint64_t *octets_r, bool *newline_r);

/* Writes sizes that maildir_size computed to dovecot-uidlist, for the next session. */
int maildir_save_sizes(struct maildir_folder *folder);

/*
 * Opens a message for reading: -1 as maildir_size.  The bytes are CRLF lines.  One that is renamed
 * (flags) while open reads on; one that is shortened underneath gives EIO.
 */
int maildir_reader_open(struct maildir_folder *folder, size_t index, struct maildir_reader **r);
/* Passes over octets (fewer when it ends before). */
int maildir_reader_skip(struct maildir_reader *reader, uint64_t octets);
/* Up to size octets: > 0, 0 at the end, -1 with errno. */
ssize_t maildir_reader_read(struct maildir_reader *reader, void *buf, size_t size);
void maildir_reader_close(struct maildir_reader **reader);

/*
 * Adds and takes away flags and keywords of a message by renaming its file, whatever name other
 * programs have given it meanwhile; what others changed stays.  ENOENT: the message is gone.
 */
int maildir_flags(struct maildir_folder *folder, size_t index, uint32_t add, uint32_t remove,
    uint32_t add_keywords, uint32_t remove_keywords);

/* Removes the message's file.  0 also when it is gone already. */
int maildir_remove(struct maildir_folder *folder, size_t index);

/* Makes removals and renames last: fsync of cur/.  To be called once after a batch. */
int maildir_settle(struct maildir_folder *folder);

/* --- keywords --- */

enum { MAILDIR_KEYWORDS = 26 }; /* the letters a to z of a file name */

/* The names behind all letters, NULL where there is none, until the next call about keywords. */
void maildir_keyword_names(struct maildir_folder *folder, const char *names_r[MAILDIR_KEYWORDS]);

/* The letter that a name has, or -1. */
int maildir_keyword_find(struct maildir_folder *folder, const char *name);

/* The letter for a name; when there is none yet it is added to dovecot-keywords.  -1: ENOSPC when
 * all 26 are taken, or the file cannot be written. */
int maildir_keyword_letter(struct maildir_folder *folder, const char *name);

#endif
