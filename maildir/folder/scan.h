/*
 * scan.h: the files of cur/ and new/, by base name.
 */
#ifndef MAILDIR_FOLDER_SCAN_H
#define MAILDIR_FOLDER_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/base/table.h"
#include "maildir/folder/folder.h"

#define SCAN_NONE TABLE_NONE

struct scan_file {
	const char *name; /* in the scan's arena */
	size_t message;	  /* for the caller: the place of its message, or SCAN_NONE */
	uint32_t rank;	  /* for the caller: its place in a delivery's set, from 1; or 0 */
	unsigned pass;	  /* number of the last pass that saw it */
	uint16_t base_len;
	uint8_t dir; /* enum entry_dir */
	bool twin;   /* the same file has another name with the same base */
};

/* Two names of one base. */
struct scan_pair {
	size_t file;
	const char *name;
	uint8_t dir;
};

/* A name as a scan reports it. */
enum scan_odd {
	SCAN_ODD_DOT,	/* it begins with a dot: passed over */
	SCAN_ODD_NAME,	/* no message can have it: passed over */
	SCAN_ODD_TYPE,	/* it is not of a regular file: passed over */
	SCAN_ODD_TWIN,	/* it is a second name of a file that the scan has */
	SCAN_ODD_MOVED, /* scan_separate has given its file a new base name */
	SCAN_ODD_STUCK, /* scan_separate could not do that */
};

typedef void scan_tell(void *ctx, enum scan_odd odd, int dir, const char *name);

struct scan {
	struct maildir_folder *folder;
	scan_tell *tell;
	void *ctx;
	struct scan_file *file;
	size_t count, room;
	struct mdtable table;	/* of file by base name */
	struct scan_pair *pair; /* same base, different files: see scan_separate */
	size_t pairs, pair_room, unresolved;
	struct mdarena arena;
	struct file_stamp stamp[ENTRY_DIRS]; /* cur and new, before the last pass */
	unsigned passes;
	bool still; /* nothing was renamed during the last pass, as far as times tell */
};

/*
 * Begins a scan of the directories that the folder has open.  A directory that is not open counts as empty.  If tell
 * is not NULL, the scan calls it for odd names.  Only the first pass reports names that are passed over, and twins: the
 * next pass sees the same.
 */
void scan_init(struct scan *scan, struct maildir_folder *folder, scan_tell *tell, void *ctx);
void scan_clear(struct scan *scan);

/* Adds a file that the caller knows to be in a directory (enum entry_dir), as if a pass had seen it. */
int scan_add(struct scan *scan, int dir, const char *name);

/*
 * Reads both directories and adds new files to those that are known from earlier passes.  A file stays if an
 * earlier pass saw it and this pass does not, since this pass may have missed it.
 */
int scan_pass(struct scan *scan);

/* Does the same with new/, and of cur/ with the names that the function adds by scan_name.  NULL: with new/ alone. */
int scan_pass_with(struct scan *scan, int (*cur)(struct scan *scan, void *ctx), void *ctx);
/* Adds a name if it can be a message's and the file is there. */
int scan_name(struct scan *scan, int dir, const char *name);

/* Returns whether each later change of a directory will change its times.  That is so if the directory was last changed
 * before the present tick of the kernel's clock. */
bool stamp_is_settled(const struct file_stamp *stamp);

/*
 * Makes passes until complete(ctx) returns true, which means that no file is missing, or until a second or later pass
 * during which the directories stood still.  *sure_r is true then: a file that was not found is gone.  Gives up after a
 * bounded number of passes, and *sure_r is false.
 */
int scan_collect(struct scan *scan, bool (*complete)(void *ctx), void *ctx, bool *sure_r);

/* Returns whether the last pass saw all files.  If not, some are known from earlier passes alone. */
bool scan_saw_all(const struct scan *scan);

/* Returns the place in scan->file of the file with that base name, or SCAN_NONE. */
size_t scan_find(const struct scan *scan, const char *base, size_t base_len);

/*
 * If two messages share a base name, renames the later one to a new base name and adds it to the files.  The caller
 * holds the folder's lock.  Without the lock rename is false, and the later message is left out.
 */
int scan_separate(struct scan *scan, bool rename);

/*
 * Moves the files in new/ to cur/.  A file that cannot be moved stays in new/ and is served from there.  *unsettled_r
 * becomes true if new/ had any file: then the next sync must look again.
 */
int scan_move_new(struct scan *scan, bool *unsettled_r);

/* Renames the file of that name in cur/ to a new base name, since another message needs the name. */
int scan_evict(struct maildir_folder *folder, const char *name);

#endif
