/*
 * special_use.c: the file sallyport.special-use, which says what clients use folders for.  RFC 6154.
 * Runs as: mail user.
 *
 * A line is "\Sent Sub/Folder"; a folder may have several, and a use several folders.  Lines that
 * cannot be read are passed over, and are gone with the next change: the file is ours alone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/base/file.h"
#include "maildir/base/lock.h"
#include "maildir/folder/folder.h"
#include "maildir/tree/tree.h"

#define SPECIAL_USE	"sallyport.special-use"
#define SPECIAL_USE_TMP "sallyport.special-use.tmp"

/* A few lines; a client that adds hundreds must not fill the disk. */
#define SPECIAL_USE_MAX (64 * 1024)

/* A backslash and a word; the longest that is registered has nine letters. */
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

/* A line without its newline. */
static bool
use_parse(const char *line, size_t len, struct use *use_r)
{
	const char *blank = memchr(line, ' ', len);
	size_t use = blank != NULL ? (size_t)(blank - line) : len;
	char text[NAME_SIZE];

	if (blank == NULL || use > USE_MAX || len - use - 1 >= NAME_SIZE ||
	    memchr(line, '\0', len) != NULL)
		return false;
	memcpy(use_r->use, line, use);
	use_r->use[use] = '\0';
	memcpy(text, blank + 1, len - use - 1);
	text[len - use - 1] = '\0';
	return use_valid(use_r->use) && foldername_guess(text, use_r->name) == FOLDERNAME_OK;
}

/* Calls each for all lines that can be read, until it returns false. */
static int
uses_read(struct maildir *md, bool (*each)(void *ctx, struct use *use), void *ctx)
{
	char *text, *end, *newline;
	struct use use;
	size_t size;

	if (file_read_root(md, SPECIAL_USE, SPECIAL_USE_MAX, &text, &size) < 0)
		return -1;
	end = text + size;
	for (char *p = text; p < end; p = newline + 1) {
		newline = memchr(p, '\n', (size_t)(end - p));
		if (newline == NULL)
			break;
		if (use_parse(p, (size_t)(newline - p), &use) && !each(ctx, &use))
			break;
	}
	free(text);
	return 0;
}

struct telling {
	bool (*each)(void *ctx, const char *use, const char *name);
	void *ctx;
};

static bool
tell(void *ctx, struct use *use)
{
	struct telling *telling = ctx;

	return telling->each(telling->ctx, use->use, use->name);
}

int
maildir_special_uses(
    struct maildir *md, bool (*each)(void *ctx, const char *use, const char *name), void *ctx)
{
	struct telling telling = {each, ctx};

	return uses_read(md, tell, &telling);
}

/* --- changing it --- */

/* The file as it will be. */
struct change {
	const char *from, *to; /* names that follow; to NULL: those of the folder go */
	struct use add;	       /* or one that is added */
	struct mdtext text;
	bool differs, present;
};

static void
use_put(const char *use, const char *name, struct mdtext *out)
{
	mdtext_add(out, use, strlen(use));
	mdtext_add(out, " ", 1);
	mdtext_add(out, name, strlen(name));
	mdtext_add(out, "\n", 1);
}

static bool
change_line(void *ctx, struct use *use)
{
	struct change *change = ctx;
	size_t len = change->from != NULL ? strlen(change->from) : 0;
	char name[2 * NAME_SIZE];

	if (len == 0 || strncmp(use->name, change->from, len) != 0 ||
	    (use->name[len] != '\0' && (use->name[len] != '/' || change->to == NULL))) {
		change->present |= strcmp(use->use, change->add.use) == 0 &&
				   strcmp(use->name, change->add.name) == 0;
		use_put(use->use, use->name, &change->text);
		return true;
	}
	change->differs = true;
	if (change->to != NULL) {
		snprintf(name, sizeof(name), "%s%s", change->to, use->name + len);
		use_put(use->use, name, &change->text);
	}
	return true;
}

/* Under the lock of the tree. */
static int
change_store(struct maildir *md, struct change *change)
{
	int r = uses_read(md, change_line, change);

	if (r == 0 && change->add.use[0] != '\0' && !change->present) {
		use_put(change->add.use, change->add.name, &change->text);
		change->differs = true;
	}
	if (r == 0 && change->text.len > SPECIAL_USE_MAX) {
		errno = ENOSPC;
		r = -1;
	}
	if (r == 0 && change->differs)
		r = file_replace(md, md->fd, SPECIAL_USE_TMP, SPECIAL_USE, &change->text);
	mdtext_clear(&change->text);
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
	struct change change = {.from = NULL};
	struct place place;
	int lock, r;

	if (place_of(name, &place) < 0)
		return -1;
	if (!use_valid(use)) {
		errno = EINVAL;
		return -1;
	}
	memcpy(change.add.use, use, strlen(use) + 1);
	memcpy(change.add.name, place.name, strlen(place.name) + 1);
	lock = mdlock_tree(md);
	if (lock < 0)
		return -1;
	r = change_store(md, &change);
	close_keeping_errno(lock);
	return r;
}
