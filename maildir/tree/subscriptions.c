/*
 * subscriptions.c: the file subscriptions, which names the folders that a user wants to see.
 * Runs as: mail user.
 *
 * The file is Dovecot's, in one of two formats, checked against a running Dovecot 2.3.19:
 *
 *	Sub.Folder
 *
 * is the old format: each line is a name, with the separator that names of directories have.  The new format begins
 * with a line that tells its version and an empty line, and has a tab between the parts of a name:
 *
 *	V<tab>2
 *
 *	Sub<tab>Folder
 *
 * We read both formats and keep the format of the file; a new file is of version 2, as Dovecot makes it.  No part of a
 * folder's name has a dot, so a dot and a slash both separate parts, wherever they stand.  Lines that can be no
 * folder's name stay as they are.  Dovecot holds subscriptions.lock from before it reads the file until it has
 * replaced it, and so do we.  If the file is missing, we import another server's (courier/) and write it at once, so
 * that Dovecot sees it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/dotlock.h"
#include "maildir/base/file.h"
#include "maildir/base/lock.h"
#include "maildir/base/span.h"
#include "maildir/folder/folder.h"
#include "maildir/tree/tree.h"

#define SUBSCRIPTIONS	    "subscriptions"
#define SUBSCRIPTIONS_TMP   "sallyport.subscriptions"
#define SUBSCRIPTIONS_ASIDE "sallyport.subs-stale"
#define SUBSCRIPTIONS_MINE  "sallyport.subs-lock"

/* Some ten thousand names.  A client that adds more must not fill the disk. */
#define SUBSCRIPTIONS_MAX (1024 * 1024)

#define VERSION_2 "V\t2\n"

struct subscriptions {
	char *text;
	size_t size;
	struct span rest; /* of the text: the next lines */
	bool version2;	  /* else a name a line */
	bool imported;	  /* the text comes from another server's file and is not written yet */
};

/*
 * Imports what another server kept, if there is no file.  An empty file says that the user has subscribed to nothing.
 */
static int
subscriptions_import(struct maildir *md, struct subscriptions *subs)
{
	struct mdbuf text = {0};
	struct stat st;
	int r;

	if (md->import == NULL || subs->size > 0 ||
	    fstatat(md->fd, SUBSCRIPTIONS, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if (errno != ENOENT)
		return -1;
	r = md->import->subscriptions(md, &text);
	if (r < 0 || text.len == 0) {
		mdbuf_clear(&text);
		return r;
	}
	free(subs->text);
	subs->text = text.data;
	subs->size = text.len;
	subs->imported = true;
	return 0;
}

static int
subscriptions_load(struct maildir *md, struct subscriptions *subs)
{
	size_t len = strlen(VERSION_2);

	memset(subs, 0, sizeof(*subs));
	if (file_read_root(md, SUBSCRIPTIONS, SUBSCRIPTIONS_MAX, &subs->text, &subs->size) < 0)
		return -1;
	if (subscriptions_import(md, subs) < 0) {
		free(subs->text);
		return -1;
	}
	subs->version2 =
	    subs->size == 0 || (subs->size >= len && memcmp(subs->text, VERSION_2, len) == 0);
	subs->rest = (struct span){subs->text, subs->size};
	if (subs->version2 && subs->size > 0)
		span_skip(&subs->rest, len);
	return 0;
}

/* The folder that a line names.  Returns false if there can be no such folder. */
static bool
line_name(const struct subscriptions *subs, struct span line, char name_r[NAME_SIZE])
{
	char text[NAME_SIZE] = "";

	if (line.len == 0 || !span_string(line, text, sizeof(text)))
		return false;
	for (char *p = text; *p != '\0'; p++) {
		if (*p == '.' || (subs->version2 && *p == '\t'))
			*p = '/';
	}
	return foldername_guess(text, name_r) == FOLDERNAME_OK;
}

/* --- changing it --- */

/* The separator of the parts of a name in this file. */
static char
subscriptions_separator(const struct subscriptions *subs)
{
	if (subs->version2)
		return '\t';
	return memchr(subs->text, '/', subs->size) != NULL &&
		       memchr(subs->text, '.', subs->size) == NULL
		   ? '/'
		   : '.';
}

/* Writes the folder as other programs know it: by its directory. */
static void
put_name(const struct subscriptions *subs, const struct place *place, struct mdbuf *out)
{
	const char separator = subscriptions_separator(subs);
	const char *path = strcmp(place->path, ".") == 0 ? place->name : place->path + 1;

	if (subs->size == 0)
		mdbuf_add(out, VERSION_2 "\n", strlen(VERSION_2) + 1);
	for (; *path != '\0'; path++)
		mdbuf_add(out, *path == '.' ? &separator : path, 1);
	mdbuf_add(out, "\n", 1);
}

/* Writes the file as it is, without the lines of that name.  Returns whether there was one. */
static bool
put_without(struct subscriptions *subs, const char *name, struct mdbuf *out)
{
	char found[NAME_SIZE];
	struct span line;
	bool was = false;

	mdbuf_add(out, subs->text, subs->size - subs->rest.len);
	/* The last line may lack its end, if it was cut off or written by hand. */
	while (span_line_or_rest(&subs->rest, &line)) {
		if (line_name(subs, line, found) && strcmp(found, name) == 0) {
			was = true;
			continue;
		}
		mdbuf_add(out, line.p, line.len);
		mdbuf_add(out, "\n", 1);
	}
	return was;
}

/* Changes the file under its lock file.  place NULL: only writes names that were imported. */
static int
subscribe_locked(
    struct maildir *md, const struct place *place, bool yes, const struct dotlock *lock)
{
	struct subscriptions subs;
	struct mdbuf text = {0};
	int r = 0;

	if (subscriptions_load(md, &subs) < 0)
		return -1;
	if (place == NULL)
		mdbuf_add(&text, subs.text, subs.size);
	if (place == NULL ? subs.imported : put_without(&subs, place->name, &text) != yes) {
		if (yes && place != NULL)
			put_name(&subs, place, &text);
		r = -1;
		if (yes && text.len > SUBSCRIPTIONS_MAX)
			errno = ENOSPC;
		else if (!dotlock_held(lock))
			errno = ENOLCK;
		else
			r = file_replace(md, md->fd, SUBSCRIPTIONS_TMP, SUBSCRIPTIONS, &text);
	}
	mdbuf_clear(&text);
	free(subs.text);
	return r;
}

static int
subscriptions_change(struct maildir *md, const struct place *place, bool yes)
{
	struct dotlock dotlock = {
	    .md = md,
	    .dirfd = md->fd,
	    .folder = SUBSCRIPTIONS,
	    .name = SUBSCRIPTIONS_LOCK_NAME,
	    .tmp = SUBSCRIPTIONS_MINE,
	    .aside = SUBSCRIPTIONS_ASIDE,
	};
	int lock = mdlock_tree(md), r;

	if (lock < 0)
		return -1;
	r = dotlock_take(&dotlock);
	if (r == 0) {
		r = subscribe_locked(md, place, yes, &dotlock);
		dotlock_drop(&dotlock);
	}
	close_keeping_errno(lock);
	return r;
}

int
maildir_subscribe(struct maildir *md, const char *name, bool yes)
{
	struct place place;
	int fd = place_find(md, name, &place);

	/* The folder need not exist, nor be readable. */
	if (fd >= 0)
		close(fd);
	else if (errno == EINVAL)
		return -1;
	return subscriptions_change(md, &place, yes);
}

int
maildir_subscriptions(struct maildir *md, bool (*each)(void *ctx, const char *name), void *ctx)
{
	struct subscriptions subs;
	char name[NAME_SIZE];
	struct span line;

	if (subscriptions_load(md, &subs) < 0)
		return -1;
	/* Ignore a failure: the next session imports the subscriptions again. */
	if (subs.imported)
		(void)!subscriptions_change(md, NULL, true);
	while (span_line_or_rest(&subs.rest, &line)) {
		if (line_name(&subs, line, name) && !each(ctx, name))
			break;
	}
	free(subs.text);
	return 0;
}
