/*
 * uid_record.c: the UIDVALIDITY and next UID that were last given out, in the folder's lock file.
 * Runs as: mail user, holding the folder's lock.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/dir.h"
#include "maildir/base/file.h"
#include "maildir/base/lock.h"
#include "maildir/base/number.h"
#include "maildir/base/uid_record.h"

#define RECORD_FORMAT "V%010u N%010u R%010u M%020llu\n"
#define RECORD_SIZE   58
/* Older records end before M, or before R. */
#define RECORD_SIZE_PLAIN 36
#define RECORD_SIZE_OLD	  24

/* The number after that letter, of so many digits; 0 if the text does not have that form. */
static uint64_t
record_number(const char *text, char letter, size_t digits, uint64_t max)
{
	uint64_t number;

	return text[0] == letter && number_read(text + 1, digits, max, &number) == digits ? number
											  : 0;
}

int
uid_record_read(struct mddir *dir, struct uid_record *record_r)
{
	char text[RECORD_SIZE + 1];
	struct stat st;
	int fd = dir->lock_fd >= 0 ? dir->lock_fd : file_open_regular(dir->fd, LOCK_NAME, &st);
	ssize_t n = fd >= 0 ? file_pread_all(fd, text, RECORD_SIZE, 0) : 0;

	memset(record_r, 0, sizeof(*record_r));
	if (fd != dir->lock_fd)
		close_keeping_errno(fd);
	if (n < 0)
		return -1;
	if (n < RECORD_SIZE_OLD)
		return 0;
	record_r->validity = (uint32_t)record_number(text, 'V', 10, UINT32_MAX);
	record_r->next = (uint32_t)record_number(text + 12, 'N', 10, UINT32_MAX);
	if (n >= RECORD_SIZE_PLAIN)
		record_r->recent = (uint32_t)record_number(text + 24, 'R', 10, UINT32_MAX);
	if (n == RECORD_SIZE)
		record_r->modseq = record_number(text + 36, 'M', 20, UINT64_MAX);
	/* A record without R is of a POP3 session: it has shown all messages. */
	if (record_r->recent == 0)
		record_r->recent = record_r->next;
	return 0;
}

static int
record_put(const struct mddir *dir, const char *text, size_t size, off_t at)
{
	if (dir->unlocked != 0) {
		errno = dir->unlocked;
		return -1;
	}
	return pwrite(dir->lock_fd, text, size, at) == (ssize_t)size ? 0 : -1;
}

int
uid_record_write(struct mddir *dir, const struct uid_record *record)
{
	char text[RECORD_SIZE + 1];

	snprintf(text, sizeof(text), RECORD_FORMAT, record->validity, record->next, record->recent,
	    (unsigned long long)record->modseq);
	return record_put(dir, text, RECORD_SIZE, 0);
}

int
uid_record_write_modseq(struct mddir *dir, uint64_t modseq)
{
	char text[RECORD_SIZE - RECORD_SIZE_PLAIN + 1];
	const size_t size = sizeof(text) - 1;

	snprintf(text, sizeof(text), "M%020llu\n", (unsigned long long)modseq);
	return record_put(dir, text, size, RECORD_SIZE_PLAIN);
}
