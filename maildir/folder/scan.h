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
	size_t message;	  /* the caller's: which of its messages it is, or SCAN_NONE */
	uint32_t rank;	  /* the caller's: which of a delivery's set it is, from 1; or 0 */
	unsigned pass;	  /* the last that saw it */
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
 * is not NULL, it hears of odd names.  The first pass alone reports what is passed over and twins, since they will be
 * there in the next pass too.
 */
void scan_init(struct scan *scan, struct maildir_folder *folder, scan_tell *tell, void *ctx);
void scan_clear(struct scan *scan);

/* Adds a name that is known to be in a directory (enum entry_dir), as if a pass had seen it. */
int scan_add(struct scan *scan, int dir, const char *name);

/*
 * Reads both directories and adds what is new to the files known from earlier passes.  A file that
 * an earlier pass saw and this one does not stays: this one may have missed it.
 */
int scan_pass(struct scan *scan);

/* The same with new/ alone. */
int scan_pass_new(struct scan *scan);

/* The same with new/ and those names of cur/ that the function adds by scan_name. */
int scan_pass_names(struct scan *scan, int (*cur)(struct scan *scan, void *ctx), void *ctx);
/* Adds a name if it is a message's and there. */
int scan_name(struct scan *scan, int dir, const char *name);

/* Whether a change from now on must show in a directory's times: it was last changed before the present
 * tick of the kernel's clock. */
bool stamp_is_settled(const struct file_stamp *stamp);

/*
 * Passes until complete(ctx) says that nothing is missing, or until a second or later pass over
 * directories that stood still: *sure_r, then what is missing is gone.  Not sure after a bounded
 * number of passes.
 */
int scan_collect(struct scan *scan, bool (*complete)(void *ctx), void *ctx, bool *sure_r);

/* Whether the last pass saw all files: no file is known from an earlier pass alone. */
bool scan_saw_all(const struct scan *scan);

/* The index of the file with that base name, or SCAN_NONE. */
size_t scan_find(const struct scan *scan, const char *base, size_t base_len);

/*
 * Gives the later one of each two messages that share a base name a new base name, and adds it to
 * the files.  Under the folder's lock; rename false: without it, and then only leaves the later one out.
 */
int scan_separate(struct scan *scan, bool rename);

/*
 * Moves what is in new/ to cur/; what cannot be moved stays, and is served from there.  *unsettled_r
 * becomes true when there was anything: then the next sync must look again.
 */
int scan_move_new(struct scan *scan, bool *unsettled_r);

/* Gives the file of that name in cur/ a new base name, when it must make room for another. */
int scan_evict(struct maildir_folder *folder, const char *name);

#endif
