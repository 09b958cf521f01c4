/*
 * folder.h: a folder as the files of this room share it, and its list of messages.
 */
#ifndef MAILDIR_FOLDER_FOLDER_H
#define MAILDIR_FOLDER_FOLDER_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "maildir/base/buf.h"
#include "maildir/base/clock.h"
#include "maildir/base/dir.h"
#include "maildir/base/file.h"
#include "maildir/base/lock.h"
#include "maildir/base/name.h"
#include "maildir/base/root.h"
#include "maildir/base/uid_record.h"
#include "maildir/folder/folders.h"
#include "maildir/maildir.h"
#include "maildir/uids/uidlist.h"

/* Opens a Maildir as maildir_open does, if usable(fd) accepts its directory.  -1: also errno as usable has set it. */
int maildir_open_if(
    const char *path, const char *host, bool (*usable)(int fd), struct maildir **md_r);
/* The nearest time in the years 0 to 9999. */
time_t maildir_calendar(int64_t time);
/* Which directory a message's file is in. */
enum entry_dir {
	ENTRY_CUR,
	ENTRY_NEW,
	ENTRY_DIRS,
};

struct maildir_folder {
	struct mddir home;
	int dir[ENTRY_DIRS];	      /* cur, new; -1 until first needed, see folder_dir */
	int session_fd;		      /* holds the session's lock, or -1 */
	struct index *index;	      /* what is known of its messages */
	struct folder_texts *texts;   /* texts of the message that was read last, or NULL */
	struct findings *findings;    /* what was read and is not in the index yet, or NULL */
	struct maildir_watch *watch;  /* of this folder, or NULL */
	struct file_stamp cur_before; /* of cur/, before a batch changed it */
	bool odd_told;		      /* a notice has reported files that are no messages */
	bool waits_told;	      /* a notice has reported that messages wait for a UID */
	bool hold;		      /* the end of a batch waits for maildir_change_settle */
	int held_error;		      /* errno of a held batch that mdlock_take has ended, or 0 */
	bool changed_cur;	      /* the batch has changed cur/, which is to be fsynced */
	bool changed_new;	      /* the same of new/ */
	struct keywords *keywords;
	struct numbered_message *more_change; /* keywords that the batch has still to write */
	size_t more_changes, more_room;
	struct mdarena more_bases;
	bool synced; /* the sync at the start of the batch has succeeded */
	/* maildir_exact_size has opened this message for the maildir_reader_open that follows; or NULL. */
	struct maildir_reader *ahead;
	uint32_t ahead_uid, ahead_validity;
	void (*change)(void *ctx, enum maildir_change change, uint32_t uid);
	void *change_ctx;
};

/* Writes keywords to sallyport.keywords as numbered_store does, and notes in the index that the file is known. */
struct numbered_message;
int folder_store_keywords(
    struct maildir_folder *folder, const struct numbered_message *message, size_t count);
/* Does what maildir_keyword_make does, under the folder's lock.  locked: the caller holds dovecot-uidlist.lock, too. */
int folder_add_keyword(struct maildir_folder *folder, const char *name, bool locked);

/* Gives the message of that UID, with its file's name.  -1: ENOENT, or EIO if the index is damaged and cannot tell. */
struct index_message;
int message_find(struct maildir_folder *folder, uint32_t uid, struct index_message *message_r);
/*
 * Looks for a message whose file is not where the index has it, and gives the message as it is now.  ENOENT: the
 * message is gone; ESTALE: all messages have new UIDs.  This is a sync, so places in the list may change.
 */
int message_locate(struct maildir_folder *folder, uint32_t uid, struct index_message *message_r);
/* Writes to the index, in a batch, that the message's file has this name in cur/ now, with the flags of the name. */
int message_renamed(
    struct maildir_folder *folder, const struct index_message *message, const char *name);
/* Renames a folder, and the folders below it, in sallyport.special-use.  to NULL: the folder was deleted. */
int special_use_follow(struct maildir *md, const char *from, const char *to);

/* Opens cur, new or tmp, and makes it if it is missing.  ENOENT: the folder was renamed or deleted. */
int folder_open_part(struct maildir_folder *folder, const char *part);
/* Opens cur and new again by their names, since another directory may have the name now.  A descriptor stays -1 if its
 * directory is missing and cannot be made. */
int folder_open_dirs(struct maildir_folder *folder);
/* Returns the descriptor of cur or new (enum entry_dir), and opens it if need be.  The folder keeps it. */
int folder_dir(struct maildir_folder *folder, unsigned dir);

#endif
