/*
 * check.c: looks at a folder and reports what is odd in it, without a change.
 * Runs as: mail user.
 *
 * A look reads cur/ and new/ with the scan of sessions, but is no sync: a sync would move, rename and number what it
 * finds.  Other programs go on meanwhile.  So a look passes over the directories again if they changed underneath, and
 * reads dovecot-uidlist twice before it calls it lost.  A lock file or a temporary file is odd only when nobody can be
 * using it any more.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/dotlock.h"
#include "maildir/base/lock.h"
#include "maildir/check/check.h"
#include "maildir/check/check_internal.h"
#include "maildir/folder/folder.h"
#include "maildir/folder/obstacle.h"
#include "maildir/folder/scan.h"
#include "maildir/folder/sync.h"
#include "maildir/folder/times.h"
#include "maildir/index/index.h"
#include "maildir/uids/keywords.h"

enum {
	LOOK_PASSES = 3,	   /* over what changes underneath */
	LOOK_AGAIN_MS = 50,	   /* longer than another's write takes */
	TEMPORARY_SECONDS = 60,	   /* no call of ours leaves a temporary file for so long */
	OLD_SECONDS = 36 * 3600,   /* Maildir's own rule for tmp/ */
	PATH_SIZE = NAME_SIZE + 8, /* "cur/" and a name */
};

struct look {
	struct maildir_folder *folder;	   /* never synced */
	const struct maildir_check *check; /* NULL: report no finding */
	struct maildir_report *report;
	uid_t owner;
	/* A file's message is SCAN_NONE, or 0 if it is there and no line of dovecot-uidlist was found for it so far. */
	struct scan scan;
	struct mdbuf odd; /* what the scan has reported: see keep_odd */
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

/* "a directory" */
static const char *
kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
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

/* --- opening --- */

static void
look_close(struct look *look)
{
	int saved = errno;

	scan_clear(&look->scan);
	mdbuf_clear(&look->odd);
	/* A session would rebuild an index that it found damaged. */
	index_close(look->folder->index);
	maildir_folder_close(&look->folder);
	errno = saved;
}

/* Opens only what is there: folder_open_dirs makes directories. */
static int
look_open(struct maildir *md, const char *name, const struct maildir_check *check,
    struct maildir_report *report, struct look *look)
{
	struct maildir_folder *folder;
	struct stat st;

	memset(report, 0, sizeof(*report));
	if (fstat(md->fd, &st) < 0 || maildir_folder_open(md, name, &folder) < 0)
		return -1;
	*look =
	    (struct look){.folder = folder, .check = check, .report = report, .owner = st.st_uid};
	folder->dir[ENTRY_CUR] = file_open_dir(folder->home.fd, "cur");
	folder->dir[ENTRY_NEW] = file_open_dir(folder->home.fd, "new");
	/* To read the record in it; the lock is not taken. */
	folder->home.lock_fd = openat(
	    folder->home.fd, LOCK_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return 0;
}

/* --- owners and modes --- */

static void
look_at_rights(const struct look *look, const char *name, const struct stat *st)
{
	mode_t needed = S_ISDIR(st->st_mode) ? S_IRWXU : S_IRUSR | S_IWUSR;

	if (st->st_uid != look->owner)
		tell_number(look, ODD_OWNER, name, NULL, st->st_uid);
	if ((st->st_mode & needed) != needed || (st->st_mode & S_IWOTH) != 0)
		tell_number(look, ODD_MODE, name, NULL, st->st_mode & 07777);
}

/* Looks at a part of the folder.  A directory must be there; a file, ours or Dovecot's, need not. */
static void
look_at_part(const struct look *look, const char *name, mode_t type)
{
	struct stat st;

	if (fstatat(look->folder->home.fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (type == S_IFDIR && errno == ENOENT)
			tell(look, ODD_MISSING, name, NULL);
		else if (type == S_IFDIR)
			tell(look, ODD_CLOSED, name, strerror(errno));
	} else if ((st.st_mode & S_IFMT) != type) {
		tell(look, ODD_STRANGE, name, kind_of(st.st_mode));
	} else {
		look_at_rights(look, name, &st);
		if (type == S_IFREG && st.st_nlink > 1)
			tell_number(look, ODD_LINKED, name, NULL, st.st_nlink);
	}
}

static void
look_at_parts(const struct look *look)
{
	look_at_part(look, ".", S_IFDIR);
	for (size_t i = 0; i < FOLDER_PARTS; i++)
		look_at_part(look, folder_parts[i], S_IFDIR);
	for (const char *const *file = folder_files; *file != NULL; file++)
		look_at_part(look, *file, S_IFREG);
}

/* --- what dead processes have left --- */

/* Whether there is a file that was not touched for so many seconds. */
static bool
is_left(int dirfd, const char *name, time_t now, int seconds)
{
	struct stat st;

	/* The inode's time counts too: a copy is a link, with the times of the old message. */
	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       now - st.st_ctime > seconds && now - st.st_mtime > seconds &&
	       now - st.st_atime > seconds;
}

void
check_left(const struct maildir_check *check, struct maildir *md, const struct check_place *place)
{
	struct maildir_finding finding = {.folder = place->folder, .odd = ODD_LOCK};
	const struct dotlock lock = {.md = md, .dirfd = place->fd, .name = place->lock};
	struct file_stamp stamp;

	finding.name = place->lock;
	if (dotlock_stale(&lock, check->now, &stamp))
		check->tell(check->ctx, &finding);
	finding.odd = ODD_TEMPORARY;
	for (const char *const *name = place->temporary; *name != NULL; name++) {
		finding.name = *name;
		if (is_left(place->fd, *name, check->now, TEMPORARY_SECONDS))
			check->tell(check->ctx, &finding);
	}
}

static int
look_at_delivery(void *ctx, const struct dirent *entry)
{
	const struct look *look = ctx;
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "tmp/%s", entry->d_name);
	if (is_left(look->folder->home.fd, path, look->check->now, OLD_SECONDS))
		tell(look, ODD_OLD, path, NULL);
	return 0;
}

static void
look_at_left(struct look *look)
{
	static const char *const temporary[] = {SNAPSHOT_TMP, LOG_TMP, SUMMARIES_TMP,
	    "sallyport.uidlist", "sallyport.dovecot-keywords", "sallyport.keywords.new",
	    "sallyport.dotlock", "sallyport.stale", NULL};
	const struct mddir *home = &look->folder->home;

	check_left(look->check, home->md,
	    &(struct check_place){home->fd, home->name, UIDLIST_LOCK_NAME, temporary});
	/* An unreadable directory was reported with the parts. */
	(void)!file_each_entry(home->fd, "tmp", look_at_delivery, look);
}

/* --- cur/ and new/ --- */

static void
put_path(int dir, const char *name, char path_r[PATH_SIZE])
{
	snprintf(path_r, PATH_SIZE, "%s/%s", dir == ENTRY_CUR ? "cur" : "new", name);
}

/*
 * Keeps what the scan reports until the scan has ended, since mending renames files.  Each report is two octets, the
 * kind and the directory, and the name with its NUL.
 */
static void
keep_odd(void *ctx, enum scan_odd odd, int dir, const char *name)
{
	struct look *look = ctx;
	const char head[2] = {(char)odd, (char)dir};

	mdbuf_add(&look->odd, head, sizeof(head));
	mdbuf_add(&look->odd, name, strlen(name) + 1);
}

/* Tells of a file and another name of the same base, if both are still there: one file, or two messages. */
static void
tell_pair(const struct look *look, const struct scan_file *file, int dir, const char *name)
{
	char path[2][PATH_SIZE];
	struct stat a, b;
	int later;

	put_path(file->dir, file->name, path[0]);
	put_path(dir, name, path[1]);
	later = strcmp(path[0], path[1]) < 0;
	if (fstatat(look->folder->home.fd, path[0], &a, AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstatat(look->folder->home.fd, path[1], &b, AT_SYMLINK_NOFOLLOW) == 0)
		tell(look, a.st_ino == b.st_ino && a.st_dev == b.st_dev ? ODD_TWIN : ODD_DOUBLED,
		    path[later], path[!later]);
}

static void
tell_odd(const struct look *look, enum scan_odd odd, int dir, const char *name)
{
	char path[PATH_SIZE];
	struct stat st;

	put_path(dir, name, path);
	if (odd == SCAN_ODD_TWIN) {
		size_t file = scan_find(&look->scan, name, mdname_base(name));

		if (file != SCAN_NONE)
			tell_pair(look, &look->scan.file[file], dir, name);
	} else if (fstatat(look->folder->home.fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		return; /* it is gone */
	} else if (!S_ISREG(st.st_mode)) {
		tell(look, ODD_NO_MESSAGE, path, kind_of(st.st_mode));
	} else if (odd == SCAN_ODD_DOT) {
		tell(look, ODD_NO_MESSAGE, path, "its name begins with a dot");
	} else if (odd == SCAN_ODD_NAME) {
		tell(look, ODD_NAME, path, NULL);
	}
}

static void
count_message(const struct look *look, int dir, const char *name, const struct stat *st)
{
	struct maildir_report *report = look->report;
	uint32_t flags, letters;
	uint64_t keywords;

	mdname_flags(name, &flags, &letters);
	keywords = keywords_of(look->folder->keywords, name, mdname_base(name), letters);
	report->messages++;
	report->without_uid++;
	report->fresh += dir == ENTRY_NEW;
	report->unseen += (flags & MAILDIR_SEEN) == 0;
	report->octets += (uint64_t)st->st_size;
	for (int i = 0; i < MAILDIR_KEYWORDS; i++)
		report->keyword[i].messages += keywords >> i & 1;
}

static bool
is_readable(int dirfd, const char *name, const struct stat *st)
{
	if (st->st_uid == geteuid())
		return (st->st_mode & S_IRUSR) != 0;
	return faccessat(dirfd, name, R_OK, AT_EACCESS) == 0;
}

/* Looks at a file that the scan has found.  false: it is not there any more; it is gone, or was renamed just now. */
static bool
look_at_message(const struct look *look, int dir, const char *name)
{
	int dirfd = look->folder->dir[dir];
	char path[PATH_SIZE], mode[16];
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return false;
	put_path(dir, name, path);
	if (!is_readable(dirfd, name, &st)) {
		snprintf(mode, sizeof(mode), "mode %04o", (unsigned)st.st_mode & 07777);
		tell_number(look, ODD_UNREADABLE, path, mode, st.st_uid);
	} else if (st.st_uid != look->owner) {
		tell_number(look, ODD_OWNER, path, NULL, st.st_uid);
	}
	count_message(look, dir, name, &st);
	return true;
}

static int
look_at_messages(struct look *look)
{
	struct scan *scan = &look->scan;
	int r = 0;

	scan_init(scan, look->folder, keep_odd, look);
	while (r == 0 && !scan->still && scan->passes < LOOK_PASSES) {
		/* Each pass finds all pairs. */
		scan->pairs = scan->unresolved = 0;
		r = scan_pass(scan);
	}
	if (r == 0 && look->odd.failed) {
		errno = ENOMEM;
		r = -1;
	}
	if (r < 0)
		return -1;
	for (size_t i = 0; i < scan->count; i++)
		if (look_at_message(look, scan->file[i].dir, scan->file[i].name))
			scan->file[i].message = 0;
	for (size_t i = 0; i < scan->pairs; i++) {
		const struct scan_pair *pair = &scan->pair[i];

		if (look_at_message(look, pair->dir, pair->name))
			tell_pair(look, &scan->file[pair->file], pair->dir, pair->name);
	}
	for (size_t i = 0; i < look->odd.len; i += 3 + strlen(look->odd.data + i + 2))
		tell_odd(look, (enum scan_odd)look->odd.data[i], look->odd.data[i + 1],
		    look->odd.data + i + 2);
	return 0;
}

/* Keywords were counted by number.  Keeps those that are in use, with their names. */
static void
name_keywords(const struct look *look)
{
	const char *names[MAILDIR_KEYWORDS];
	struct maildir_report *report = look->report;

	maildir_keyword_names(look->folder, names);
	for (int i = 0; i < MAILDIR_KEYWORDS; i++) {
		struct maildir_keyword *to = &report->keyword[report->keywords];
		size_t messages = report->keyword[i].messages;

		if (messages == 0)
			continue;
		to->number = i;
		to->messages = messages;
		snprintf(to->name, sizeof(to->name), "%s", names[i] != NULL ? names[i] : "");
		report->keywords++;
	}
}

/* --- dovecot-uidlist --- */

static int
load_uids(const struct look *look, struct uidfile *uids, struct uid_record *record)
{
	int r;

	/* The record first: a session that writes both writes it last. */
	memset(record, 0, sizeof(*record));
	if (look->folder->home.lock_fd >= 0)
		(void)!uid_record_read(&look->folder->home, record);
	if (uidfile_load(&look->folder->home, uids) == 0) {
		if (!uids->closed)
			return 0;
		uidfile_close(uids);
		errno = EACCES;
	}
	r = errno == ENOMEM ? -1 : 1;
	tell(look, ODD_CLOSED, UIDLIST_NAME, strerror(errno));
	return r;
}

static void
match_lines(struct look *look, const struct uidlist *list)
{
	for (size_t i = 0; i < list->count; i++) {
		size_t found = scan_find(&look->scan, list->line[i].base, list->line[i].base_len);
		struct scan_file *file = found != SCAN_NONE ? &look->scan.file[found] : NULL;

		if (file == NULL || file->message == SCAN_NONE) {
			look->report->without_file++;
			continue;
		}
		file->message = SCAN_NONE;
		look->report->without_uid--;
	}
}

static int
look_at_uids(struct look *look)
{
	struct uidfile uids = {.fd = -1};
	struct uid_record record;
	const char *doubt;
	int r = load_uids(look, &uids, &record);

	if (r == 0 && uids.list.state != UIDLIST_GOOD) {
		/* Another process may be writing it at this moment. */
		uidfile_close(&uids);
		mdclock_sleep_ms(LOOK_AGAIN_MS);
		r = load_uids(look, &uids, &record);
	}
	if (r != 0)
		return r < 0 ? -1 : 0;
	/* A folder that no session has opened yet has lost nothing. */
	(void)index_refresh(look->folder->index);
	doubt = uids.list.state == UIDLIST_NONE && record.validity == 0
		    ? NULL
		    : sync_doubt(look->folder, &uids.list, &record);
	if (doubt != NULL)
		tell(look, ODD_UIDLIST_LOST, UIDLIST_NAME, doubt);
	else if (uids.list.state == UIDLIST_TORN)
		tell(look, ODD_UIDLIST_TORN, UIDLIST_NAME, uids.list.what);
	if (uids.list.state != UIDLIST_NONE) {
		look->report->validity = uids.list.validity;
		look->report->next = uids.list.next;
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
look_at_index_files(const struct look *look)
{
	struct maildir_folder *folder = look->folder;
	struct stat st;

	if (fstatat(folder->home.fd, SNAPSHOT_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return MAILDIR_INDEX_NONE;
	if (!index_refresh(folder->index) ||
	    !index_verify(folder->index, &look->report->with_texts))
		return MAILDIR_INDEX_DAMAGED;
	/* An index without its log has messages, but does not say that they are all. */
	return index_is_private(folder->index) || times_look(folder) != 0 ? MAILDIR_INDEX_OLD
									  : MAILDIR_INDEX_CURRENT;
}

static void
look_at_index(const struct look *look)
{
	struct maildir_report *report = look->report;

	for (int pass = 0; pass < LOOK_PASSES; pass++) {
		struct file_stamp before, after;

		(void)!file_stamp_at(look->folder->home.fd, SNAPSHOT_NAME, &before);
		report->index = look_at_index_files(look);
		(void)!file_stamp_at(look->folder->home.fd, SNAPSHOT_NAME, &after);
		/* Another process has replaced it meanwhile. */
		if (file_stamp_same(&before, &after))
			break;
		index_close(look->folder->index);
	}
	report->snapshot = size_of(look, SNAPSHOT_NAME);
	report->log = size_of(look, LOG_NAME);
	report->texts = size_of(look, SUMMARIES_NAME);
	if (report->index == MAILDIR_INDEX_DAMAGED)
		tell(look, ODD_INDEX, SNAPSHOT_NAME, NULL);
}

/* --- the whole --- */

int
maildir_check_folder(struct maildir *md, const char *name, const struct maildir_check *check,
    struct maildir_report *report_r)
{
	struct look look;
	int r;

	if (look_open(md, name, check, report_r, &look) < 0)
		return -1;
	look_at_parts(&look);
	look_at_left(&look);
	if (keywords_refresh(look.folder->keywords) < 0)
		tell(&look, ODD_CLOSED, LETTERED_NAME, strerror(errno));
	r = look_at_messages(&look);
	if (r == 0) {
		name_keywords(&look);
		r = look_at_uids(&look);
	}
	if (r == 0)
		look_at_index(&look);
	look_close(&look);
	return r;
}

int
maildir_check_index(struct maildir *md, const char *name, struct maildir_report *report_r)
{
	struct look look;

	if (look_open(md, name, NULL, report_r, &look) < 0)
		return -1;
	look_at_index(&look);
	look_close(&look);
	return 0;
}
