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

/* Parts of a folder that may not be as the index has them. */
enum {
	LOOK_CUR = 1 << 0,
	LOOK_NEW = 1 << 1,
	LOOK_LINES = 1 << 2, /* dovecot-uidlist */
	LOOK_ALL = 1 << 3,   /* there is no index */
	LOOK_MORE = 1 << 4,  /* sallyport.keywords */
	LOOK_WAITS = 1 << 5, /* nothing has changed, but dovecot-uidlist waits to be written */
	LOOK_EACH = 1 << 6,  /* a file was not where the index has it */
};

/* Takes in what other sessions wrote, then compares the times. */
unsigned times_look(struct maildir_folder *folder);
/* The same for an index that is up to date. */
unsigned times_compare(struct maildir_folder *folder);

/* Notes cur/'s times before a change; under the folder's lock. */
int times_change_begin(struct maildir_folder *folder);
/* Something else has changed cur/ since: its times after are not to be believed. */
void times_change_spoil(struct maildir_folder *folder);
/* Sets in state, a copy of the index's or a new one, how cur/ is after the change. */
void times_change_end(struct maildir_folder *folder, struct index_state *state);

#endif
