/*
 * times.h: what the times of a folder's files say of changes, and which of those are our own.
 *
 * Our own changes of cur/ change its times, and must not make every session read the directory.  A session compares
 * cur/'s times with the index's just before it makes changes, and notes those just after.  These do not show what
 * another program did between the two.  So such times are believed for a while only; then one session looks at the
 * directory for all.
 */
#ifndef MAILDIR_FOLDER_TIMES_H
#define MAILDIR_FOLDER_TIMES_H

#include <stdbool.h>

struct index_state;
struct maildir_folder;

/* Parts of a folder that may have changed since the index was written. */
enum {
	LOOK_CUR = 1 << 0,
	LOOK_NEW = 1 << 1,
	LOOK_LINES = 1 << 2, /* dovecot-uidlist */
	LOOK_ALL = 1 << 3,   /* no index can be used */
	LOOK_MORE = 1 << 4,  /* sallyport.keywords */
	LOOK_WAITS = 1 << 5, /* nothing has changed, but dovecot-uidlist waits to be written */
	LOOK_EACH = 1 << 6,  /* a file was not where the index has it */
};

/* Reads what other sessions wrote to the index, then compares the times.  Returns LOOK_* bits; 0: no change. */
unsigned times_look(struct maildir_folder *folder);
/* The same for an index that is up to date. */
unsigned times_compare(struct maildir_folder *folder);

/* Notes cur/'s times before a change; under the folder's lock. */
int times_change_begin(struct maildir_folder *folder);
/* Another program has changed cur/ during the change, so its times after the change must not be believed. */
void times_change_spoil(struct maildir_folder *folder);
/* Notes in state, which the caller then writes to the index, the times of cur/ after the change. */
void times_change_end(struct maildir_folder *folder, struct index_state *state);

#endif
