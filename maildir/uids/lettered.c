/*
 * lettered.c: the file dovecot-keywords.
 * Runs as: mail user; its parser is fuzzed by tests/fuzz/fuzz_lettered.c.
 *
 * The format is Dovecot's: a line "<number> <name>" for each letter, 0 for a.  A name that stands in the file takes
 * its letter, also where IMAP may not have it as a keyword.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/dir.h"
#include "maildir/base/file.h"
#include "maildir/base/lock.h"
#include "maildir/base/root.h"
#include "maildir/base/span.h"
#include "maildir/uids/lettered.h"

/* 26 names; a file that is much larger is something else. */
#define LETTERED_SIZE_MAX (64 * 1024)

#define LETTERED_TMP "sallyport.dovecot-keywords"

static void
parse_line(struct lettered *letters, struct span line)
{
	const char *start = line.p;
	uint64_t number;

	if (!span_number(&line, LETTERS - 1, &number) || line.p - start > 2 ||
	    !span_char(&line, ' ') || line.len > KEYWORD_MAX)
		return;
	for (size_t i = 0; i < line.len; i++) {
		if ((unsigned char)line.p[i] < 0x20)
			return;
	}
	/* The first line of a number counts. */
	if (letters->name[number][0] == '\0')
		memcpy(letters->name[number], line.p, line.len);
}

void
lettered_parse(struct lettered *letters, const char *text, size_t size)
{
	struct span rest = {text, size}, line;

	memset(letters, 0, sizeof(*letters));
	while (span_line(&rest, &line))
		parse_line(letters, line);
}

void
lettered_put(const struct lettered *letters, struct mdbuf *out)
{
	for (unsigned i = 0; i < LETTERS; i++) {
		if (letters->name[i][0] != '\0')
			mdbuf_addf(out, "%u %s\n", i, letters->name[i]);
	}
}

int
lettered_find(const struct lettered *letters, const char *name)
{
	for (int i = 0; i < LETTERS; i++) {
		if (letters->name[i][0] != '\0' && strcasecmp(letters->name[i], name) == 0)
			return i;
	}
	return -1;
}

int
lettered_free(const struct lettered *letters, uint32_t used)
{
	for (int i = 0; i < LETTERS; i++) {
		if (letters->name[i][0] == '\0' && !(used & UINT32_C(1) << i))
			return i;
	}
	return -1;
}

int
lettered_load(struct mddir *dir, struct lettered *letters)
{
	struct stat st;
	char *text;
	size_t size;

	memset(letters, 0, sizeof(*letters));
	if (file_read(dir->fd, LETTERED_NAME, LETTERED_SIZE_MAX, &text, &size, &st) == 0) {
		lettered_parse(letters, text, size);
		free(text);
		file_stamp_of(&st, &letters->stamp);
		return 0;
	}
	if (errno == ENOENT || errno == EFBIG)
		return 0;
	if (errno != EACCES && errno != EPERM && errno != EINVAL)
		return -1;
	file_notice(dir->md, dir->fd, LETTERED_NAME, errno);
	letters->closed = errno != EINVAL;
	return file_stamp_at(dir->fd, LETTERED_NAME, &letters->stamp);
}

int
lettered_name(struct mddir *dir, struct lettered *letters, int letter, const char *name)
{
	struct lettered changed = *letters;
	struct mdbuf text = {0};
	int r;

	memcpy(changed.name[letter], name, strlen(name) + 1);
	lettered_put(&changed, &text);
	r = uidlist_lock_replace(dir, LETTERED_TMP, LETTERED_NAME, &text, false);
	mdbuf_clear(&text);
	if (r < 0 || file_stamp_at(dir->fd, LETTERED_NAME, &changed.stamp) < 0)
		return -1;
	*letters = changed;
	return 0;
}
