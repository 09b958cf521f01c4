/*
 * deliver_fill.c: fills a delivery with messages that a client sends, or that are copied or linked from a folder.
 * Runs as: mail user.
 *
 * A file holds LF where the client sent CRLF.  A CR before CRLF stays, and that CRLF as well: then reader.c gives back
 * exactly what came, except for bare LFs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/array.h"
#include "maildir/folder/deliver.h"
#include "maildir/folder/delivery.h"
#include "maildir/folder/folder.h"
#include "maildir/folder/permanent_ids.h"
#include "maildir/folder/reader.h"
#include "maildir/index/index.h"

/* Names are unique.  If a name exists all the same, the next is tried, so often. */
#define NAME_TRIES 10

/* How often another program may rename a message between our look and our link. */
#define COPY_TRIES 16

int
delivery_fail(struct maildir_delivery *d)
{
	if (d->error == 0)
		d->error = errno;
	return -1;
}

void
delivered_base(const struct delivered *message, char base_r[NAME_SIZE])
{
	memcpy(base_r, message->name, message->base_len);
	base_r[message->base_len] = '\0';
}

void
delivered_clear(struct delivered *message)
{
	free(message->name);
	free(message->source);
	free(message->guid);
}

/* --- the set --- */

static struct delivered *
delivery_last(const struct maildir_delivery *d)
{
	return &d->set.message[d->set.count - 1];
}

/* Adds a message with a new name.  NULL: ENOMEM, ENAMETOOLONG. */
static struct delivered *
delivery_add(struct maildir_delivery *d, uint32_t flags, uint64_t keywords)
{
	const struct mdname_change change = {.add = flags, .add_keywords = (uint32_t)keywords};
	struct maildir *md = d->folder->home.md;
	struct delivered *message =
	    array_grow(d->set.message, d->set.count, &d->room, sizeof(*message));
	char plain[NAME_SIZE], name[NAME_SIZE];

	if (message == NULL)
		return NULL;
	d->set.message = message;
	if (mdname_unique(md->host, ++md->unique, "", plain) < 0 ||
	    mdname_apply(plain, &change, name) < 0)
		return NULL;
	message = &d->set.message[d->set.count];
	*message = (struct delivered){
	    .name = strdup(name), .base_len = mdname_base(name), .keywords = keywords};
	if (message->name == NULL)
		return NULL;
	d->set.count++;
	return message;
}

/* Takes the last message out of the set; its file, if it has one, stays.  errno stays as it was. */
static void
delivery_forget_last(struct maildir_delivery *d)
{
	int saved = errno;

	delivered_clear(delivery_last(d));
	d->set.count--;
	errno = saved;
}

/* Does the same, and removes the file from tmp/. */
static void
delivery_drop_last(struct maildir_delivery *d)
{
	char base[NAME_SIZE];

	delivered_base(delivery_last(d), base);
	if (delivery_last(d)->source == NULL)
		unlink_keeping_errno(d->tmp, base);
	delivery_forget_last(d);
}

/*
 * Adds a message and makes its file in tmp/.  If name is NULL the file is new, and its descriptor is the result.
 * Otherwise the file is a link to name in the directory dir, and the result is 0.
 */
static int
delivery_create(
    struct maildir_delivery *d, uint32_t flags, uint64_t keywords, int dir, const char *name)
{
	const int create = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	char base[NAME_SIZE];

	for (int tries = 0; tries < NAME_TRIES; tries++) {
		struct delivered *message = delivery_add(d, flags, keywords);
		int r;

		if (message == NULL)
			return -1;
		delivered_base(message, base);
		r = name == NULL ? openat(d->tmp, base, create, 0600)
				 : linkat(dir, name, d->tmp, base, 0);
		if (r >= 0)
			return r;
		delivery_forget_last(d);
		if (errno != EEXIST)
			return -1;
	}
	return -1;
}

/* --- writing --- */

/* Writes octets as they are to be in the file, and counts them. */
static int
delivery_put(struct maildir_delivery *d, int fd, const char *data, size_t len)
{
	struct uidlist_sizes *sizes = &delivery_last(d)->sizes;

	if (len == 0)
		return 0;
	if (file_write_all(fd, data, len) < 0)
		return -1;
	sizes->size += len;
	sizes->wire += len + wire_added(data, len, &d->after_cr);
	sizes->line_end = data[len - 1] == '\n';
	return 0;
}

/* Closes a message's file.  0: it has its date, and is on the disk. */
static int
delivery_close(struct maildir_delivery *d, int fd, const struct timespec *date)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, *date};
	struct stat st;

	if (futimens(fd, times) < 0 || fsync(fd) < 0 || fstat(fd, &st) < 0) {
		close_keeping_errno(fd);
		return -1;
	}
	if (st.st_mtime != date->tv_sec || maildir_calendar(date->tv_sec) != date->tv_sec)
		d->date_lost = true;
	delivery_last(d)->sizes.known = true;
	return close(fd);
}

int
delivery_finish(struct maildir_delivery *d)
{
	const struct timespec date = {.tv_sec = d->date};
	int fd = d->fd;

	if (d->error != 0) {
		errno = d->error;
		return -1;
	}
	if (fd < 0)
		return 0;
	d->fd = -1;
	if (d->held && delivery_put(d, fd, "\r", 1) < 0) {
		close_keeping_errno(fd);
		return delivery_fail(d);
	}
	return delivery_close(d, fd, &date) < 0 ? delivery_fail(d) : 0;
}

int
maildir_delivery_message(struct maildir_delivery *d, const struct maildir_label *label)
{
	if (delivery_finish(d) < 0)
		return -1;
	d->fd = delivery_create(d, label->flags, label->keywords, -1, NULL);
	if (d->fd < 0)
		return delivery_fail(d);
	d->date = label->date;
	d->held = d->doubled = d->after_cr = false;
	return 0;
}

/* Makes LF of CRLF.  out has room for an octet more than came; returns how many octets it got. */
static size_t
crlf_to_lf(struct maildir_delivery *d, const char *in, size_t len, char *out)
{
	size_t n = 0;

	while (len > 0) {
		bool wrote = d->held && (*in != '\n' || d->doubled);
		const char *cr = memchr(in, '\r', len);
		size_t run = cr != NULL ? (size_t)(cr - in) : len;

		if (wrote)
			out[n++] = '\r';
		memcpy(out + n, in, run);
		n += run;
		in += run;
		len -= run;
		d->held = cr != NULL;
		d->doubled = wrote && run == 0;
		if (d->held) {
			in++;
			len--;
		}
	}
	return n;
}

int
maildir_delivery_write(struct maildir_delivery *d, const void *octets, size_t len)
{
	char *buffer = d->folder->home.md->buffer;
	const char *in = octets;

	if (d->error != 0 || d->fd < 0) {
		errno = d->error != 0 ? d->error : EBADF;
		return -1;
	}
	while (len > 0) {
		size_t piece = len < READ_SIZE - 1 ? len : READ_SIZE - 1;
		size_t n = crlf_to_lf(d, in, piece, buffer);

		if (delivery_put(d, d->fd, buffer, n) < 0)
			return delivery_fail(d);
		in += piece;
		len -= piece;
	}
	return 0;
}

/* --- copying --- */

/* Takes the sizes of a message from the index.  known: they are true of the file. */
static void
delivered_sizes(struct delivered *message, const struct index_record *record, bool known)
{
	message->sizes.known = known && (record->known & INDEX_SIZES) != 0;
	message->sizes.size = record->size;
	message->sizes.wire = record->wire;
	message->sizes.line_end = (record->known & INDEX_LINE_END) != 0;
}

/* Gives the last message, a copy, the id of its original. */
static int
copy_guid(struct maildir_delivery *d, const struct index_message *original)
{
	char guid[GUID_SIZE];

	message_guid(original, guid);
	delivery_last(d)->guid = strdup(guid);
	if (delivery_last(d)->guid != NULL)
		return 0;
	delivery_drop_last(d);
	return -1;
}

static int
copy_octets(struct maildir_delivery *d, int from, int to, uint64_t left)
{
	char *buffer = d->folder->home.md->buffer;

	d->after_cr = false;
	while (left > 0) {
		ssize_t n = file_read_piece(from, buffer, left);

		if (n < 0 || delivery_put(d, to, buffer, (size_t)n) < 0)
			return -1;
		left -= (uint64_t)n;
	}
	return 0;
}

/* Copies the octets and the date of a file that cannot be linked. */
static int
copy_file(struct maildir_delivery *d, int dir, const char *name, uint32_t flags, uint64_t keywords)
{
	struct stat st;
	int in = file_open_regular(dir, name, &st), out, r;

	if (in < 0)
		return -1;
	out = delivery_create(d, flags, keywords, -1, NULL);
	r = out < 0 ? -1 : copy_octets(d, in, out, (uint64_t)st.st_size);
	close_keeping_errno(in);
	if (out < 0)
		return -1;
	if (r < 0)
		close_keeping_errno(out);
	else
		r = delivery_close(d, out, &st.st_mtim);
	if (r < 0)
		delivery_drop_last(d);
	return r;
}

/* Checks that the linked file is a regular one.  If its size is the one in the index, all its sizes are known. */
static int
link_check(struct maildir_delivery *d, const struct index_record *record)
{
	struct delivered *message = delivery_last(d);
	char base[NAME_SIZE];
	struct stat st;

	delivered_base(message, base);
	if (fstatat(d->tmp, base, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
		delivered_sizes(message, record, record->size == (uint64_t)st.st_size);
		return 0;
	}
	errno = EINVAL;
	delivery_drop_last(d);
	return -1;
}

bool
link_impossible(int error)
{
	return error == EXDEV || error == EPERM || error == EMLINK || error == EOPNOTSUPP ||
	       error == ENOSYS;
}

/* Tries once to link or copy the original, under the name that the session knows. */
static int
copy_try(struct maildir_delivery *d, struct maildir_folder *from,
    const struct index_message *original, uint64_t keywords)
{
	int dir = folder_dir(from, original->record.dir);
	uint32_t flags, letters;

	if (dir < 0)
		return -1;
	mdname_flags(index_name(original), &flags, &letters);
	if (delivery_create(d, flags, keywords, dir, index_name(original)) == 0)
		return link_check(d, &original->record);
	return link_impossible(errno) ? copy_file(d, dir, index_name(original), flags, keywords)
				      : -1;
}

int
maildir_delivery_copy(
    struct maildir_delivery *d, struct maildir_folder *from, uint32_t uid, uint64_t keywords)
{
	struct index_message original;

	if (delivery_finish(d) < 0 || message_find(from, uid, &original) < 0)
		return -1;
	for (int tries = 0; tries < COPY_TRIES; tries++) {
		if (copy_try(d, from, &original, keywords) == 0)
			return copy_guid(d, &original);
		if (errno != ENOENT || message_locate(from, uid, &original) < 0)
			return -1;
	}
	errno = ENOENT;
	return -1;
}

int
maildir_delivery_link(
    struct maildir_delivery *d, struct maildir_folder *from, uint32_t uid, uint64_t keywords)
{
	const unsigned doubt = INDEX_HEARSAY | INDEX_UNREADABLE;
	struct index_message original;
	struct delivered *message;
	uint32_t flags, letters;

	if (d->from != NULL && d->from != from) {
		errno = EINVAL;
		return -1;
	}
	if (delivery_finish(d) < 0 || message_find(from, uid, &original) < 0)
		return -1;
	mdname_flags(index_name(&original), &flags, &letters);
	message = delivery_add(d, flags, keywords);
	if (message == NULL)
		return -1;
	message->source = strdup(index_name(&original));
	if (message->source == NULL) {
		delivery_forget_last(d);
		return -1;
	}
	message->source_dir = original.record.dir;
	delivered_sizes(message, &original.record, (original.record.known & doubt) == 0);
	d->from = from;
	return copy_guid(d, &original);
}
