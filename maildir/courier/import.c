/*
 * import.c: imports what Courier kept in a folder, before the folder's first sync.
 * Runs as: mail user, holding the folder's lock.
 *
 * uids.c and keywordfiles.c parse the formats, and describe them.  courierimapsubscribed, in the Maildir itself, has
 * a line "INBOX.Sub.Folder" for each folder.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/array.h"
#include "maildir/base/file.h"
#include "maildir/base/span.h"
#include "maildir/courier/courier.h"
#include "maildir/courier/format.h"
#include "maildir/folder/folder.h"
#include "maildir/uids/keywords.h"
#include "maildir/uids/validity.h"

#define COURIER_UIDS	      "courierimapuiddb"
#define COURIER_UIDLS	      "courierpop3dsizelist"
#define COURIER_KEYWORDS      "courierimapkeywords"
#define COURIER_KEYWORDS_LIST ":list"
#define COURIER_SUBSCRIBED    "courierimapsubscribed"

/* About a million messages; what is larger is none of these files. */
#define COURIER_SIZE_MAX (256 * 1024 * 1024)

/* A file with the keywords of a single message. */
#define COURIER_SINGLE_MAX (64 * 1024)

/* Some ten thousand names. */
#define COURIER_SUBSCRIBED_MAX (1024 * 1024)

/* A folder in which somebody renames all the time is given up on: flags that he sets are kept. */
#define APPLY_PASSES 4

/* All of a file; *text_r is NULL where there is none.  An unreadable file is treated as missing. */
static int
courier_read(struct maildir_folder *folder, int dirfd, const char *name, size_t max, char **text_r,
    size_t *size_r)
{
	struct stat st;

	if (file_read(dirfd, name, max, text_r, size_r, &st) == 0)
		return 0;
	*text_r = NULL;
	*size_r = 0;
	if (errno == ENOENT)
		return 0;
	if (errno != EACCES && errno != EINVAL && errno != EFBIG && errno != EISDIR)
		return -1;
	root_notice(folder->home.md, "%s: Courier's %s: %s; it is not taken over",
	    folder->home.name, name, errno == EFBIG ? "it is too large" : strerror(errno));
	return 0;
}

static int
read_uidls(struct maildir_folder *folder, struct courier_uidls *uidls, char **text_r)
{
	size_t size;

	memset(uidls, 0, sizeof(*uidls));
	if (courier_read(folder, folder->home.fd, COURIER_UIDLS, COURIER_SIZE_MAX, text_r, &size) <
	    0)
		return -1;
	if (*text_r == NULL)
		return 0;
	if (courier_uidls_parse(uidls, *text_r, size) < 0) {
		free(*text_r);
		*text_r = NULL;
		return -1;
	}
	if (uidls->what != NULL)
		root_notice(folder->home.md,
		    "%s: Courier's " COURIER_UIDLS ": %s; some POP3 UIDLs change",
		    folder->home.name, uidls->what);
	return 0;
}

/* A missing file has no lines, and UIDs that are not known. */
static int
read_uids(struct maildir_folder *folder, struct uidlist *db)
{
	char *text;
	size_t size;

	memset(db, 0, sizeof(*db));
	db->state = UIDLIST_NONE;
	if (courier_read(folder, folder->home.fd, COURIER_UIDS, COURIER_SIZE_MAX, &text, &size) < 0)
		return -1;
	if (text == NULL)
		return 0;
	if (uidlist_parse(db, text, size) < 0)
		return -1;
	if (!courier_uids_known(db))
		root_notice(folder->home.md,
		    "%s: Courier's " COURIER_UIDS
		    ": its head is damaged; all messages get new UIDs",
		    folder->home.name);
	else if (db->state != UIDLIST_GOOD)
		root_notice(folder->home.md,
		    "%s: Courier's " COURIER_UIDS ": %s; some messages get new UIDs",
		    folder->home.name, db->what);
	return 0;
}

static int
write_uids(struct maildir_folder *folder, const struct uidlist *db, struct courier_uidls *uidls)
{
	struct uidfile file = {.fd = -1};
	struct mdbuf text = {0};
	uint32_t validity = 0;
	int r;

	if (!courier_uids_known(db) && validity_next(folder->home.md, db->validity, &validity) < 0)
		return -1;
	r = courier_put_uids(&text, db, uidls, validity);
	if (r == 0)
		r = uidfile_replace(&folder->home, &file, &text);
	mdbuf_clear(&text);
	return r;
}

/* --- keywords of files --- */

/* A file with the keywords of a single message. */
struct single_file {
	char *name;
	const char *base; /* of the message; in name */
	uint64_t rank;	  /* the highest counts */
};

struct single_files {
	struct single_file *list;
	size_t count, room;
};

static int
singles_compare(const void *a, const void *b)
{
	const struct single_file *x = a, *y = b;
	int r = strcmp(x->base, y->base);

	return r != 0 ? r : (x->rank < y->rank) - (x->rank > y->rank);
}

static void
singles_clear(struct single_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		free(files->list[i].name);
	free(files->list);
}

static int
singles_add(void *ctx, const struct dirent *entry)
{
	struct single_files *files = ctx;
	const char *name = entry->d_name;
	struct single_file file, *list;

	if (!courier_keywords_file(name, &file.base, &file.rank))
		return 0;
	list = array_grow(files->list, files->count, &files->room, sizeof(file));
	if (list == NULL)
		return -1;
	files->list = list;
	file.name = strdup(name);
	if (file.name == NULL)
		return -1;
	file.base = file.name + (file.base - name);
	files->list[files->count++] = file;
	return 0;
}

/* Reads the newest of each message. */
static int
singles_read(struct maildir_folder *folder, int dirfd, const struct single_files *files,
    struct courier_keywords *keywords)
{
	char *text;
	size_t size;
	int r = 0;

	for (size_t i = 0; r == 0 && i < files->count; i++) {
		const struct single_file *file = &files->list[i];

		if (i > 0 && strcmp(files->list[i - 1].base, file->base) == 0)
			continue;
		if (courier_read(folder, dirfd, file->name, COURIER_SINGLE_MAX, &text, &size) < 0)
			return -1;
		if (text != NULL)
			r = courier_keywords_own(keywords, file->base, text, size);
		free(text);
	}
	return r;
}

static int
read_keywords_in(struct maildir_folder *folder, int dirfd, struct courier_keywords *keywords)
{
	struct single_files files = {0};
	char *text = NULL;
	size_t size = 0;
	int r = file_each_entry(dirfd, ".", singles_add, &files);

	if (files.count > 0)
		qsort(files.list, files.count, sizeof(*files.list), singles_compare);
	if (r == 0)
		r = singles_read(folder, dirfd, &files, keywords);
	singles_clear(&files);
	if (r == 0)
		r = courier_read(
		    folder, dirfd, COURIER_KEYWORDS_LIST, COURIER_SIZE_MAX, &text, &size);
	if (r == 0)
		r = courier_keywords_list(keywords, text != NULL ? text : "", size);
	free(text);
	return r;
}

static int
read_keywords(struct maildir_folder *folder, struct courier_keywords *keywords)
{
	int fd = file_open_dir(folder->home.fd, COURIER_KEYWORDS), r;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EACCES
			   ? 0
			   : -1;
	r = read_keywords_in(folder, fd, keywords);
	close_keeping_errno(fd);
	if (r == 0 && keywords->what != NULL)
		root_notice(folder->home.md, "%s: Courier's " COURIER_KEYWORDS ": %s",
		    folder->home.name, keywords->what);
	return r;
}

/* The bit of the number that each name gets; 0 for those that cannot have one. */
static int
name_bits(struct maildir_folder *folder, const struct courier_keywords *keywords,
    uint64_t bits[COURIER_NAMES_MAX])
{
	for (size_t i = 0; i < keywords->names; i++) {
		int number = -1;

		errno = EINVAL;
		if (keyword_valid(keywords->name[i]))
			number = folder_add_keyword(folder, keywords->name[i], true);
		if (number < 0 && errno != EINVAL && errno != ERANGE)
			return -1;
		bits[i] = number >= 0 ? UINT64_C(1) << number : 0;
		if (number < 0)
			root_notice(folder->home.md,
			    "%s: Courier's keyword %s is not taken over: %s", folder->home.name,
			    keywords->name[i],
			    errno == ERANGE ? "there are too many" : "it cannot be one");
	}
	return 0;
}

/* The keywords of the message whose marks begin at *i, which moves on to the next message. */
static uint64_t
mark_bits(const struct courier_keywords *keywords, const uint64_t *bits, size_t *i)
{
	const char *base = keywords->mark[*i].base;
	uint64_t all = 0;

	for (; *i < keywords->marks && strcmp(keywords->mark[*i].base, base) == 0; ++*i) {
		if (keywords->mark[*i].name != COURIER_OWN)
			all |= bits[keywords->mark[*i].name];
	}
	return all;
}

struct apply {
	struct maildir_folder *folder;
	const struct courier_keywords *keywords;
	const uint64_t *bits; /* of the names */
	bool again;	      /* a file was renamed meanwhile, and is to be looked for */
};

/* Gives a file the letters that it lacks. */
static int
apply_name(void *ctx, const struct dirent *entry)
{
	struct apply *apply = ctx;
	const char *name = entry->d_name;
	int cur = apply->folder->dir[ENTRY_CUR];
	struct mdname_change change = {0};
	uint32_t flags, has;
	char changed[NAME_SIZE];
	size_t i = courier_keywords_find(apply->keywords, name, mdname_base(name));

	if (i == apply->keywords->marks)
		return 0;
	change.add_keywords =
	    (uint32_t)(mark_bits(apply->keywords, apply->bits, &i) & LETTERS_MASK);
	mdname_flags(name, &flags, &has);
	if ((change.add_keywords & ~has) == 0)
		return 0;
	if (mdname_apply(name, &change, changed) == 0 && file_move(cur, name, cur, changed) == 0)
		return 0;
	if (errno == ENOENT) {
		apply->again = true;
		return 0;
	}
	if (errno != ENAMETOOLONG && errno != EEXIST)
		return -1;
	root_notice(apply->folder->home.md, "%s: cur/%s: Courier's keywords are not taken over: %s",
	    apply->folder->home.name, name, strerror(errno));
	return 0;
}

/* Those that are no letters, written down at once. */
static int
apply_more(
    struct maildir_folder *folder, const struct courier_keywords *keywords, const uint64_t *bits)
{
	struct numbered_message *change = calloc(keywords->marks + 1, sizeof(*change));
	size_t count = 0, i = 0;
	int r = 0;

	if (change == NULL)
		return -1;
	while (i < keywords->marks) {
		const char *base = keywords->mark[i].base;
		uint64_t more = mark_bits(keywords, bits, &i) & NUMBERED_BITS;

		if (more != 0)
			change[count++] = (struct numbered_message){base, strlen(base), more};
	}
	if (count > 0)
		r = folder_store_keywords(folder, change, count);
	free(change);
	return r;
}

/* Keywords are on disk before dovecot-uidlist is: after a death in between the import begins from the start. */
static int
write_keywords(struct maildir_folder *folder, const struct courier_keywords *keywords)
{
	uint64_t bits[COURIER_NAMES_MAX];
	struct apply apply = {folder, keywords, bits, .again = true};

	if (keywords->names == 0)
		return 0;
	if (name_bits(folder, keywords, bits) < 0 || apply_more(folder, keywords, bits) < 0)
		return -1;
	for (int pass = 0; apply.again && pass < APPLY_PASSES; pass++) {
		apply.again = false;
		if (file_each_entry(folder->dir[ENTRY_CUR], ".", apply_name, &apply) < 0)
			return -1;
	}
	return fsync(folder->dir[ENTRY_CUR]);
}

/* With dovecot-uidlist.lock, too.  See struct maildir_import. */
static int
import_folder(struct maildir_folder *folder)
{
	struct courier_keywords *keywords = calloc(1, sizeof(*keywords));
	struct courier_uidls uidls = {0};
	struct uidlist db = {.state = UIDLIST_NONE};
	char *uidl_text = NULL;
	int r = -1;

	if (keywords != NULL && read_uids(folder, &db) == 0 &&
	    read_uidls(folder, &uidls, &uidl_text) == 0 && read_keywords(folder, keywords) == 0)
		r = write_keywords(folder, keywords);
	if (r == 0 && (db.state != UIDLIST_NONE || uidls.count > 0))
		r = write_uids(folder, &db, &uidls) < 0 ? -1 : 1;
	if (keywords != NULL)
		courier_keywords_clear(keywords);
	free(keywords);
	courier_uidls_clear(&uidls);
	free(uidl_text);
	uidlist_clear(&db);
	return r;
}

/* --- subscriptions --- */

#define SUBSCRIPTIONS_HEAD "V\t2\n\n"

/* Writes "INBOX.Sub.Folder" as "Sub<tab>Folder".  Folders of others ("shared.") are not imported. */
static void
put_subscribed(struct mdbuf *out, struct span line)
{
	const size_t inbox = strlen("INBOX");
	char text[NAME_SIZE], name[NAME_SIZE];

	if (line.len < inbox || strncasecmp(line.p, "INBOX", inbox) != 0 ||
	    (line.len > inbox && line.p[inbox] != '.') || memchr(line.p, '/', line.len) != NULL)
		return;
	if (line.len > inbox)
		span_skip(&line, inbox + 1);
	if (!span_string(line, text, sizeof(text)))
		return;
	for (char *p = text; (p = strchr(p, '.')) != NULL;)
		*p = '/';
	if (foldername_guess(text, name) != FOLDERNAME_OK)
		return;
	for (char *p = text; (p = strchr(p, '/')) != NULL;)
		*p = '\t';
	if (out->len == 0)
		mdbuf_add(out, SUBSCRIPTIONS_HEAD, strlen(SUBSCRIPTIONS_HEAD));
	mdbuf_add(out, text, line.len);
	mdbuf_add(out, "\n", 1);
}

void
courier_put_subscriptions(struct mdbuf *out, const char *octets, size_t size)
{
	struct span text = {octets, size}, line;

	while (span_line(&text, &line))
		put_subscribed(out, line);
}

static int
import_subscriptions(struct maildir *md, struct mdbuf *out)
{
	char *text;
	size_t size;

	if (file_read_root(md, COURIER_SUBSCRIBED, COURIER_SUBSCRIBED_MAX, &text, &size) < 0)
		return errno == EACCES || errno == EIO ? 0 : -1;
	courier_put_subscriptions(out, text, size);
	free(text);
	if (!out->failed)
		return 0;
	errno = ENOMEM;
	return -1;
}

void
courier_import(struct maildir *md)
{
	static const struct maildir_import import = {import_folder, import_subscriptions};

	md->import = &import;
}
