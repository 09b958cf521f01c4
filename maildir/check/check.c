/*
 * check.c: looks at a folder and says what is odd in it, without changing anything.
 * Runs as: mail user.
 *
 * It reads on its own and not by a sync, which would move, rename and number what it finds.  Other
 * programs go on meanwhile: the directories are read again when they changed underneath, what belongs to
 * a moment (lock files, temporary files) is odd only when that moment is long over, and
 * dovecot-uidlist is looked at twice before it is called lost.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/dotfile.h"
#include "maildir/base/lock.h"
#include "maildir/check/check.h"
#include "maildir/check/check_internal.h"
#include "maildir/folder/obstacle.h"
#include "maildir/folder/folder.h"
#include "maildir/folder/sync.h"
#include "maildir/folder/times.h"
#include "maildir/index/index.h"
#include "maildir/uids/keywords.h"

enum {
	LOOK_PASSES = 3,	   /* over directories that change underneath */
	LOOK_AGAIN_MS = 50,	   /* longer than another's write takes */
	TEMPORARY_SECONDS = 60,	   /* no call of ours leaves a temporary file for so long */
	OLD_SECONDS = 36 * 3600,   /* Maildir's own rule for tmp/ */
	PATH_SIZE = NAME_SIZE + 8, /* "cur/" and a name */
};

static const char *const dir_names[ENTRY_DIRS] = {"cur", "new"};

/* Whatever the entry of a directory is. */
struct seen {
	const char *name;
	struct stat st;
	uint8_t dir;
	bool message, has_line;
};

struct look {
	struct maildir_folder *folder; /* never synced */
	const struct maildir_check *check;
	struct maildir_facts *facts;
	uid_t owner;
	struct seen *seen;
	size_t count, room;
	struct mdarena arena; /* holds the names */
};

static void
tell_number(const struct look *look, enum maildir_odd odd, const char *name, const char *detail,
    uint64_t number)
{
	const struct maildir_finding finding = {.odd = odd,
	    .folder = look->folder->home.name,
	    .name = name,
	    .detail = detail,
	    .number = number};

	if (look->check != NULL)
		look->check->tell(look->check->ctx, &finding);
}

static void
tell(const struct look *look, enum maildir_odd odd, const char *name, const char *detail)
{
	tell_number(look, odd, name, detail, 0);
}

static void
seen_path(const struct seen *seen, char path_r[PATH_SIZE])
{
	snprintf(path_r, PATH_SIZE, "%s/%s", dir_names[seen->dir], seen->name);
}

const char *
check_kind(unsigned mode)
{
	switch (mode & (unsigned)S_IFMT) {
	case S_IFREG:
		return "a file";
	case S_IFDIR:
		return "a directory";
	case S_IFLNK:
		return "a symbolic link";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	default:
		return "a device";
	}
}

static void
tell_unreadable(const struct look *look, const char *path, const struct stat *st)
{
	char mode[16];

	snprintf(mode, sizeof(mode), "mode %04o", (unsigned)st->st_mode & 07777);
	tell_number(look, ODD_UNREADABLE, path, mode, st->st_uid);
}

/* --- opening --- */

static void
look_close(struct look *look)
{
	int saved = errno;

	free(look->seen);
	mdarena_clear(&look->arena);
	maildir_folder_close(&look->folder);
	errno = saved;
}

/* Opens only what is there: folder_open_dirs makes directories. */
static int
look_open(struct maildir *md, const char *name, const struct maildir_check *check,
    struct maildir_facts *facts, struct look *look)
{
	struct maildir_folder *folder;
	struct stat st;

	memset(look, 0, sizeof(*look));
	memset(facts, 0, sizeof(*facts));
	if (fstat(md->fd, &st) < 0 || maildir_folder_open(md, name, &folder) < 0)
		return -1;
	look->folder = folder;
	look->check = check;
	look->facts = facts;
	look->owner = st.st_uid;
	for (int i = 0; i < ENTRY_DIRS; i++)
		folder->dir[i] = file_open_dir(folder->home.fd, dir_names[i]);
	/* For the record that is in it; nobody is locked out. */
	folder->home.lock_fd = openat(
	    folder->home.fd, LOCK_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return 0;
}

/* --- owners and modes --- */

static void
look_rights(const struct look *look, const char *name, const struct stat *st)
{
	mode_t needed = S_ISDIR(st->st_mode) ? S_IRWXU : S_IRUSR | S_IWUSR;

	if (st->st_uid != look->owner)
		tell_number(look, ODD_OWNER, name, NULL, st->st_uid);
	if ((st->st_mode & needed) != needed || (st->st_mode & S_IWOTH) != 0)
		tell_number(look, ODD_MODE, name, NULL, st->st_mode & 07777);
}

static void
look_directories(const struct look *look)
{
	static const char *const part[] = {"cur", "new", "tmp"};
	struct stat st;

	if (fstat(look->folder->home.fd, &st) == 0)
		look_rights(look, ".", &st);
	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
		if (fstatat(look->folder->home.fd, part[i], &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno == ENOENT)
				tell(look, ODD_MISSING, part[i], NULL);
			else
				tell(look, ODD_CLOSED, part[i], strerror(errno));
		} else if (!S_ISDIR(st.st_mode)) {
			tell(look, ODD_STRANGE, part[i], check_kind(st.st_mode));
		} else {
			look_rights(look, part[i], &st);
		}
	}
}

/* What we read and write beside the messages. */
static void
look_files(const struct look *look)
{
	struct stat st;

	for (const char *const *file = folder_files; *file != NULL; file++) {
		if (fstatat(look->folder->home.fd, *file, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (!S_ISREG(st.st_mode)) {
			tell(look, ODD_STRANGE, *file, check_kind(st.st_mode));
			continue;
		}
		look_rights(look, *file, &st);
		if (st.st_nlink > 1)
			tell_number(look, ODD_LINKED, *file, NULL, st.st_nlink);
	}
}

/* --- what is left behind --- */

static time_t
last_touched(const struct stat *st)
{
	time_t last = st->st_ctime;

	/* The inode's time too: a copy is a link, with the times of the old message. */
	if (st->st_mtime > last)
		last = st->st_mtime;
	return st->st_atime > last ? st->st_atime : last;
}

bool
check_is_left(int dirfd, const char *name, time_t now)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       now - last_touched(&st) > TEMPORARY_SECONDS;
}

static void
look_temporary(const struct look *look)
{
	static const char *const name[] = {SNAPSHOT_TMP, LOG_TMP, SUMMARIES_TMP,
	    "sallyport.uidlist", "sallyport.dovecot-keywords", "sallyport.keywords.new",
	    "sallyport.dotlock", "sallyport.stale"};

	for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++)
		if (check_is_left(look->folder->home.fd, name[i], look->check->now))
			tell(look, ODD_TEMPORARY, name[i], NULL);
}

bool
check_lock_is_left(struct maildir *md, int dirfd, const char *name, time_t now)
{
	const struct dotlock lock = {.md = md, .dirfd = dirfd, .name = name};
	struct file_stamp stamp;

	return dotfile_stale(&lock, now, &stamp);
}

static void
look_tmp(const struct look *look)
{
	int fd;
	DIR *dir = file_read_dir(look->folder->home.fd, "tmp", &fd);
	const struct dirent *entry;
	char path[PATH_SIZE];
	struct stat st;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode) || look->check->now - last_touched(&st) <= OLD_SECONDS)
			continue;
		snprintf(path, sizeof(path), "tmp/%s", entry->d_name);
		tell(look, ODD_OLD, path, NULL);
	}
	if (dir != NULL)
		(void)closedir(dir);
}

/* --- cur/ and new/ --- */

static int
seen_add(struct look *look, int dir, const char *name, const struct stat *st)
{
	struct seen *seen;

	if (look->count == look->room) {
		size_t room = look->room == 0 ? 64 : look->room * 2;
		struct seen *grown = reallocarray(look->seen, room, sizeof(*grown));

		if (grown == NULL)
			return -1;
		look->seen = grown;
		look->room = room;
	}
	seen = &look->seen[look->count];
	*seen = (struct seen){.st = *st, .dir = (uint8_t)dir};
	seen->message = S_ISREG(st->st_mode) && name[0] != '.' && mdname_usable(name);
	seen->name = mdarena_add(&look->arena, name, strlen(name));
	if (seen->name == NULL)
		return -1;
	look->count++;
	return 0;
}

static int
read_directory(struct look *look, int which)
{
	int fd, r = 0;
	DIR *dir = file_read_dir(look->folder->dir[which], ".", &fd);
	const struct dirent *entry;
	struct stat st;

	if (dir == NULL) {
		tell(look, ODD_CLOSED, dir_names[which], strerror(errno));
		return 0;
	}
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		/* Gone: it is renamed just now, and its directory will be read again. */
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			r = seen_add(look, which, entry->d_name, &st);
	}
	(void)closedir(dir);
	return r;
}

static bool
same_times(const struct stat *a, const struct stat *b)
{
	struct file_stamp x, y;

	file_stamp_of(a, &x);
	file_stamp_of(b, &y);
	return file_stamp_same(&x, &y);
}

/* All there is, in passes until nothing was renamed during one. */
static int
look_messages(struct look *look)
{
	struct stat before[ENTRY_DIRS], after;
	bool still = false;

	memset(before, 0, sizeof(before));
	for (int pass = 0; pass < LOOK_PASSES && !still; pass++) {
		look->count = 0;
		mdarena_clear(&look->arena);
		still = true;
		for (int i = 0; i < ENTRY_DIRS; i++) {
			if (look->folder->dir[i] < 0)
				continue;
			if (fstat(look->folder->dir[i], &before[i]) < 0 ||
			    read_directory(look, i) < 0)
				return -1;
		}
		for (int i = 0; i < ENTRY_DIRS; i++)
			still = still && (look->folder->dir[i] < 0 ||
					     (fstat(look->folder->dir[i], &after) == 0 &&
						 same_times(&before[i], &after)));
	}
	return 0;
}

static int
compare_names(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int r = memcmp(a, b, a_len < b_len ? a_len : b_len);

	if (r != 0)
		return r;
	return a_len < b_len ? -1 : a_len > b_len;
}

static int
seen_compare(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;
	int r = compare_names(x->name, mdname_base(x->name), y->name, mdname_base(y->name));

	if (r != 0)
		return r;
	r = x->dir - y->dir;
	return r != 0 ? r : strcmp(x->name, y->name);
}

/* Of sorted ones the first with that base name that is a message, or NULL. */
static struct seen *
seen_find(const struct look *look, const char *base, size_t len)
{
	size_t low = 0, high = look->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *name = look->seen[middle].name;

		if (compare_names(name, mdname_base(name), base, len) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < look->count; low++) {
		struct seen *seen = &look->seen[low];

		if (compare_names(seen->name, mdname_base(seen->name), base, len) != 0)
			break;
		if (seen->message)
			return seen;
	}
	return NULL;
}

static bool
is_readable(const struct look *look, const struct seen *seen)
{
	if (seen->st.st_uid == geteuid())
		return (seen->st.st_mode & S_IRUSR) != 0;
	return faccessat(look->folder->dir[seen->dir], seen->name, R_OK, AT_EACCESS) == 0;
}

static void
look_at_entry(const struct look *look, const struct seen *seen)
{
	char path[PATH_SIZE];

	seen_path(seen, path);
	if (!S_ISREG(seen->st.st_mode))
		tell(look, ODD_NO_MESSAGE, path, check_kind(seen->st.st_mode));
	else if (seen->name[0] == '.')
		tell(look, ODD_NO_MESSAGE, path, "its name begins with a dot");
	else if (!seen->message)
		tell(look, ODD_NAME, path, NULL);
	else if (!is_readable(look, seen))
		tell_unreadable(look, path, &seen->st);
	else if (seen->st.st_uid != look->owner)
		tell_number(look, ODD_OWNER, path, NULL, seen->st.st_uid);
}

/* Two names of one base: whether they are one file.  Both must still be there. */
static bool
look_at_pair(const struct look *look, const struct seen *a, const struct seen *b)
{
	bool twin = a->st.st_ino == b->st.st_ino && a->st.st_dev == b->st.st_dev;
	char first[PATH_SIZE], second[PATH_SIZE];
	struct stat st;

	seen_path(a, first);
	seen_path(b, second);
	if (fstatat(look->folder->home.fd, first, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstatat(look->folder->home.fd, second, &st, AT_SYMLINK_NOFOLLOW) == 0)
		tell(look, twin ? ODD_TWIN : ODD_DOUBLED, second, first);
	return twin;
}

static void
count_keywords(const struct look *look, const struct seen *seen, uint32_t letters)
{
	uint64_t keywords =
	    keywords_of(look->folder->keywords, seen->name, mdname_base(seen->name), letters);

	for (int i = 0; i < MAILDIR_KEYWORDS; i++)
		look->facts->keyword[i].messages += keywords >> i & 1;
}

static void
count_message(const struct look *look, const struct seen *seen)
{
	struct maildir_facts *facts = look->facts;
	uint32_t flags, letters;

	mdname_flags(seen->name, &flags, &letters);
	facts->messages++;
	facts->fresh += seen->dir == ENTRY_NEW;
	facts->unseen += (flags & MAILDIR_SEEN) == 0;
	facts->octets += (uint64_t)seen->st.st_size;
	count_keywords(look, seen, letters);
}

static void
look_at_all(const struct look *look)
{
	const struct seen *before = NULL;

	for (size_t i = 0; i < look->count; i++) {
		const struct seen *seen = &look->seen[i];
		size_t len = mdname_base(seen->name);

		look_at_entry(look, seen);
		if (!seen->message)
			continue;
		if (before == NULL || mdname_base(before->name) != len ||
		    memcmp(before->name, seen->name, len) != 0 || !look_at_pair(look, before, seen))
			count_message(look, seen);
		before = seen;
	}
}

/* Counted by number so far: those that are used, with their names. */
static void
name_keywords(const struct look *look)
{
	const char *names[MAILDIR_KEYWORDS];
	struct maildir_facts *facts = look->facts;

	maildir_keyword_names(look->folder, names);
	for (int i = 0; i < MAILDIR_KEYWORDS; i++) {
		struct maildir_keyword *to = &facts->keyword[facts->keywords];
		size_t messages = facts->keyword[i].messages;

		if (messages == 0)
			continue;
		to->number = i;
		to->messages = messages;
		snprintf(to->name, sizeof(to->name), "%s", names[i] != NULL ? names[i] : "");
		facts->keywords++;
	}
}

/* --- dovecot-uidlist --- */

static int
load_uids(struct look *look, struct uidfile *uids, struct uid_record *record)
{
	/* The record first: who writes both writes it last. */
	memset(record, 0, sizeof(*record));
	if (look->folder->home.lock_fd >= 0)
		(void)!uid_record_read(&look->folder->home, record);
	if (uidfile_load(&look->folder->home, uids) == 0) {
		if (!uids->closed)
			return 0;
		uidfile_close(uids);
		errno = EACCES;
	}
	tell(look, ODD_CLOSED, UIDLIST_NAME, strerror(errno));
	return errno == ENOMEM ? -1 : 1;
}

static void
match_lines(struct look *look, const struct uidlist *list)
{
	struct maildir_facts *facts = look->facts;

	facts->without_uid = facts->messages;
	for (size_t i = 0; i < list->count; i++) {
		struct seen *seen = seen_find(look, list->line[i].base, list->line[i].base_len);

		if (seen == NULL || seen->has_line) {
			facts->without_file++;
			continue;
		}
		seen->has_line = true;
		facts->without_uid--;
	}
}

static int
look_uids(struct look *look)
{
	struct uidfile uids = {.fd = -1};
	struct uid_record record;
	const char *doubt;
	int r = load_uids(look, &uids, &record);

	if (r == 0 && uids.list.state != UIDLIST_GOOD) {
		/* Somebody may be writing it at this moment. */
		uidfile_close(&uids);
		mdclock_sleep_ms(LOOK_AGAIN_MS);
		r = load_uids(look, &uids, &record);
	}
	if (r != 0)
		return r < 0 ? -1 : 0;
	/* A folder that nobody has opened yet has lost nothing. */
	(void)index_refresh(look->folder->index);
	doubt = uids.list.state == UIDLIST_NONE && record.validity == 0
		    ? NULL
		    : sync_doubt(look->folder, &uids.list, &record);
	if (doubt != NULL)
		tell(look, ODD_UIDLIST_LOST, UIDLIST_NAME, doubt);
	else if (uids.list.state == UIDLIST_TORN)
		tell(look, ODD_UIDLIST_TORN, UIDLIST_NAME, uids.list.what);
	if (uids.list.state != UIDLIST_NONE) {
		look->facts->validity = uids.list.validity;
		look->facts->next = uids.list.next;
	}
	match_lines(look, &uids.list);
	uidfile_close(&uids);
	return 0;
}

/* --- the index --- */

static uint64_t
size_of(const struct look *look, const char *name)
{
	struct stat st;

	return fstatat(look->folder->home.fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0
		   ? (uint64_t)st.st_size
		   : 0;
}

static enum maildir_index_state
look_at_files(const struct look *look)
{
	struct maildir_folder *folder = look->folder;
	struct stat st;

	if (fstatat(folder->home.fd, SNAPSHOT_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return MAILDIR_INDEX_NONE;
	if (!index_refresh(folder->index) || !index_verify(folder->index, &look->facts->with_texts))
		return MAILDIR_INDEX_DAMAGED;
	/* Without its log it tells of messages, but not that these are all. */
	return index_is_private(folder->index) || times_look(folder) != 0 ? MAILDIR_INDEX_OLD
									  : MAILDIR_INDEX_CURRENT;
}

static void
look_index(const struct look *look)
{
	struct maildir_facts *facts = look->facts;

	for (int pass = 0; pass < LOOK_PASSES; pass++) {
		struct file_stamp before, after;

		(void)!file_stamp_at(look->folder->home.fd, SNAPSHOT_NAME, &before);
		facts->index = look_at_files(look);
		(void)!file_stamp_at(look->folder->home.fd, SNAPSHOT_NAME, &after);
		/* Another has made a new one meanwhile. */
		if (file_stamp_same(&before, &after))
			break;
		index_close(look->folder->index);
	}
	facts->snapshot = size_of(look, SNAPSHOT_NAME);
	facts->log = size_of(look, LOG_NAME);
	facts->texts = size_of(look, SUMMARIES_NAME);
	if (facts->index == MAILDIR_INDEX_DAMAGED)
		tell(look, ODD_INDEX, SNAPSHOT_NAME, NULL);
}

/* --- the whole --- */

int
maildir_check_folder(struct maildir *md, const char *name, const struct maildir_check *check,
    struct maildir_facts *facts_r)
{
	struct look look;
	int r = -1;

	if (look_open(md, name, check, facts_r, &look) < 0)
		return -1;
	look_directories(&look);
	look_files(&look);
	if (check_lock_is_left(md, look.folder->home.fd, UIDLIST_LOCK_NAME, check->now))
		tell(&look, ODD_LOCK, UIDLIST_LOCK_NAME, NULL);
	look_temporary(&look);
	look_tmp(&look);
	if (keywords_refresh(look.folder->keywords) < 0)
		tell(&look, ODD_CLOSED, LETTERED_NAME, strerror(errno));
	if (look_messages(&look) == 0) {
		if (look.count > 0)
			qsort(look.seen, look.count, sizeof(*look.seen), seen_compare);
		look_at_all(&look);
		name_keywords(&look);
		r = look_uids(&look);
	}
	if (r == 0)
		look_index(&look);
	look_close(&look);
	return r;
}

int
maildir_check_index(struct maildir *md, const char *name, struct maildir_facts *facts_r)
{
	struct look look;

	if (look_open(md, name, NULL, facts_r, &look) < 0)
		return -1;
	look_index(&look);
	look_close(&look);
	return 0;
}
