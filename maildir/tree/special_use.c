/*
 * special_use.c: the file sallyport.special-use, which says what clients use folders for.  RFC 6154.
 * Runs as: mail user.
 *
 * A line is "\Sent Sub/Folder".  A folder may have several uses, and a use several folders.  Lines that cannot be read
 * are passed over, and the next change removes them, since no other program writes the file.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/base/file.h"
#include "maildir/base/lock.h"
#include "maildir/base/span.h"
#include "maildir/folder/folder.h"
#include "maildir/tree/tree.h"

#define SPECIAL_USE	"sallyport.special-use"
#define SPECIAL_USE_TMP "sallyport.special-use.tmp"

/* Users need a few lines.  A client that adds hundreds must not fill the disk. */
#define SPECIAL_USE_MAX (64 * 1024)

/* A use is a backslash and a word; the longest registered word has nine letters. */
#define USE_MAX 32

struct use {
	char use[USE_MAX + 1];
	char name[NAME_SIZE];
};

static bool
use_valid(const char *use)
{
	size_t len = strlen(use);

	if (use[0] != '\\' || len < 2 || len > USE_MAX)
		return false;
	for (size_t i = 1; i < len; i++) {
		if (!((use[i] >= 'A' && use[i] <= 'Z') || (use[i] >= 'a' && use[i] <= 'z')))
			return false;
	}
	return true;
}

/* Reads a line without its newline. */
static bool
use_parse(struct span line, struct use *use_r)
{
	char text[NAME_SIZE];
	struct span use;

	if (line.len == 0 || *line.p == ' ' || !span_word(&line, &use) || !span_char(&line, ' '))
		return false;
	return span_string(use, use_r->use, sizeof(use_r->use)) &&
	       span_string(line, text, sizeof(text)) && use_valid(use_r->use) &&
	       foldername_guess(text, use_r->name) == FOLDERNAME_OK;
}

int
maildir_special_uses(
    struct maildir *md, bool (*each)(void *ctx, const char *use, const char *name), void *ctx)
{
	struct span rest, line;
	struct use use;
	char *text;

	if (file_read_root(md, SPECIAL_USE, SPECIAL_USE_MAX, &text, &rest.len) < 0)
		return -1;
	rest.p = text;
	while (span_line(&rest, &line)) {
		if (use_parse(line, &use) && !each(ctx, use.use, use.name))
			break;
	}
	free(text);
	return 0;
}

/* --- changing it --- */

/* The file as it will be. */
struct change {
	const char *from, *to;	/* lines of the folder from follow; to NULL: they go */
	const char *use, *name; /* or a line that is added */
	struct mdbuf text;
	bool differs, present;
};

static void
use_put(const char *use, const char *name, const char *rest, struct mdbuf *out)
{
	mdbuf_add(out, use, strlen(use));
	mdbuf_add(out, " ", 1);
	mdbuf_add(out, name, strlen(name));
	mdbuf_add(out, rest, strlen(rest));
	mdbuf_add(out, "\n", 1);
}

static bool
change_line(void *ctx, const char *use, const char *name)
{
	struct change *change = ctx;
	size_t len = change->from != NULL ? strlen(change->from) : 0;

	if (len == 0 || strncmp(name, change->from, len) != 0 ||
	    (name[len] != '\0' && (name[len] != '/' || change->to == NULL))) {
		change->present |= change->use != NULL && strcmp(use, change->use) == 0 &&
				   strcmp(name, change->name) == 0;
		use_put(use, name, "", &change->text);
		return true;
	}
	change->differs = true;
	if (change->to != NULL)
		use_put(use, change->to, name + len, &change->text);
	return true;
}

/* Under the lock of the tree. */
static int
change_store(struct maildir *md, struct change *change)
{
	int r = maildir_special_uses(md, change_line, change);

	if (r == 0 && change->use != NULL && !change->present) {
		use_put(change->use, change->name, "", &change->text);
		change->differs = true;
	}
	if (r == 0 && change->text.len > SPECIAL_USE_MAX) {
		errno = ENOSPC;
		r = -1;
	}
	if (r == 0 && change->differs)
		r = file_replace(md, md->fd, SPECIAL_USE_TMP, SPECIAL_USE, &change->text);
	mdbuf_clear(&change->text);
	return r;
}

int
special_use_follow(struct maildir *md, const char *from, const char *to)
{
	struct change change = {.from = from, .to = to};

	return change_store(md, &change);
}

int
maildir_special_use_set(struct maildir *md, const char *use, const char *name)
{
	struct place place;
	struct change change = {.use = use, .name = place.name};
	int lock, r;

	if (place_of(name, &place) < 0)
		return -1;
	if (!use_valid(use)) {
		errno = EINVAL;
		return -1;
	}
	lock = mdlock_tree(md);
	if (lock < 0)
		return -1;
	r = change_store(md, &change);
	close_keeping_errno(lock);
	return r;
}
