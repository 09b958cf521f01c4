/*
 * index_log.c: the file sallyport.log.
 * Runs as: mail user.
 *
 * A head (struct index_head), then records, each with its checksum, whose seed is the log's id and the
 * place: what an older log had at another place is no record here.  Reading stops at the first that is
 * none.  It is read with pread(2), since what lies behind the good part may be cut off at any moment;
 * what was found good is read again through the mapping.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/file.h"
#include "maildir/index/index_head.h"
#include "maildir/index/index_log.h"

static const struct index_kind kind = {
    .name = LOG_NAME,
    .tmp = LOG_TMP,
    .magic = {'s', 'a', 'l', 'l', 'y', 'l', 'o', 'g'},
    .version = 2,
};

static uint64_t
seed_at(const struct index_log *log, uint64_t at)
{
	return log->id ^ at * UINT64_C(0x9e3779b97f4a7c15);
}

int
index_log_open(int dirfd, uint64_t id, struct index_log *log)
{
	bool more;

	memset(log, 0, sizeof(*log));
	log->fd = index_file_open(dirfd, &kind, id, &more);
	if (log->fd < 0)
		return -1;
	log->id = id;
	log->end = sizeof(struct index_head);
	log->empty = !more;
	return 0;
}

int
index_log_create(struct maildir *md, int dirfd, uint64_t id, struct index_log *log)
{
	memset(log, 0, sizeof(*log));
	log->fd = index_file_create(md, dirfd, &kind, id);
	if (log->fd < 0)
		return -1;
	log->id = id;
	log->end = sizeof(struct index_head);
	return 0;
}

int
index_log_own(uint64_t id, const struct index_log *from, struct index_log *log)
{
	struct index_head head;

	memset(log, 0, sizeof(*log));
	log->fd = -1;
	if (mapping_own(&log->map, LOG_MAP) < 0)
		return -1;
	index_head_make(&kind, id, &head);
	memcpy(mapping_memory(&log->map), &head, sizeof(head));
	log->id = id;
	log->end = sizeof(head);
	if (from != NULL && from->end + from->pending.len <= LOG_MAP) {
		if (from->map.at != NULL)
			memcpy(mapping_memory(&log->map), from->map.at, from->end);
		memcpy(
		    mapping_memory(&log->map) + from->end, from->pending.data, from->pending.len);
		log->end = from->end + from->pending.len;
		log->records = from->records;
	}
	return 0;
}

void
index_log_close(struct index_log *log)
{
	int saved = errno;

	mapping_close(&log->map);
	mdtext_clear(&log->pending);
	if (log->fd >= 0)
		close(log->fd);
	memset(log, 0, sizeof(*log));
	log->fd = -1;
	errno = saved;
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

/* Whether a record is at data, of which there are left octets. */
static bool
record_is_good(const struct index_log *log, const char *data, size_t left, uint64_t at,
    struct index_log_head *head_r)
{
	if (left < sizeof(*head_r))
		return false;
	memcpy(head_r, data, sizeof(*head_r));
	return head_r->size >= sizeof(*head_r) && head_r->size <= left && head_r->size % 8 == 0 &&
	       head_r->check == index_check(seed_at(log, at), data, head_r->size);
}

/* Takes what is good of len octets that lie at the log's end. */
static void
log_take_good(struct index_log *log, const char *data, size_t len, index_log_take *take, void *ctx)
{
	struct index_log_head head;

	for (; record_is_good(log, data, len, log->end, &head);
	     data += head.size, len -= head.size) {
		uint64_t at = log->end;

		log->last = at;
		log->last_check = head.check;
		log->end += head.size;
		log->records++;
		take(ctx, (enum log_type)head.type, data + sizeof(head), head.size - sizeof(head),
		    at);
	}
}

/* Most folders are looked at while their log is empty: it is mapped when there is something in it. */
static int
index_log_map(struct index_log *log)
{
	return log->map.at != NULL ? 0 : mapping_open(&log->map, log->fd, LOG_MAP);
}

/*
 * Whether what was read is still there.  Nobody of ours takes back what others may have read; but an old
 * copy may have been written over the file, or the disk got full in the middle of a batch.
 */
static bool
log_is_ours(const struct index_log *log, uint64_t size)
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
	struct stat st;
	ssize_t n;
	size_t len;
	bool empty = log->empty;
	char *data;

	log->empty = false;
	if (empty)
		return 0;
	if (log->fd < 0)
		return 0; /* what is in our own memory was taken when it was written */
	if (fstat(log->fd, &st) < 0 || !log_is_ours(log, (uint64_t)st.st_size))
		return -1;
	if ((uint64_t)st.st_size == log->end)
		return 0;
	if (index_log_map(log) < 0)
		return -1;
	len = (size_t)((uint64_t)(st.st_size > LOG_MAP ? LOG_MAP : st.st_size) - log->end);
	data = malloc(len);
	if (data == NULL)
		return -1;
	n = file_pread_all(log->fd, data, len, (off_t)log->end);
	if (n > 0)
		log_take_good(log, data, (size_t)n, take, ctx);
	free(data);
	return 0;
}

/* The octets at a place, written or pending, and how many there are. */
static const char *
log_octets(const struct index_log *log, uint64_t at, size_t *left_r)
{
	if (at < log->end) {
		*left_r = (size_t)(log->end - at);
		return log->map.at + at;
	}
	at -= log->end;
	*left_r = at < log->pending.len ? log->pending.len - (size_t)at : 0;
	return *left_r > 0 ? log->pending.data + at : NULL;
}

bool
index_log_payload(
    const struct index_log *log, uint64_t at, enum log_type type, void *payload, size_t room)
{
	char copy[sizeof(struct index_log_head) + sizeof(struct index_message) + 8];
	struct index_log_head head;
	size_t size, left;
	const char *data = log_octets(log, at, &left);

	if (left < sizeof(head))
		return false;
	memcpy(&head, data, sizeof(head));
	if (head.type != (uint32_t)type || head.size < sizeof(head) || head.size > sizeof(copy) ||
	    head.size > left)
		return false;
	memcpy(copy, data, head.size);
	if (head.check != index_check(seed_at(log, at), copy, head.size))
		return false;
	size = head.size - sizeof(head);
	memcpy(payload, copy + sizeof(head), size < room ? size : room);
	return true;
}

bool
index_log_walk(const struct index_log *log, index_log_take *take, void *ctx)
{
	char payload[sizeof(struct index_message) + 8];
	uint64_t at = sizeof(struct index_head), end = log->end + log->pending.len;
	struct index_log_head head;
	const char *data;
	size_t left;

	while (at < end) {
		data = log_octets(log, at, &left);
		if (left < sizeof(head))
			return false;
		memcpy(&head, data, sizeof(head));
		if (head.size < sizeof(head) ||
		    !index_log_payload(log, at, (enum log_type)head.type, payload, sizeof(payload)))
			return false;
		take(ctx, (enum log_type)head.type, payload, head.size - sizeof(head), at);
		at += head.size;
	}
	return true;
}

/* --- writing --- */

int
index_log_put(struct index_log *log, enum log_type type, const void *payload, size_t size,
    index_log_take *take, void *ctx)
{
	static const char none[8];
	struct mdtext *pending = &log->pending;
	uint64_t at = log->end + pending->len;
	size_t pad = -size % 8, begin = pending->len;
	struct index_log_head head = {
	    .size = (uint32_t)(sizeof(head) + size + pad), .type = (uint32_t)type};

	if (head.size > LOG_MAP - at) {
		errno = EFBIG;
		return -1;
	}
	mdtext_add(pending, &head, sizeof(head));
	mdtext_add(pending, payload, size);
	mdtext_add(pending, none, pad);
	if (pending->failed) {
		errno = ENOMEM;
		return -1;
	}
	head.check = index_check(seed_at(log, at), pending->data + begin, head.size);
	memcpy(pending->data + begin, &head, sizeof(head));
	log->records++;
	log->last = at;
	log->last_check = head.check;
	take(ctx, type, payload, size, at);
	return 0;
}

static int
log_write(struct index_log *log, const struct mdtext *batch)
{
	struct stat st;
	int saved;

	if (log->fd < 0) {
		memcpy(mapping_memory(&log->map) + log->end, batch->data, batch->len);
		return 0;
	}
	if (index_log_map(log) < 0)
		return -1;
	/* The tail of somebody who died. */
	if (fstat(log->fd, &st) < 0 ||
	    ((uint64_t)st.st_size > log->end && ftruncate(log->fd, (off_t)log->end) < 0))
		return -1;
	if (file_pwrite_all(log->fd, batch->data, batch->len, (off_t)log->end) == 0)
		return 0;
	saved = errno;
	(void)!ftruncate(log->fd, (off_t)log->end);
	errno = saved;
	return -1;
}

int
index_log_flush(struct index_log *log)
{
	if (log_write(log, &log->pending) < 0)
		return -1;
	log->end += log->pending.len;
	log->pending.len = 0;
	return 0;
}
