/*
 * record.c: the UIDVALIDITY and next UID that were last given out, in the folder's lock file.
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
#include "maildir/base/record.h"

#define RECORD_FORMAT "V%010u N%010u R%010u M%020llu\n"
#define RECORD_SIZE   58
/* Without M, as it was before there was an index. */
#define RECORD_SIZE_PLAIN 36
/* Without R, as POP3 alone once wrote it. */
#define RECORD_SIZE_OLD 24

/* A letter and digits; 0 when it is not. */
static uint64_t
record_number(const char *text, char letter, size_t digits)
{
	uint64_t value = 0;

	if (text[0] != letter)
		return 0;
	for (size_t i = 1; i <= digits; i++) {
		if (text[i] < '0' || text[i] > '9' || value > UINT64_MAX / 10 - 1)
			return 0;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	return value;
}

static uint32_t
record_number32(const char *text, char letter)
{
	uint64_t value = record_number(text, letter, 10);

	return value <= UINT32_MAX ? (uint32_t)value : 0;
}

int
uid_record_read(struct mddir *dir, struct uid_record *record_r)
{
	char text[RECORD_SIZE + 1];
	struct stat st;
	int fd = dir->lock_fd >= 0 ? dir->lock_fd : file_open_regular(dir->fd, LOCK_NAME, &st);
	ssize_t n = fd >= 0 ? file_pread_all(fd, text, RECORD_SIZE, 0) : 0;

	memset(record_r, 0, sizeof(*record_r));
	if (fd >= 0 && fd != dir->lock_fd)
		close(fd);
	if (n < 0)
		return -1;
	if (n < RECORD_SIZE_OLD)
		return 0;
	record_r->validity = record_number32(text, 'V');
	record_r->next = record_number32(text + 12, 'N');
	if (n >= RECORD_SIZE_PLAIN)
		record_r->recent = record_number32(text + 24, 'R');
	if (n == RECORD_SIZE)
		record_r->modseq = record_number(text + 36, 'M', 20);
	/* Who knew nothing of recent messages has shown all that there were. */
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
uid_record_modseq(struct mddir *dir, uint64_t modseq)
{
	char text[RECORD_SIZE - RECORD_SIZE_PLAIN + 1];
	const size_t size = sizeof(text) - 1;

	snprintf(text, sizeof(text), "M%020llu\n", (unsigned long long)modseq);
	return record_put(dir, text, size, RECORD_SIZE_PLAIN);
}
