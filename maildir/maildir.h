/*
 * maildir.h: a Maildir with its folders, messages, flags and UIDs.
 *
 * The library logs nothing and never exits; it runs as the mail user.  The protocols ask it for facts about
 * messages and for their octets.  Only it opens files of a Maildir, all of them by openat(2) below the Maildir with
 * O_NOFOLLOW.  The head of sync.c tells how other programs may change the Maildir meanwhile, and what is promised
 * then.
 *
 * Functions that return int give 0, or -1 with errno set, if their comment says nothing else.  A folder belongs to
 * its Maildir, which must stay open; a reader or a delivery belongs to its folder.  In functions with a folder and
 * a UID, errno is ENOENT if the folder has no message of that UID any more.
 *
 * In this order: the Maildir, its folders, the list of a folder's messages, what is known of a message, its octets,
 * changes, keywords.
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
struct mdbuf;
struct mime;

/* --- the Maildir --- */

/*
 * Makes an empty Maildir (cur, new, tmp; mode 0700) at path, whose parent must exist, or the missing parts of one.
 * It is no error that an existing Maildir lacks parts and cannot be written.
 */
int maildir_create(const char *path);

/*
 * Opens the Maildir at path.  ENOENT: it is no Maildir, for it has neither cur nor new.  host and the pid name this
 * process to other programs, in dovecot-uidlist.lock ("pid:host") and in names of new files.
 */
int maildir_open(const char *path, const char *host, struct maildir **md_r);
/*
 * Sets the path by which the administrator knows the Maildir, for notices; it is the path of maildir_open unless this
 * process has another root directory.  Returns 0; -1: no memory.
 */
int maildir_known_as(struct maildir *md, const char *path);
/* Closes the Maildir, after all its folders. */
void maildir_close(struct maildir **md);

/*
 * Calls notice(ctx, text) for what deserves a line in the administrator's log: a message that cannot be read, a damaged
 * dovecot-uidlist.  text is one line without a newline.  It may hold file names as they are, so the log must escape it.
 */
void maildir_on_notice(struct maildir *md, void (*notice)(void *ctx, const char *text), void *ctx);

/*
 * Calls stop(ctx) after every few MiB of messages that are read, which is a few ms.  Once stop has returned true all
 * functions that read messages fail with ECANCELED, until this function is called again.  Deliveries and changes go on.
 */
void maildir_on_stop(struct maildir *md, bool (*stop)(void *ctx), void *ctx);

/* --- folders: Maildir++ --- */

/*
 * Calls each(ctx, name) for every folder: first "INBOX", then "Sub/Folder" for .Sub.Folder, in byte order.  Names
 * are in modified UTF-7.  each returns false to stop.
 */
int maildir_folders(struct maildir *md, bool (*each)(void *ctx, const char *name), void *ctx);

/*
 * Opens a folder, without a look at its messages; maildir_sync looks.  ENOENT: there is no such folder.  EINVAL:
 * Maildir++ cannot have the name, since it has an empty part, a dot in a part, or a part of over 200 octets.
 */
int maildir_folder_open(struct maildir *md, const char *name, struct maildir_folder **folder_r);
void maildir_folder_close(struct maildir_folder **folder);

/* Makes a folder.  EEXIST: there is one of that name; EINVAL as above. */
int maildir_folder_create(struct maildir *md, const char *name);

/*
 * Locks the folder for a POP3 session, until maildir_folder_close or the end of the process.  Does not wait: EAGAIN if
 * another session has the lock.
 */
int maildir_session_lock(struct maildir_folder *folder);

/* --- the list of messages --- */

enum maildir_flag {		  /* the standard flags of a file name, ":2," */
	MAILDIR_PASSED = 1 << 0,  /* P */
	MAILDIR_REPLIED = 1 << 1, /* R */
	MAILDIR_SEEN = 1 << 2,	  /* S */
	MAILDIR_TRASHED = 1 << 3, /* T */
	MAILDIR_DRAFT = 1 << 4,	  /* D */
	MAILDIR_FLAGGED = 1 << 5, /* F */
};

/* Facts about a message that are known without opening it.  All functions name a message by its UID. */
struct maildir_message {
	uint32_t uid;
	uint32_t flags;	     /* enum maildir_flag */
	uint64_t keywords;   /* bit n: keyword number n, see maildir_keyword_names */
	uint64_t modseq;     /* RFC 7162: of its last change */
	uint32_t pop3_order; /* its number for POP3 in dovecot-uidlist (O), or 0 */
	bool has_pop3_uidl;  /* maildir_pop3_uidl has a UIDL for it */
	bool octets_known;   /* octets and newline are set; else maildir_size tells */
	bool newline;	     /* as maildir_size */
	uint64_t octets;     /* on the wire, as maildir_size */
};

/*
 * Brings the list up to date with the disk and with the changes of other sessions.  New mail moves from new/ to
 * cur/ and gets UIDs, which are on the disk before this returns; a message leaves the list if two looks do not find
 * its file.  If nothing has changed this costs a few system calls, whatever the size of the folder.  -1: the list
 * is as it was (ENOLCK, EIO...).
 *
 * If nothing can be written (a full disk, a read-only file system or tree) the list has the messages with UIDs.
 * The others wait for the first call that can write.  It fails only if no UID is known at all, or if all messages
 * need new ones.
 */
int maildir_sync(struct maildir_folder *folder);

/* Returns 0 if messages can be changed and removed, else the errno of why not: EROFS, EACCES. */
int maildir_read_only(const struct maildir_folder *folder);

/*
 * Returns the milliseconds after which maildir_sync should be called even if no change was seen, because the times
 * of the directories may not show a change; -1: no call is needed.
 */
int maildir_look_again(const struct maildir_folder *folder);

/* The list has maildir_count messages, sorted by UID, at places from 0. */
size_t maildir_count(const struct maildir_folder *folder);
/* false: there is no message at that place, or see maildir_broken. */
bool maildir_message(
    struct maildir_folder *folder, size_t place, struct maildir_message *message_r);
/* The same by UID. */
bool maildir_lookup(struct maildir_folder *folder, uint32_t uid, struct maildir_message *message_r);
/*
 * Returns whether the index of the folder was found damaged or cut since the last sync.  Then answers may be missing
 * and places may be wrong, so a session whose client counts on places must end.  Mail, flags and UIDs are safe: the
 * next sync rebuilds the index and reports MAILDIR_REPLACED.
 */
bool maildir_broken(const struct maildir_folder *folder);
/* Gives the place of the first message whose UID is not below uid, or maildir_count. */
size_t maildir_find(const struct maildir_folder *folder, uint32_t uid);

uint32_t maildir_uidvalidity(const struct maildir_folder *folder);
/* Gives the UID that the next new message gets. */
uint32_t maildir_uidnext(const struct maildir_folder *folder);

/* The numbers for STATUS; getting them does not look at each message. */
struct maildir_counts {
	size_t messages, unseen, deleted;
	uint64_t octets;   /* on the wire, of all messages whose octets are known */
	bool octets_known; /* which are all of them; else maildir_size tells of each */
};
void maildir_counts(struct maildir_folder *folder, struct maildir_counts *counts_r);
/* Gives the place of the first message without MAILDIR_SEEN, or maildir_count. */
size_t maildir_first_unseen(struct maildir_folder *folder);

/*
 * Calls change(ctx, ...) for what becomes of messages, from within maildir_sync and all functions that change or
 * look for a message.  It is not called for new messages: they follow all others, so maildir_count tells of them.
 * change must not call functions of the folder.
 */
enum maildir_change {
	MAILDIR_CHANGED,  /* the message has other flags or keywords */
	MAILDIR_GONE,	  /* it has left the list */
	MAILDIR_BACK,	  /* it had left the list, and is in it again with its UID, since its file
			    came back */
	MAILDIR_REPLACED, /* uid is 0: the list is another, with a new UIDVALIDITY or in ways that
			    cannot be told one by one */
};
void maildir_on_change(struct maildir_folder *folder,
    void (*change)(void *ctx, enum maildir_change change, uint32_t uid), void *ctx);

/* Modification sequences, RFC 7162.  The highest is not below any message's, and never falls. */
uint64_t maildir_highest_modseq(const struct maildir_folder *folder);

/*
 * Calls each(ctx, uid) for every message that was expunged after the modification sequence since, by rising
 * modification sequence.  false: the folder does not remember that far back, and each was not called; then all UIDs
 * that are not in the list count as expunged.
 */
bool maildir_vanished(struct maildir_folder *folder, uint64_t since,
    void (*each)(void *ctx, uint32_t uid), void *ctx);

/*
 * \Recent: gives the first UID that no IMAP session has told its client.  maildir_claim_recent also notes that this
 * session tells its client all messages in its list, so that they are \Recent in no other session.
 */
int maildir_recent(struct maildir_folder *folder, uint32_t *from_r);
int maildir_claim_recent(struct maildir_folder *folder, uint32_t *from_r);

/* --- ids and dates: they never change --- */

/*
 * INTERNALDATE: the modification time of the message's file.  IMAP can write the years 0 to 9999 only, so a time
 * outside becomes the nearest inside.
 */
int maildir_date(struct maildir_folder *folder, uint32_t uid, time_t *date_r);
/* Gives the time at which the message was put into this folder (RFC 8514). */
int maildir_save_date(struct maildir_folder *folder, uint32_t uid, time_t *date_r);

/*
 * RFC 8474: letters, digits, "_" and "-", and a NUL.  Copies of a message have the same id; a folder keeps its id
 * when it is renamed.
 */
enum { MAILDIR_ID_SIZE = 256 };
int maildir_message_id(struct maildir_folder *folder, uint32_t uid, char id_r[MAILDIR_ID_SIZE]);
int maildir_folder_id(struct maildir_folder *folder, char id_r[MAILDIR_ID_SIZE]);

/* Gives the UIDL for POP3 that dovecot-uidlist has (P): 1 to 70 characters of RFC 1939.  false: it has none. */
enum { MAILDIR_UIDL_SIZE = 71 };
bool maildir_pop3_uidl(struct maildir_folder *folder, uint32_t uid, char uidl_r[MAILDIR_UIDL_SIZE]);
/*
 * Gives the UIDL that other servers make of names: the base name of the message's file, or with guid that of the
 * message that it is a copy of, which several copies share.  false: POP3 does not allow that name.
 */
bool maildir_name_uidl(
    struct maildir_folder *folder, uint32_t uid, bool guid, char uidl_r[MAILDIR_UIDL_SIZE]);

/* --- sizes and texts: reading a message tells them, and the folder remembers --- */

/*
 * Gives the exact number of octets that maildir_reader_read gives: those of the file, with every bare LF as CRLF.
 * *newline_r: the message ends in a line end, which an empty one does not.  If the size is not known yet the message is
 * read.  -1: it cannot be read: EACCES, EINVAL (not a regular file), EIO...; a notice says so.
 */
int maildir_size(struct maildir_folder *folder, uint32_t uid, uint64_t *octets_r, bool *newline_r);
/* Does the same for the file as it is now, for a caller that is going to send all of it. */
int maildir_exact_size(
    struct maildir_folder *folder, uint32_t uid, uint64_t *octets_r, bool *newline_r);

/*
 * Says whether the caller is going to ask for all that is known of each message.  Then a message is read once for
 * all of it, and not once for each thing.
 */
void maildir_expect_all(struct maildir_folder *folder, bool all);
/* Appends a text to out.  -1: as maildir_size; EFBIG: the fields are too long for a MAILDIR_DECODED. */
int maildir_text(
    struct maildir_folder *folder, uint32_t uid, enum maildir_text text, struct mdbuf *out);

/*
 * Saves what this session found out about messages, for all sessions to come.  To be called after each command; it
 * costs next to nothing if there is nothing to save, and an error costs only the time to read messages again.
 * false: another session has the folder's lock, and the next call saves.
 */
bool maildir_save_findings(struct maildir_folder *folder);
/* Returns whether there is something to save.  Saving takes time, so a caller may answer its client first. */
bool maildir_has_findings(const struct maildir_folder *folder);
/*
 * Reads ahead up to count messages of which some fact is not known yet, and passes over messages that need no reading.
 * Returns how many messages of the list it has not looked at, or -1 (EROFS: nothing can be saved here).
 */
ssize_t maildir_read_ahead(struct maildir_folder *folder, size_t count);

/* --- octets --- */

/*
 * Opens a message for reading.  -1 as maildir_size.  Lines end in CRLF.  The reader stays at its file when that is
 * renamed or removed.  It gives EIO if another program shortens the file.
 */
int maildir_reader_open(struct maildir_folder *folder, uint32_t uid, struct maildir_reader **r);
/* Passes over octets; if the message has fewer it passes over those. */
int maildir_reader_skip(struct maildir_reader *reader, uint64_t octets);
/* Reads up to size octets.  Returns how many; 0 at the end. */
ssize_t maildir_reader_read(struct maildir_reader *reader, void *buf, size_t size);
void maildir_reader_close(struct maildir_reader **reader);

/* Reads a message for its structure: mime.h.  -1: as maildir_reader_open and _read, or ENOMEM. */
int maildir_mime(struct maildir_folder *folder, uint32_t uid, struct mime **mime_r);
/*
 * Answers all questions about a message (search.h) in one reading, of as little of it as the answers need.  -1: as
 * maildir_reader_open and _read, or ENOMEM.  For maildir_on_stop octets that are looked at count as octets that are
 * read.
 */
int maildir_search(
    struct maildir_folder *folder, uint32_t uid, struct search_question *matches, size_t count);

/* --- changes --- */

struct maildir_flag_change {
	uint32_t add, remove; /* enum maildir_flag */
	uint64_t add_keywords, remove_keywords;
};
/*
 * Changes flags and keywords of a message by renaming its file, whatever name other programs have given it meanwhile;
 * other flags stay as they are.  ESTALE: all messages have new UIDs.
 */
int maildir_flags(
    struct maildir_folder *folder, uint32_t uid, const struct maildir_flag_change *change);

/*
 * Removes the message's file.  It is no error if it is gone already.  ESTALE: all messages have new UIDs.  EIO: we
 * could not look at the folder well enough to know whether the file is gone.
 */
int maildir_remove(struct maildir_folder *folder, uint32_t uid);

/*
 * Many changes are one batch.  begin takes the folder's lock and the changes of others; end tells all other
 * sessions, puts the changes on the disk and gives the lock back.  A batch should be over within a second or so,
 * since others wait.  Outside of a batch maildir_flags and maildir_remove are a batch of their own.
 */
int maildir_change_begin(struct maildir_folder *folder);
int maildir_change_end(struct maildir_folder *folder);

/*
 * Make one batch of a burst of batches: after hold, the end of each batch waits for settle, which ends all of them.  The
 * session holds the lock until then, and other functions of the folder work as within a batch.  A function that takes
 * the lock of another open folder settles first.  settle returns -1 if the end of any of these batches failed, also of
 * batches that such a function has settled.
 */
void maildir_change_hold(struct maildir_folder *folder);
int maildir_change_settle(struct maildir_folder *folder);

/* --- keywords --- */

/* A keyword of a folder has a number.  0 to 25 are letters of file names, named in dovecot-keywords; the others are in
 * sallyport.keywords. */
enum { MAILDIR_KEYWORDS = 64 };

/* Gives the names of all numbers; NULL if a number has none.  They live until the next call about keywords. */
void maildir_keyword_names(struct maildir_folder *folder, const char *names_r[MAILDIR_KEYWORDS]);

/* Gives the number of a name, or -1. */
int maildir_keyword_find(struct maildir_folder *folder, const char *name);

/*
 * Gives the number of a name, and writes the name down if it has none yet.  -1: ERANGE, all numbers are taken;
 * EINVAL, the name can be no keyword; or the file cannot be written (ENOSPC, ENOLCK...).
 */
int maildir_keyword_make(struct maildir_folder *folder, const char *name);

#endif
