/*
 * validity.c: new UIDVALIDITY values, which only rise in a Maildir.
 * Runs as: mail user.
 *
 * A folder that is deleted and made again must not get its old value, even if that happens within
 * a second or after the clock went back.  Dovecot keeps the last value that it gave in the Maildir as
 * the content of dovecot-uidvalidity (8 hex digits) and in the name of the empty file
 * dovecot-uidvalidity.<8 hex digits>, which it renames to the next value; with several of these the
 * highest counts.  We do the same, under a lock of our own, and never below the present time.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "maildir/base/buf.h"
#include "maildir/base/file.h"
#include "maildir/base/lock.h"
#include "maildir/base/number.h"
#include "maildir/base/root.h"
#include "maildir/uids/validity.h"

#define VALIDITY_NAME "dovecot-uidvalidity"
/* Eight digits; Dovecot may add a line end. */
#define VALIDITY_SIZE_MAX 64

#define VALIDITY_TMP "sallyport.uidvalidity"

/* No process holds the lock for longer than a few writes take. */
#define VALIDITY_WAIT_MS 10000

/* The number that begins with 8 hex digits, or 0. */
static uint32_t
validity_parse(const char *text, size_t len)
{
	uint64_t value;

	return len >= 8 && number_read_hex(text, 8, &value) == 8 ? (uint32_t)value : 0;
}

/* Raises the value to that in the name of a file. */
static int
validity_named(void *ctx, const struct dirent *entry)
{
	const size_t prefix = sizeof(VALIDITY_NAME);
	uint32_t *highest = ctx, value = 0;

	if (strncmp(entry->d_name, VALIDITY_NAME ".", prefix) == 0 &&
	    strlen(entry->d_name) == prefix + 8)
		value = validity_parse(entry->d_name + prefix, 8);
	if (value > *highest)
		*highest = value;
	return 0;
}

static int
validity_write_content(struct maildir *md, uint32_t value)
{
	struct mdbuf text = {0};
	int r;

	mdbuf_addf(&text, "%08x", value);
	r = file_replace(md, md->fd, VALIDITY_TMP, VALIDITY_NAME, &text);
	mdbuf_clear(&text);
	return r;
}

static int
validity_write_name(struct maildir *md, uint32_t old, uint32_t value)
{
	char from[40], to[40];
	int fd;

	snprintf(from, sizeof(from), VALIDITY_NAME ".%08x", old);
	snprintf(to, sizeof(to), VALIDITY_NAME ".%08x", value);
	if (old != 0 && file_move(md->fd, from, md->fd, to) == 0)
		return 0;
	fd = openat(md->fd, to, O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0444);
	return fd < 0 ? -1 : close(fd);
}

static int
validity_locked(struct maildir *md, uint32_t above, uint32_t *validity_r)
{
	time_t now = time(NULL);
	uint32_t named = 0, highest = 0, value;
	struct stat st;
	char *text;
	size_t size;

	if (file_each_entry(md->fd, ".", validity_named, &named) < 0)
		return -1;
	if (file_read(md->fd, VALIDITY_NAME, VALIDITY_SIZE_MAX, &text, &size, &st) == 0) {
		highest = validity_parse(text, size);
		free(text);
	}
	if (named > highest)
		highest = named;
	if (above > highest)
		highest = above;
	value = now > 0 && (uint64_t)now < UINT32_MAX ? (uint32_t)now : 1;
	/* At the very end nothing higher is left; the time at least differs. */
	if (value <= highest && highest < UINT32_MAX)
		value = highest + 1;
	if (validity_write_name(md, named, value) < 0 || validity_write_content(md, value) < 0)
		return -1;
	*validity_r = value;
	return 0;
}

int
validity_next(struct maildir *md, uint32_t above, uint32_t *validity_r)
{
	int fd = mdlock_open(md, md->fd, LOCK_VALIDITY, VALIDITY_WAIT_MS), r;

	if (fd < 0)
		return -1;
	r = validity_locked(md, above, validity_r);
	close_keeping_errno(fd);
	return r;
}
