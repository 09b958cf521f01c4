/*
 * own.c: changes of cur/ that are our own.
 * Runs as: mail user.
 */
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "maildir/folder/folder.h"
#include "maildir/folder/own.h"

/* Another program that renames in the same moment is noticed so late at most. */
#define OWN_TRUST_MS 1000

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool
own_change_is_old(const struct index_state *state)
{
	uint64_t now = now_ms();

	/* A clock that was set back: nothing can be said of how long it is. */
	return state->own_since != 0 &&
	       (now < state->own_since || now - state->own_since >= OWN_TRUST_MS);
}

int
own_change_left(const struct index_state *state)
{
	uint64_t now = now_ms();

	if (own_change_is_old(state) || now >= state->own_since + OWN_TRUST_MS)
		return 1;
	return (int)(state->own_since + OWN_TRUST_MS - now) + 1;
}

static int
cur_stamp(const struct maildir_folder *folder, struct file_stamp *stamp_r)
{
	struct stat st;

	memset(stamp_r, 0, sizeof(*stamp_r));
	if (folder->dir[ENTRY_CUR] < 0)
		return 0; /* it is not there */
	if (fstat(folder->dir[ENTRY_CUR], &st) < 0)
		return -1;
	file_stamp_of(&st, stamp_r);
	return 0;
}

int
own_change_begin(struct maildir_folder *folder)
{
	return cur_stamp(folder, &folder->cur_before);
}

void
own_change_end(struct maildir_folder *folder, struct index_state *state)
{
	struct file_stamp after;

	if (!file_stamp_same(&folder->cur_before, &state->dir[ENTRY_CUR]) ||
	    cur_stamp(folder, &after) < 0) {
		state->doubt |= INDEX_CUR;
		return;
	}
	if (file_stamp_same(&after, &folder->cur_before))
		return;
	state->dir[ENTRY_CUR] = after;
	if (state->own_since == 0)
		state->own_since = now_ms();
}
