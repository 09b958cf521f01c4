/*
 * times.c: tells from the times of a folder's files what has changed, and which changes are our own.
 * Runs as: mail user.
 */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "maildir/folder/folder.h"
#include "maildir/folder/scan.h"
#include "maildir/folder/times.h"
#include "maildir/folder/watch.h"
#include "maildir/index/index.h"
#include "maildir/uids/keywords.h"

/*
 * The times of our own changes are believed for TRUST_MS and a part for each message.  A rename by another program in
 * the moment of our change is noticed after that time at the latest.  To read a directory costs some 2 us a message.
 * Each message adds twenty times that, so that reading takes at most a twentieth of a processor.
 */
enum { TRUST_MS = 1000, TRUST_MOST_MS = 30 * 1000, TRUST_MESSAGES = 25 /* per ms */ };

/* ms after which a directory is looked through again, if its times may have missed a change. */
#define LOOK_AGAIN_MS 1000

/* --- has anything changed? --- */

static int
is_file(void *ctx, const struct dirent *entry)
{
	(void)ctx;
	return entry->d_name[0] != '.';
}

/* Returns whether new/ has no file.  Takes no lock. */
static bool
new_is_empty(const struct maildir_folder *folder)
{
	return file_each_entry(folder->home.fd, "new", is_file, NULL) == 0;
}

/* Times that were read within the tick of a change do not show later changes. */
static bool
new_changed(const struct maildir_folder *folder, const struct file_stamp *now)
{
	const struct index_state *state = index_state(folder->index);

	if (!file_stamp_same(now, &state->dir[ENTRY_NEW]))
		return true;
	return (state->doubt & INDEX_NEW) != 0 && (stamp_is_settled(now) || !new_is_empty(folder));
}

/* Returns whether keywords without a letter may have changed, or whether such a keyword may have got a letter. */
static bool
more_changed(struct maildir_folder *folder)
{
	const struct index_state *state = index_state(folder->index);
	struct file_stamp now;

	if (file_stamp_at(folder->home.fd, NUMBERED_NAME, &now) < 0 ||
	    !file_stamp_same(&now, &state->more))
		return true;
	return now.ino != 0 && (file_stamp_at(folder->home.fd, LETTERED_NAME, &now) < 0 ||
				   !file_stamp_same(&now, &state->letters));
}

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Returns for how many ms the times of our own change will still be believed; 0: no longer. */
static uint64_t
trust_left(const struct index *index)
{
	uint64_t since = index_state(index)->own_since, now = now_ms();
	uint64_t trust = TRUST_MS + index_count(index) / TRUST_MESSAGES;

	if (trust > TRUST_MOST_MS)
		trust = TRUST_MOST_MS;
	/* The clock was set back, so the age of the change is unknown. */
	if (now < since)
		return 0;
	return now - since < trust ? since + trust - now : 0;
}

unsigned
times_compare(struct maildir_folder *folder)
{
	const struct index_state *state = index_state(folder->index);
	struct file_stamp cur, new, lines;
	unsigned look = 0;

	if (file_stamp_at(folder->home.fd, "cur", &cur) < 0 ||
	    file_stamp_at(folder->home.fd, "new", &new) < 0 ||
	    file_stamp_at(folder->home.fd, UIDLIST_NAME, &lines) < 0)
		return LOOK_ALL;
	if (!file_stamp_same(&cur, &state->dir[ENTRY_CUR]) || (state->doubt & INDEX_CUR) != 0 ||
	    (state->own_since != 0 && trust_left(folder->index) == 0))
		look |= LOOK_CUR;
	else if (state->own_since == 0 && folder->watch != NULL)
		watch_verified(folder->watch, &cur);
	if (new_changed(folder, &new))
		look |= LOOK_NEW;
	if (!file_stamp_same(&lines, &state->uidlist))
		look |= LOOK_LINES;
	if (more_changed(folder))
		look |= LOOK_MORE;
	if ((state->doubt & INDEX_WAITS) != 0)
		look |= LOOK_WAITS;
	return look;
}

unsigned
times_look(struct maildir_folder *folder)
{
	return index_refresh(folder->index) ? times_compare(folder) : LOOK_ALL;
}

int
maildir_look_again(const struct maildir_folder *folder)
{
	const struct index *index = folder->index;

	if (folder->watch != NULL && watch_has_more(folder->watch))
		return 1;
	if (!index_is_open(index) || index_state(index)->doubt != 0)
		return LOOK_AGAIN_MS;
	return index_state(index)->own_since == 0 ? -1 : (int)trust_left(index) + 1;
}

/* --- our own changes of cur/ --- */

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
times_change_begin(struct maildir_folder *folder)
{
	return cur_stamp(folder, &folder->cur_before);
}

void
times_change_spoil(struct maildir_folder *folder)
{
	memset(&folder->cur_before, 0, sizeof(folder->cur_before));
}

void
times_change_end(struct maildir_folder *folder, struct index_state *state)
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
