/*
 * keywords.c: names of the keyword letters.
 * Runs as: mail user; its parser is fuzzed by tests/fuzz/fuzz_keywords.c.
 *
 * dovecot-keywords has a line "<number> <name>" for each letter, 0 for 'a' to 25 for 'z'.  Dovecot
 * replaces it as a whole while it holds dovecot-uidlist.lock (of dovecot-keywords.lock it only makes
 * its temporary file), and so do we.  A letter that no line names it calls unknown-0 and so on, and
 * writes that into the file.  When all letters are taken numbers go on in a file of our own
 * (more_keywords.c), which Dovecot knows nothing of; so letters first.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/file.h"
#include "maildir/base/lock.h"
#include "maildir/folder/folder.h"
#include "maildir/folder/scan.h"
#include "maildir/index/index.h"
#include "maildir/uids/keywords.h"
#include "maildir/uids/more_keywords.h"

/* 26 names; a file that is much larger is something else. */
#define KEYWORDS_SIZE_MAX (64 * 1024)

#define KEYWORDS_TMP "sallyport.dovecot-keywords"

/* How often a folder in which files are being renamed is looked through for letters in use. */
#define LETTER_PASSES 3

bool
keyword_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > KEYWORD_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c <= 0x20 || c >= 0x7f || strchr("(){%*\"\\]", c) != NULL)
			return false;
	}
	return true;
}

/* A line without its newline: its number and name, or false. */
static bool
line_split(
    const char *line, size_t len, unsigned *number_r, const char **name_r, size_t *name_len_r)
{
	unsigned number = 0;
	size_t i = 0;

	for (; i < len && i < 2 && line[i] >= '0' && line[i] <= '9'; i++)
		number = number * 10 + (unsigned)(line[i] - '0');
	if (i == 0 || i >= len || line[i] != ' ' || number >= KEYWORD_LETTERS)
		return false;
	*number_r = number;
	*name_r = line + i + 1;
	*name_len_r = len - i - 1;
	return true;
}

/* What can stand in the file, though IMAP may not have it: its letter is taken all the same. */
static bool
name_is_text(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)name[i] < 0x20)
			return false;
	}
	return len > 0 && len <= KEYWORD_MAX;
}

void
keywords_parse(struct keywords *keywords, const char *text, size_t size)
{
	const char *end = text + size, *newline, *name;
	unsigned number;
	size_t len;

	memset(keywords, 0, sizeof(*keywords));
	for (const char *p = text; p < end; p = newline + 1) {
		newline = memchr(p, '\n', (size_t)(end - p));
		if (newline == NULL)
			break;
		if (!line_split(p, (size_t)(newline - p), &number, &name, &len))
			continue;
		/* The first line of a number counts. */
		if (keywords->name[number][0] == '\0' && name_is_text(name, len))
			memcpy(keywords->name[number], name, len);
	}
}

void
keywords_put(const struct keywords *keywords, struct mdtext *out)
{
	for (unsigned i = 0; i < KEYWORD_LETTERS; i++) {
		if (keywords->name[i][0] != '\0')
			mdtext_addf(out, "%u %s\n", i, keywords->name[i]);
	}
}

int
keywords_find(const struct keywords *keywords, const char *name)
{
	for (int i = 0; i < KEYWORD_LETTERS; i++) {
		if (keywords->name[i][0] != '\0' && strcasecmp(keywords->name[i], name) == 0)
			return i;
	}
	return -1;
}

/* --- the file --- */

/* A missing file, a non-file, an oversized file and one that cannot be read all mean: no names. */
static int
keywords_load(struct maildir_folder *folder, struct keywords *keywords)
{
	struct stat st;
	char *text;
	size_t size;
	int fd = file_open_regular(folder->home.fd, KEYWORDS_NAME, &st), r, saved;

	memset(keywords, 0, sizeof(*keywords));
	if (fd < 0 && (errno == EACCES || errno == EPERM || errno == EINVAL)) {
		file_notice(folder->home.md, folder->home.fd, KEYWORDS_NAME, errno);
		keywords->closed = errno != EINVAL;
		return file_stamp_at(folder->home.fd, KEYWORDS_NAME, &keywords->stamp);
	}
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	r = file_read_all(fd, KEYWORDS_SIZE_MAX, &text, &size);
	saved = errno;
	close(fd);
	errno = saved;
	if (r < 0)
		return errno == EFBIG ? 0 : -1;
	keywords_parse(keywords, text, size);
	free(text);
	file_stamp_of(&st, &keywords->stamp);
	return 0;
}

/* Reads it again if it has changed; on errors what was read before stays. */
static int
letters_refresh(struct maildir_folder *folder)
{
	struct file_stamp now;
	struct keywords fresh;

	if (file_stamp_at(folder->home.fd, KEYWORDS_NAME, &now) < 0)
		return -1;
	if (folder->keywords != NULL && file_stamp_same(&now, &folder->keywords->stamp))
		return 0;
	if (keywords_load(folder, &fresh) < 0)
		return -1;
	if (folder->keywords == NULL && (folder->keywords = malloc(sizeof(fresh))) == NULL)
		return -1;
	*folder->keywords = fresh;
	return 0;
}

int
keywords_refresh(struct maildir_folder *folder)
{
	/* Read when the batch began. */
	if (folder_in_batch(folder) && folder->keywords != NULL && folder->more != NULL)
		return 0;
	if (folder->more == NULL && (folder->more = calloc(1, sizeof(*folder->more))) == NULL)
		return -1;
	return letters_refresh(folder) < 0 ? -1 : more_refresh(&folder->home, folder->more);
}

void
keywords_forget(struct maildir_folder *folder)
{
	if (folder->more != NULL)
		more_clear(folder->more);
	free(folder->more);
	free(folder->keywords);
	folder->more = NULL;
	folder->keywords = NULL;
}

/* Whether there is anything to be told of, though not all could be read. */
static bool
keywords_known(struct maildir_folder *folder)
{
	return keywords_refresh(folder) == 0 || (folder->keywords != NULL && folder->more != NULL);
}

/* --- which a message has --- */

/* The letter that has the name of a number beyond them, or -1. */
static int
letter_of(const struct maildir_folder *folder, int number)
{
	const char *name = folder->more->name[number - MORE_FIRST];

	return name != NULL ? keywords_find(folder->keywords, name) : -1;
}

uint64_t
keywords_of(
    const struct maildir_folder *folder, const char *base, size_t base_len, uint32_t letters)
{
	uint64_t keywords = letters, more;

	if (folder->keywords == NULL || folder->more == NULL)
		return keywords;
	more = more_mask(folder->more, base, base_len);
	for (int i = MORE_FIRST; i < MAILDIR_KEYWORDS && more >> i != 0; i++) {
		int letter = more & UINT64_C(1) << i ? letter_of(folder, i) : -1;

		if (letter >= 0) {
			more &= ~(UINT64_C(1) << i);
			keywords |= UINT64_C(1) << letter;
		}
	}
	return keywords | more;
}

bool
keywords_split(const struct maildir_folder *folder, const char *base, size_t base_len, uint64_t now,
    const struct maildir_flag_change *change, struct mdname_change *name_r, uint64_t *more_r)
{
	/* Letters in it are of numbers whose name has got one since; from now on that is what counts. */
	uint64_t told = keywords_of(folder, base, base_len, 0);
	uint64_t add = (change->add_keywords | (told & now)) & ~change->remove_keywords;

	name_r->add = change->add;
	name_r->remove = change->remove;
	name_r->add_keywords = (uint32_t)(add & ~MORE_BITS);
	name_r->remove_keywords = (uint32_t)(change->remove_keywords & ~MORE_BITS);
	*more_r = (now | change->add_keywords) & ~change->remove_keywords & MORE_BITS;
	return *more_r != (now & MORE_BITS) ||
	       (folder->more != NULL && (more_mask(folder->more, base, base_len) & ~told) != 0);
}

int
keywords_save(struct maildir_folder *folder, const struct more_change *change, size_t count)
{
	struct file_stamp *seen = &folder->index->state.more;
	bool same;
	int r;

	if (keywords_refresh(folder) < 0)
		return -1;
	same = file_stamp_same(&folder->more->stamp, seen);
	r = more_store(&folder->home, folder->more, change, count);
	/* What could not be written, all of it or half, is for the next sync to find. */
	if (same && r == 0)
		*seen = folder->more->stamp;
	else if (r < 0)
		memset(seen, 0xff, sizeof(*seen));
	return r;
}

/* Replaces the file; it is on disk then. */
static int
keywords_store(struct maildir_folder *folder, const struct keywords *keywords)
{
	struct mdtext text = {0};
	int r;

	keywords_put(keywords, &text);
	r = file_write(folder->home.fd, KEYWORDS_TMP, &text, NULL);
	if (r == 0 && !dotlock_held(&folder->home)) {
		(void)unlinkat(folder->home.fd, KEYWORDS_TMP, 0);
		errno = ENOLCK;
		r = -1;
	}
	if (r == 0)
		r = file_place(
		    folder->home.md, folder->home.fd, KEYWORDS_TMP, KEYWORDS_NAME, false);
	if (r == 0)
		r = fsync(folder->home.fd);
	mdtext_clear(&text);
	return r;
}

/* Letters on messages that the folder has now, whether it was synced or not. */
static int
letters_in_use(struct maildir_folder *folder, uint32_t *letters_r)
{
	uint32_t flags, letters;
	struct scan scan;
	int r = 0;

	*letters_r = 0;
	scan_init(&scan, folder);
	scan.notices = UINT32_MAX / 2; /* maildir_sync tells of odd names */
	while (r == 0 && !scan.still && scan.passes < LETTER_PASSES)
		r = scan_pass(&scan);
	for (size_t i = 0; i < scan.count; i++) {
		mdname_flags(scan.file[i].name, &flags, &letters);
		*letters_r |= letters;
	}
	scan_clear(&scan);
	return r;
}

/* A letter without a name, on no message: one that is would get a keyword by that.  -1: none. */
static int
letter_free(const struct maildir_folder *folder, uint32_t used)
{
	for (int i = 0; i < KEYWORD_LETTERS; i++) {
		if (folder->keywords->name[i][0] == '\0' && !(used & UINT32_C(1) << i))
			return i;
	}
	return -1;
}

/* Names a letter, under both locks: looks again, for Dovecot may have taken it. */
static int
letter_make(struct maildir_folder *folder, uint32_t used, const char *name)
{
	struct keywords changed;
	int letter;

	if (letters_refresh(folder) < 0)
		return -1;
	letter = keywords_find(folder->keywords, name);
	if (letter >= 0)
		return letter;
	letter = letter_free(folder, used);
	if (letter < 0)
		return KEYWORD_LETTERS;
	changed = *folder->keywords;
	memcpy(changed.name[letter], name, strlen(name) + 1);
	if (keywords_store(folder, &changed) < 0 ||
	    file_stamp_at(folder->home.fd, KEYWORDS_NAME, &changed.stamp) < 0)
		return -1;
	*folder->keywords = changed;
	return letter;
}

static int
number_make(struct maildir_folder *folder, const char *name)
{
	int number = more_free(folder->more);

	if (folder->more->closed) {
		errno = EACCES;
		return -1;
	}
	if (number < 0) {
		errno = ERANGE;
		return -1;
	}
	return more_name(&folder->home, folder->more, number, name) < 0 ? -1 : number;
}

static int
keyword_number(const struct maildir_folder *folder, const char *name)
{
	int letter = keywords_find(folder->keywords, name);

	return letter >= 0 ? letter : more_find(folder->more, name);
}

/*
 * Under the folder's lock: looks again, for another may have added it, then adds it.  locked: with
 * dovecot-uidlist.lock held already.
 */
static int
keyword_add(struct maildir_folder *folder, const char *name, bool locked)
{
	int number = KEYWORD_LETTERS;
	uint32_t used;

	if (keywords_refresh(folder) < 0)
		return -1;
	number = keyword_number(folder, name);
	if (number >= 0)
		return number;
	/* Names of letters that cannot be read must not be overwritten. */
	if (folder->keywords->closed || letter_free(folder, 0) < 0)
		return number_make(folder, name);
	if (letters_in_use(folder, &used) < 0 || (!locked && dotlock_take(&folder->home) < 0))
		return -1;
	number = letter_make(folder, used, name);
	if (!locked)
		dotlock_drop(&folder->home);
	return number < KEYWORD_LETTERS ? number : number_make(folder, name);
}

int
keywords_make_locked(struct maildir_folder *folder, const char *name)
{
	return keyword_add(folder, name, true);
}

void
maildir_keyword_names(struct maildir_folder *folder, const char *names_r[MAILDIR_KEYWORDS])
{
	/* When the files cannot be read now, what was read before holds. */
	bool known = keywords_known(folder);

	for (int i = 0; i < MAILDIR_KEYWORDS; i++) {
		if (!known)
			names_r[i] = NULL;
		else if (i < KEYWORD_LETTERS)
			names_r[i] = folder->keywords->name[i];
		else
			/* Of a letter and a number with one name the letter counts. */
			names_r[i] =
			    letter_of(folder, i) < 0 ? folder->more->name[i - MORE_FIRST] : NULL;
		if (names_r[i] != NULL && !keyword_valid(names_r[i]))
			names_r[i] = NULL;
	}
}

int
maildir_keyword_find(struct maildir_folder *folder, const char *name)
{
	return keywords_known(folder) ? keyword_number(folder, name) : -1;
}

int
maildir_keyword_make(struct maildir_folder *folder, const char *name)
{
	int number;

	if (!keyword_valid(name)) {
		errno = EINVAL;
		return -1;
	}
	if (keywords_refresh(folder) < 0)
		return -1;
	number = keyword_number(folder, name);
	if (number >= 0)
		return number;
	if (mdlock_folder(&folder->home) < 0)
		return -1;
	number = keyword_add(folder, name, false);
	mdlock_unfolder(&folder->home);
	return number;
}
