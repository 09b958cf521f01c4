/*
 * keywords.c: names of the keyword letters.
 * Runs as: mail user; its parser is fuzzed by tests/fuzz/fuzz_keywords.c.
 *
 * dovecot-keywords has a line "<number> <name>" for each letter, 0 for 'a' to 25 for 'z'.  Dovecot
 * replaces it as a whole while it holds dovecot-uidlist.lock (of dovecot-keywords.lock it only makes
 * its temporary file), and so do we.  A letter that no line names it calls unknown-0 and so on, and
 * writes that into the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/internal.h"
#include "maildir/keywords.h"
#include "maildir/lock.h"

/* 26 names; a file that is much larger is something else. */
#define KEYWORDS_SIZE_MAX (64 * 1024)

#define KEYWORDS_TMP "sallyport.keywords"

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
	if (i == 0 || i >= len || line[i] != ' ' || number >= MAILDIR_KEYWORDS)
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
	for (unsigned i = 0; i < MAILDIR_KEYWORDS; i++) {
		if (keywords->name[i][0] != '\0')
			mdtext_addf(out, "%u %s\n", i, keywords->name[i]);
	}
}

int
keywords_find(const struct keywords *keywords, const char *name)
{
	for (int i = 0; i < MAILDIR_KEYWORDS; i++) {
		if (keywords->name[i][0] != '\0' && strcasecmp(keywords->name[i], name) == 0)
			return i;
	}
	return -1;
}

/* --- the file --- */

/* Reads the file; none is no keywords, and so is one that is not a file or far too large. */
static int
keywords_load(struct maildir_folder *folder, struct keywords *keywords)
{
	struct stat st;
	char *text;
	size_t size;
	int fd = maildir_open_regular(folder->fd, KEYWORDS_NAME, &st), r, saved;

	memset(keywords, 0, sizeof(*keywords));
	if (fd < 0)
		return errno == ENOENT || errno == EINVAL ? 0 : -1;
	r = maildir_read_all(fd, KEYWORDS_SIZE_MAX, &text, &size);
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
keywords_refresh(struct maildir_folder *folder)
{
	struct file_stamp now;
	struct keywords fresh;

	if (file_stamp_at(folder->fd, KEYWORDS_NAME, &now) < 0)
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

/* Replaces the file; it is on disk then. */
static int
keywords_store(struct maildir_folder *folder, const struct keywords *keywords)
{
	struct mdtext text = {0};
	int fd, r = -1;

	keywords_put(keywords, &text);
	(void)unlinkat(folder->fd, KEYWORDS_TMP, 0);
	fd = openat(
	    folder->fd, KEYWORDS_TMP, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0) {
		r = text.failed ? -1 : maildir_write_all(fd, text.data, text.len);
		if (r == 0)
			r = fsync(fd);
		if (close(fd) < 0)
			r = -1;
	}
	if (r == 0 && !dotlock_held(folder)) {
		errno = ENOLCK;
		r = -1;
	}
	if (r == 0)
		r = renameat(folder->fd, KEYWORDS_TMP, folder->fd, KEYWORDS_NAME);
	if (r == 0)
		r = fsync(folder->fd);
	mdtext_clear(&text);
	return r;
}

/* A letter without a name, on no message of the list: one that is would get a keyword by that. */
static int
keywords_free_letter(const struct maildir_folder *folder)
{
	uint32_t used = 0;

	for (size_t i = 0; i < folder->list.count; i++)
		used |= folder->list.entry[i].pub.keywords;
	for (int i = 0; i < MAILDIR_KEYWORDS; i++) {
		if (folder->keywords->name[i][0] == '\0' && !(used & UINT32_C(1) << i))
			return i;
	}
	errno = ENOSPC;
	return -1;
}

/* Looks again, for another may have added it, then adds it. */
int
keywords_letter_locked(struct maildir_folder *folder, const char *name)
{
	struct keywords changed;
	int letter;

	if (keywords_refresh(folder) < 0)
		return -1;
	letter = keywords_find(folder->keywords, name);
	if (letter >= 0)
		return letter;
	letter = keywords_free_letter(folder);
	if (letter < 0)
		return -1;
	changed = *folder->keywords;
	memcpy(changed.name[letter], name, strlen(name) + 1);
	if (keywords_store(folder, &changed) < 0 ||
	    file_stamp_at(folder->fd, KEYWORDS_NAME, &changed.stamp) < 0)
		return -1;
	*folder->keywords = changed;
	return letter;
}

void
maildir_keyword_names(struct maildir_folder *folder, const char *names_r[MAILDIR_KEYWORDS])
{
	/* When the file cannot be read now, what was read before holds. */
	bool known = keywords_refresh(folder) == 0 || folder->keywords != NULL;

	for (size_t i = 0; i < MAILDIR_KEYWORDS; i++) {
		names_r[i] = known ? folder->keywords->name[i] : NULL;
		if (known && !keyword_valid(names_r[i]))
			names_r[i] = NULL;
	}
}

int
maildir_keyword_find(struct maildir_folder *folder, const char *name)
{
	if (keywords_refresh(folder) < 0 && folder->keywords == NULL)
		return -1;
	return keywords_find(folder->keywords, name);
}

int
maildir_keyword_letter(struct maildir_folder *folder, const char *name)
{
	int letter;

	if (!keyword_valid(name)) {
		errno = EINVAL;
		return -1;
	}
	if (keywords_refresh(folder) < 0)
		return -1;
	letter = keywords_find(folder->keywords, name);
	if (letter >= 0)
		return letter;
	if (mdlock_folder(folder) < 0)
		return -1;
	letter = dotlock_take(folder);
	if (letter == 0) {
		letter = keywords_letter_locked(folder, name);
		dotlock_drop(folder);
	}
	mdlock_unfolder(folder);
	return letter;
}
