/*
 * scan.c: reads cur/ and new/ so that no file is missed, doubled or lost.
 * Runs as: mail user.  The head of sync.c says why.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "maildir/base/array.h"
#include "maildir/folder/folder.h"
#include "maildir/folder/scan.h"

/* After so many passes a scan gives up on a folder in which files are renamed all the time. */
#define SCAN_PASSES 6

/*
 * A file system stamps changes with the time of the kernel's last tick; ticks are 10 ms apart at worst.  After two
 * ticks a directory that was just changed can be seen to stand still.  A file system that counts in seconds is not
 * worth the wait: the next sync looks again.
 */
#define SCAN_PAUSE_MS 20
#define SCAN_STEP_MS  2

void
scan_init(struct scan *scan, struct maildir_folder *folder, scan_tell *tell, void *ctx)
{
	*scan = (struct scan){.folder = folder, .tell = tell, .ctx = ctx};
}

void
scan_clear(struct scan *scan)
{
	int saved = errno;

	free(scan->file);
	mdtable_clear(&scan->table);
	free(scan->pair);
	mdarena_clear(&scan->arena);
	memset(scan, 0, sizeof(*scan));
	errno = saved;
}

static void
tell_odd(const struct scan *scan, enum scan_odd odd, int dir, const char *name)
{
	if (scan->tell != NULL)
		scan->tell(scan->ctx, odd, dir, name);
}

/* --- the table --- */

static uint32_t
scan_hash(const struct scan *scan, const char *base, size_t len)
{
	uint64_t hash = scan->folder->home.md->seed ^ len, word;

	while (len > 0) {
		size_t n = len < sizeof(word) ? len : sizeof(word);

		word = 0;
		memcpy(&word, base, n);
		hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
		base += n;
		len -= n;
	}
	return (uint32_t)(hash ^ hash >> 29);
}

struct base_search {
	const struct scan *scan;
	const char *base;
	size_t len;
};

static bool
has_base(const void *ctx, size_t place)
{
	const struct base_search *search = ctx;
	const struct scan_file *file = &search->scan->file[place];

	return file->base_len == search->len && memcmp(file->name, search->base, search->len) == 0;
}

static size_t
find_hashed(const struct scan *scan, uint32_t hash, const char *base, size_t len)
{
	const struct base_search search = {scan, base, len};

	return mdtable_find(&scan->table, hash, has_base, &search);
}

size_t
scan_find(const struct scan *scan, const char *base, size_t len)
{
	return find_hashed(scan, scan_hash(scan, base, len), base, len);
}

static int
scan_pair(struct scan *scan, size_t file, int dir, const char *name)
{
	struct scan_pair *pair =
	    array_grow(scan->pair, scan->pairs, &scan->pair_room, sizeof(*pair));

	if (pair == NULL)
		return -1;
	scan->pair = pair;
	pair += scan->pairs;
	pair->file = file;
	pair->dir = (uint8_t)dir;
	pair->name = mdarena_add(&scan->arena, name, strlen(name));
	if (pair->name == NULL)
		return -1;
	scan->pairs++;
	return 0;
}

int
scan_add(struct scan *scan, int dir, const char *name)
{
	size_t base_len = mdname_base(name), known;
	uint32_t hash = scan_hash(scan, name, base_len);
	struct scan_file *file;

	known = find_hashed(scan, hash, name, base_len);
	if (known != SCAN_NONE) {
		file = &scan->file[known];
		file->pass = scan->passes;
		if (file->dir == dir && strcmp(file->name, name) == 0)
			return 0;
		return scan_pair(scan, known, dir, name);
	}
	file = array_grow(scan->file, scan->count, &scan->room, sizeof(*file));
	if (file == NULL)
		return -1;
	scan->file = file;
	file += scan->count;
	*file = (struct scan_file){
	    .name = mdarena_add(&scan->arena, name, strlen(name)),
	    .base_len = (uint16_t)base_len,
	    .dir = (uint8_t)dir,
	    .pass = scan->passes,
	    .message = SCAN_NONE,
	};
	if (file->name == NULL || mdtable_add(&scan->table, hash, scan->count) < 0)
		return -1;
	scan->count++;
	return 0;
}

/* --- a pass --- */

static void
tell_at_first(const struct scan *scan, enum scan_odd odd, int dir, const char *name)
{
	if (scan->passes == 1)
		tell_odd(scan, odd, dir, name);
}

/* Returns whether a name may be a message's.  type: of the directory's entry, or DT_UNKNOWN. */
static bool
scan_wanted(const struct scan *scan, int dir, const char *name, unsigned char type)
{
	struct stat st;

	if (name[0] == '.' || !mdname_usable(name)) {
		tell_at_first(scan, name[0] == '.' ? SCAN_ODD_DOT : SCAN_ODD_NAME, dir, name);
		return false;
	}
	if (type == DT_UNKNOWN) {
		/* The file is gone.  If it was renamed, this pass or the next finds its new name. */
		if (fstatat(scan->folder->dir[dir], name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return false;
		type = S_ISREG(st.st_mode) ? DT_REG : DT_DIR;
	}
	if (type != DT_REG)
		tell_at_first(scan, SCAN_ODD_TYPE, dir, name);
	return type == DT_REG;
}

struct scanned_dir {
	struct scan *scan;
	int dir; /* enum entry_dir */
};

static int
scan_entry(void *ctx, const struct dirent *entry)
{
	const struct scanned_dir *at = ctx;

	return scan_wanted(at->scan, at->dir, entry->d_name, entry->d_type)
		   ? scan_add(at->scan, at->dir, entry->d_name)
		   : 0;
}

static int
scan_dir(struct scan *scan, int which)
{
	struct scanned_dir at = {scan, which};
	int dir = scan->folder->dir[which];

	return dir < 0 ? 0 : file_each_entry(dir, ".", scan_entry, &at);
}

/*
 * Finds what two names with the same base are: one file that was renamed during the scan, one file with two names, or
 * two messages.  Returns 1 if they are two messages, else 0.
 */
static int
scan_resolve(struct scan *scan, const struct scan_pair *pair)
{
	struct scan_file *file = &scan->file[pair->file];
	const int *dir = scan->folder->dir;
	struct stat a, b;

	if (file->dir == pair->dir && strcmp(file->name, pair->name) == 0)
		return 0;
	if (fstatat(dir[pair->dir], pair->name, &b, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	if (fstatat(dir[file->dir], file->name, &a, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return -1;
	} else if (a.st_ino != b.st_ino || a.st_dev != b.st_dev) {
		return 1;
	} else {
		/* Keep the name in cur/: another program is moving the file there, or has died while it did. */
		file->twin = true;
		if (file->dir == ENTRY_CUR) {
			tell_at_first(scan, SCAN_ODD_TWIN, pair->dir, pair->name);
			return 0;
		}
		tell_at_first(scan, SCAN_ODD_TWIN, file->dir, file->name);
	}
	file->name = pair->name;
	file->dir = pair->dir;
	return 0;
}

/* Resolves the new pairs, and keeps those that are two messages. */
static int
scan_resolve_all(struct scan *scan)
{
	size_t kept = scan->unresolved;

	for (size_t i = scan->unresolved; i < scan->pairs; i++) {
		int r = scan_resolve(scan, &scan->pair[i]);

		if (r < 0)
			return -1;
		if (r > 0)
			scan->pair[kept++] = scan->pair[i];
	}
	scan->pairs = scan->unresolved = kept;
	return 0;
}

static int
scan_stamps(const struct scan *scan, struct file_stamp stamp_r[ENTRY_DIRS])
{
	struct stat st;

	for (int i = 0; i < ENTRY_DIRS; i++) {
		int dir = scan->folder->dir[i];

		memset(&stamp_r[i], 0, sizeof(stamp_r[i]));
		if (dir < 0)
			continue; /* it is not there */
		if (fstat(dir, &st) < 0)
			return -1;
		file_stamp_of(&st, &stamp_r[i]);
	}
	return 0;
}

/* A time in the future comes from another machine or a wrong clock: waiting would not help, so it counts as settled. */
bool
stamp_is_settled(const struct file_stamp *stamp)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (stamp->mtime.tv_sec > now.tv_sec + 1)
		return true;
	/* Without a fraction the file system may count in seconds. */
	if (stamp->mtime.tv_nsec == 0)
		return stamp->mtime.tv_sec < now.tv_sec;
	return stamp->mtime.tv_sec < now.tv_sec ||
	       (stamp->mtime.tv_sec == now.tv_sec && stamp->mtime.tv_nsec < now.tv_nsec);
}

int
scan_pass_with(struct scan *scan, int (*cur)(struct scan *scan, void *ctx), void *ctx)
{
	struct file_stamp after[ENTRY_DIRS];
	bool settled;

	if (scan_stamps(scan, scan->stamp) < 0)
		return -1;
	settled = stamp_is_settled(&scan->stamp[ENTRY_NEW]) &&
		  (cur == NULL || stamp_is_settled(&scan->stamp[ENTRY_CUR]));
	scan->passes++;
	/* Read new/ first: a file that is moved to cur/ during the pass is then seen there. */
	if (scan_dir(scan, ENTRY_NEW) < 0 || (cur != NULL && cur(scan, ctx) < 0))
		return -1;
	if (scan_stamps(scan, after) < 0)
		return -1;
	scan->still = settled && file_stamp_same(&scan->stamp[ENTRY_NEW], &after[ENTRY_NEW]) &&
		      (cur == NULL || file_stamp_same(&scan->stamp[ENTRY_CUR], &after[ENTRY_CUR]));
	return scan_resolve_all(scan);
}

static int
scan_cur(struct scan *scan, void *ctx)
{
	(void)ctx;
	return scan_dir(scan, ENTRY_CUR);
}

int
scan_pass(struct scan *scan)
{
	return scan_pass_with(scan, scan_cur, NULL);
}

int
scan_name(struct scan *scan, int dir, const char *name)
{
	return scan_wanted(scan, dir, name, DT_UNKNOWN) ? scan_add(scan, dir, name) : 0;
}

/* Waits until the next pass can prove that the directories stood still. */
static int
scan_pause(struct scan *scan)
{
	struct file_stamp now[ENTRY_DIRS];

	for (unsigned waited = 0; waited < SCAN_PAUSE_MS; waited += SCAN_STEP_MS) {
		if (scan_stamps(scan, now) < 0)
			return -1;
		if (stamp_is_settled(&now[ENTRY_CUR]) && stamp_is_settled(&now[ENTRY_NEW]))
			break;
		mdclock_sleep_ms(SCAN_STEP_MS);
	}
	return 0;
}

int
scan_collect(struct scan *scan, bool (*complete)(void *ctx), void *ctx, bool *sure_r)
{
	*sure_r = false;
	for (int pass = 1; pass <= SCAN_PASSES; pass++) {
		if (pass > 1 && scan_pause(scan) < 0)
			return -1;
		if (scan_pass(scan) < 0)
			return -1;
		*sure_r = complete(ctx) || (pass > 1 && scan->still);
		if (*sure_r)
			break;
	}
	return 0;
}

bool
scan_saw_all(const struct scan *scan)
{
	for (size_t i = 0; i < scan->count; i++)
		if (scan->file[i].pass != scan->passes)
			return false;
	return true;
}

/* --- what has to be renamed --- */

static bool
time_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* Moves a file to cur/ under a new, unique name, which is name_r then. */
static int
file_new_base(struct maildir_folder *folder, int dir, const char *name, char name_r[NAME_SIZE])
{
	struct maildir *md = folder->home.md;

	/* The name is unique; if it exists all the same, take the next. */
	for (int tries = 0; tries < 10; tries++) {
		if (mdname_unique(md->host, ++md->unique, name, name_r) < 0 &&
		    mdname_unique(md->host, md->unique, "", name_r) < 0)
			return -1;
		if (file_move(folder->dir[dir], name, folder->dir[ENTRY_CUR], name_r) == 0)
			return 0;
		if (errno != EEXIST)
			return -1;
	}
	return -1;
}

/*
 * Decides which of two messages keeps the base name, and so the UID: the message in cur/, else the message whose inode
 * changed first.  The other came later, from a restored backup or a delivery that reused a name, and is renamed.
 */
static int
pair_separate(struct scan *scan, const struct scan_pair *pair, bool rename)
{
	struct maildir_folder *folder = scan->folder;
	struct scan_file *file = &scan->file[pair->file];
	struct scan_pair loser = *pair;
	char name[NAME_SIZE];
	struct stat a, b;
	bool swap;

	/* Look again: other pairs were separated since, and another program may have renamed files. */
	if (fstatat(folder->dir[pair->dir], pair->name, &b, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	if (fstatat(folder->dir[file->dir], file->name, &a, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	if (a.st_ino == b.st_ino && a.st_dev == b.st_dev)
		return 0;
	if (file->dir != pair->dir)
		swap = pair->dir == ENTRY_CUR;
	else
		swap = time_before(&b.st_ctim, &a.st_ctim);
	if (swap) {
		loser.name = file->name;
		loser.dir = file->dir;
		file->name = pair->name;
		file->dir = pair->dir;
	}
	if (!rename)
		return 0;
	if (file_new_base(folder, loser.dir, loser.name, name) < 0) {
		tell_odd(scan, SCAN_ODD_STUCK, loser.dir, loser.name);
		return 0;
	}
	tell_odd(scan, SCAN_ODD_MOVED, loser.dir, loser.name);
	return scan_add(scan, ENTRY_CUR, name);
}

int
scan_separate(struct scan *scan, bool rename)
{
	for (size_t i = 0; i < scan->pairs; i++) {
		if (pair_separate(scan, &scan->pair[i], rename) < 0)
			return -1;
	}
	scan->pairs = scan->unresolved = 0;
	return 0;
}

int
scan_evict(struct maildir_folder *folder, const char *name)
{
	char fresh[NAME_SIZE];

	return file_new_base(folder, ENTRY_CUR, name, fresh);
}

int
scan_move_new(struct scan *scan, bool *unsettled_r)
{
	struct maildir_folder *folder = scan->folder;
	char name[NAME_SIZE];

	for (size_t i = 0; i < scan->count; i++) {
		struct scan_file *file = &scan->file[i];
		const char *copy;

		if (file->dir != ENTRY_NEW)
			continue;
		*unsettled_r = true;
		/* The scan has no base name in both directories.  If a file came since, the next sync separates them. */
		if (mdname_with_info(file->name, name) < 0 ||
		    file_move(folder->dir[ENTRY_NEW], file->name, folder->dir[ENTRY_CUR], name) < 0)
			continue;
		copy = mdarena_add(&scan->arena, name, strlen(name));
		if (copy == NULL)
			return -1;
		file->name = copy;
		file->dir = ENTRY_CUR;
	}
	return 0;
}
