/*
 * index_log.c: the file sallyport.log.
 * Runs as: mail user.
 *
 * A head (struct index_head), then records, each with a checksum.  The seed of the checksum is the log's id and the
 * record's place, so that octets of an older log, or from another place, are no record here.  A reader stops at the
 * first octets that are no record.  It reads new records with pread(2), since the octets after the last good record
 * may be cut off at any moment, and verifies them.  Later it reads them through the mapping, and checks only their
 * lengths.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/file.h"
#include "maildir/base/hash.h"
#include "maildir/index/index_head.h"
#include "maildir/index/index_log.h"

static const struct index_kind kind = {
    .name = LOG_NAME,
    .tmp = LOG_TMP,
    .magic = {'s', 'a', 'l', 'l', 'y', 'l', 'o', 'g'},
    .version = 3,
};

/* A record begins at a multiple of 8 with this. */
struct log_head {
	uint32_t check; /* of all that follows */
	uint32_t type;	/* enum log_type */
	uint32_t size;	/* of the record with this head and its padding */
	uint32_t used;	/* of the payload */
};

int
index_log_open(int dirfd, uint64_t id, struct index_log *log)
{
	uint64_t size = 0;

	index_log_begin(id, log);
	log->fd = index_file_open(dirfd, &kind, id, &size);
	log->empty = size <= log->end;
	return log->fd < 0 ? -1 : 0;
}

int
index_log_create(struct maildir *md, int dirfd, uint64_t id, struct index_log *log)
{
	index_log_begin(id, log);
	log->fd = index_file_create(md, dirfd, &kind, id);
	return log->fd < 0 ? -1 : 0;
}

void
index_log_begin(uint64_t id, struct index_log *log)
{
	*log = (struct index_log){.fd = -1, .id = id, .end = sizeof(struct index_head)};
}

static void
close_file(struct index_log *log)
{
	close_keeping_errno(log->fd);
	log->fd = -1;
}

void
index_log_leave(struct index_log *log)
{
	close_file(log);
	log->settled = log->pending.len;
}

void
index_log_close(struct index_log *log)
{
	mapping_close(&log->map);
	mdbuf_clear(&log->pending);
	close_file(log);
	index_log_begin(0, log);
}

bool
index_log_grew(const struct index_log *log, bool *replaced_r)
{
	struct stat st;

	*replaced_r = false;
	if (log->fd < 0)
		return false;
	if (fstat(log->fd, &st) < 0 || st.st_nlink == 0) {
		*replaced_r = true;
		return true;
	}
	return (uint64_t)st.st_size != log->end;
}

/* --- reading --- */

/* The checksum of a record, whose head is at data. */
static uint32_t
record_check(const struct index_log *log, uint64_t at, const char *data, size_t size)
{
	uint64_t seed = log->id ^ at * HASH_FACTOR;
	uint32_t type;

	/* Hash type and the rest apart: they were stored as words of their own, and a load across two such words
	 * is slow. */
	memcpy(&type, data + offsetof(struct log_head, type), sizeof(type));
	return hash32(hash_join(seed, type), data + offsetof(struct log_head, size),
	    size - offsetof(struct log_head, size));
}

/* Copies the head of a record at data, where left octets are.  Returns false if its lengths are wrong. */
static bool
head_at(const char *data, size_t left, struct log_head *head_r)
{
	if (left < sizeof(*head_r))
		return false;
	memcpy(head_r, data, sizeof(*head_r));
	return head_r->size >= sizeof(*head_r) && head_r->size <= left && head_r->size % 8 == 0 &&
	       head_r->used <= head_r->size - sizeof(*head_r);
}

/* Takes the good records at the beginning of len octets, which follow the log's end. */
static void
take_good(struct index_log *log, const char *data, size_t len, index_log_take *take, void *ctx)
{
	struct log_head head;

	while (head_at(data, len, &head) &&
	       head.check == record_check(log, log->end, data, head.size)) {
		uint64_t at = log->end;

		log->last = at;
		log->last_check = head.check;
		log->end += head.size;
		log->records++;
		take(ctx, (enum log_type)head.type, data + sizeof(head), head.used, at);
		data += head.size;
		len -= head.size;
	}
}

/* Maps the log when it has its first record: most folders are opened while their log is empty. */
static int
log_map(struct index_log *log)
{
	return log->map.at != NULL ? 0 : mapping_open(&log->map, log->fd, LOG_MAP);
}

/*
 * Returns whether the records that were read are still in the file.  No session of ours removes a record that others
 * may have read; but somebody may have written an old copy over the file, or the disk became full in the middle of a
 * batch.
 */
static bool
holds_what_was_read(const struct index_log *log, uint64_t size)
{
	uint32_t check;

	if (size < log->end) {
		errno = EINVAL;
		return false;
	}
	if (log->last == 0)
		return true;
	if (file_pread_all(log->fd, &check, sizeof(check), (off_t)log->last) !=
	    (ssize_t)sizeof(check))
		return false;
	errno = EINVAL;
	return check == log->last_check;
}

int
index_log_read_on(struct index_log *log, index_log_take *take, void *ctx)
{
	bool empty = log->empty;
	struct stat st;
	ssize_t n;
	size_t len;
	char *data;

	log->empty = false;
	if (empty || log->fd < 0) /* private records were taken in when they were put */
		return 0;
	if (fstat(log->fd, &st) < 0 || !holds_what_was_read(log, (uint64_t)st.st_size))
		return -1;
	if ((uint64_t)st.st_size == log->end)
		return 0;
	if (log_map(log) < 0)
		return -1;
	len = (size_t)((uint64_t)(st.st_size > LOG_MAP ? LOG_MAP : st.st_size) - log->end);
	data = malloc(len);
	if (data == NULL)
		return -1;
	n = file_pread_all(log->fd, data, len, (off_t)log->end);
	if (n > 0)
		take_good(log, data, (size_t)n, take, ctx);
	free(data);
	return 0;
}

/* Returns the payload of a record that was taken in, from the file or pending, and its head; NULL: broken. */
static const char *
record_at(const struct index_log *log, uint64_t at, struct log_head *head_r)
{
	const char *data = NULL;
	size_t left = 0;

	if (at < log->end && log->map.at != NULL) {
		data = log->map.at + at;
		left = (size_t)(log->end - at);
	} else if (at >= log->end && at - log->end < log->pending.len) {
		data = log->pending.data + (at - log->end);
		left = log->pending.len - (size_t)(at - log->end);
	}
	return head_at(data, left, head_r) ? data + sizeof(*head_r) : NULL;
}

bool
index_log_verify(const struct index_log *log)
{
	struct log_head head;
	const char *payload;

	for (uint64_t at = sizeof(struct index_head); at < log->end; at += head.size) {
		payload = record_at(log, at, &head);
		if (payload == NULL ||
		    head.check != record_check(log, at, payload - sizeof(head), head.size))
			return false;
	}
	return !mapping_broken(&log->map);
}

bool
index_log_payload(const struct index_log *log, uint64_t at, enum log_type type, void *payload,
    size_t room, size_t *size_r)
{
	struct log_head head;
	const char *data = record_at(log, at, &head);

	if (data == NULL || head.type != (uint32_t)type)
		return false;
	*size_r = head.used < room ? head.used : room;
	memcpy(payload, data, *size_r);
	return !mapping_broken(&log->map);
}

int
index_log_next(
    const struct index_log *log, uint64_t *at, enum log_type type, void *payload, size_t size)
{
	struct log_head head;
	size_t found = 0;

	if (*at == 0)
		*at = sizeof(struct index_head);
	while (*at < index_log_end(log)) {
		uint64_t here = *at;

		if (record_at(log, here, &head) == NULL)
			return -1;
		*at += head.size;
		if (head.type == (uint32_t)type)
			return index_log_payload(log, here, type, payload, size, &found) &&
				       found == size
				   ? 1
				   : -1;
	}
	return 0;
}

/* --- writing --- */

int
index_log_put(struct index_log *log, enum log_type type, const void *payload, size_t size,
    index_log_take *take, void *ctx)
{
	static const char none[8];
	struct mdbuf *pending = &log->pending;
	uint64_t at = index_log_end(log);
	size_t pad = -size % 8, begin = pending->len;
	struct log_head head = {
	    .size = (uint32_t)(sizeof(head) + size + pad),
	    .type = (uint32_t)type,
	    .used = (uint32_t)size,
	};

	if (head.size > LOG_MAP - at) {
		errno = EFBIG;
		return -1;
	}
	mdbuf_add(pending, &head, sizeof(head));
	mdbuf_add(pending, payload, size);
	mdbuf_add(pending, none, pad);
	if (pending->failed) {
		errno = ENOMEM;
		return -1;
	}
	head.check = record_check(log, at, pending->data + begin, head.size);
	memcpy(pending->data + begin, &head, sizeof(head));
	log->records++;
	log->last = at;
	log->last_check = head.check;
	take(ctx, type, payload, size, at);
	return 0;
}

static int
write_pending(struct index_log *log)
{
	struct stat st;
	int saved;

	if (log_map(log) < 0)
		return -1;
	/* Cut off the tail that a writer left when it died. */
	if (fstat(log->fd, &st) < 0 ||
	    ((uint64_t)st.st_size > log->end && ftruncate(log->fd, (off_t)log->end) < 0))
		return -1;
	if (file_pwrite_all(log->fd, log->pending.data, log->pending.len, (off_t)log->end) == 0)
		return 0;
	saved = errno;
	(void)!ftruncate(log->fd, (off_t)log->end);
	errno = saved;
	return -1;
}

int
index_log_flush(struct index_log *log)
{
	if (log->fd < 0) {
		log->settled = log->pending.len;
		return 0;
	}
	if (write_pending(log) < 0)
		return -1;
	log->end += log->pending.len;
	log->pending.len = 0;
	return 0;
}
