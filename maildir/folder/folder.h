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

/* As maildir_open, if usable says so of the directory; else errno is as usable left it. */
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
	struct index *index;	      /* what is known of it */
	struct folder_texts *texts;   /* texts of the message that was read last, or NULL */
	struct findings *findings;    /* what is not in the index yet, or NULL */
	struct maildir_watch *watch;  /* of this folder, or NULL */
	struct file_stamp cur_before; /* of cur/, before a batch changed it */
	bool odd_told;		      /* a notice said what lies in it and is no message */
	bool waits_told;	      /* a notice said that messages wait for a UID */
	bool hold;		      /* ends of batches wait for maildir_change_settle */
	int held_error;		      /* errno of one that mdlock_take has ended, or 0 */
	bool changed_cur;	      /* by the batch: to be fsynced */
	bool changed_new;
	struct keywords *keywords;
	struct numbered_message *more_change; /* of the batch, not written yet */
	size_t more_changes, more_room;
	struct mdarena more_bases;
	bool synced; /* the batch began with all of the folder known */
	/* A message that was opened to find its size, for who will read it; or NULL. */
	struct maildir_reader *ahead;
	uint32_t ahead_uid, ahead_validity;
	void (*change)(void *ctx, enum maildir_change change, uint32_t uid);
	void *change_ctx;
};

/* Writes keywords down as numbered_store, with what the index says of the file. */
struct numbered_message;
int folder_store_keywords(
    struct maildir_folder *folder, const struct numbered_message *message, size_t count);
/* As maildir_keyword_make, under the folder's lock; locked: with dovecot-uidlist.lock, too. */
int folder_add_keyword(struct maildir_folder *folder, const char *name, bool locked);

/* The message of that UID, with its file's name; -1: ENOENT, or EIO when the index is damaged, and cannot say. */
struct index_message;
int message_find(struct maildir_folder *folder, uint32_t uid, struct index_message *message_r);
/*
 * Its file is not where it was: looks where it is now.  ENOENT: it is gone; ESTALE: all UIDs are other ones.
 * The list may be another after.
 */
int message_locate(struct maildir_folder *folder, uint32_t uid, struct index_message *message_r);
/* It has another name in cur/ now, and the flags that it says: into the index, in a batch. */
int message_renamed(
    struct maildir_folder *folder, const struct index_message *message, const char *name);
/* The lines of sallyport.special-use follow a folder and those below it to its new name; to NULL: it is deleted. */
int special_use_follow(struct maildir *md, const char *from, const char *to);

/* Opens cur, new or tmp, and makes a missing one.  ENOENT: the folder is not in its place any more. */
int folder_open_part(struct maildir_folder *folder, const char *part);
/* Opens cur and new again, as they are called now.  A descriptor is -1 if its directory is missing and cannot be
 * made. */
int folder_open_dirs(struct maildir_folder *folder);
/* A directory of enum entry_dir, opened if it is not yet.  The descriptor is the folder's. */
int folder_dir(struct maildir_folder *folder, unsigned dir);

#endif
