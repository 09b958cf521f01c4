/*
 * deliver_fill.c: the messages of a delivery: written by a client, or copied from another folder.
 * Runs as: mail user.
 *
 * A file holds LF where the client sent CRLF.  A CR before CRLF stays, with the CRLF behind it as it
 * is: then message.c gives back exactly what came, for all but bare LFs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/lock.h"
#include "maildir/folder/deliver_fill.h"
#include "maildir/folder/ids.h"
#include "maildir/folder/folder.h"
#include "maildir/folder/own.h"
#include "maildir/folder/reader.h"
#include "maildir/folder/scan.h"
#include "maildir/folder/sync.h"
#include "maildir/index/index.h"
#include "maildir/uids/keywords.h"

/* A name is new; should it exist all the same, the next is. */
#define NAME_TRIES 10

/* How often another program may rename a message between our look and our link. */
#define COPY_TRIES 16

/* Remembers why the set cannot be committed. */
int
delivery_fail(struct maildir_delivery *d)
{
	if (d->error == 0)
		d->error = errno;
	return -1;
}

/* The base name of a message, as it is called in tmp/. */
void
delivered_base(const struct delivered *message, char base_r[NAME_SIZE])
{
	memcpy(base_r, message->name, message->base_len);
	base_r[message->base_len] = '\0';
}

/* A new member of the set with a name that nobody has; it counts from set.count++ on. */
static struct delivered *
delivery_add(struct maildir_delivery *d, uint32_t flags, uint64_t keywords, char base_r[NAME_SIZE])
{
	const struct mdname_change change = {.add = flags, .add_keywords = (uint32_t)keywords};
	struct maildir *md = d->folder->home.md;
	struct delivered *message;
	char plain[NAME_SIZE], name[NAME_SIZE];

	if (d->set.count == d->room) {
		size_t room = d->room == 0 ? 4 : d->room * 2;

		message = reallocarray(d->set.message, room, sizeof(*message));
		if (message == NULL)
			return NULL;
		d->set.message = message;
		d->room = room;
	}
	if (mdname_unique(md->host, ++md->unique, "", plain) < 0 ||
	    mdname_apply(plain, &change, name) < 0)
		return NULL;
	message = &d->set.message[d->set.count];
	memset(message, 0, sizeof(*message));
	message->name = strdup(name);
	if (message->name == NULL)
		return NULL;
	message->base_len = mdname_base(name);
	message->keywords = keywords;
	delivered_base(message, base_r);
	return message;
}

/* The file of a new message in tmp/, which is d->set.count - 1 then. */
static int
delivery_create(struct maildir_delivery *d, uint32_t flags, uint64_t keywords)
{
	const int create = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	char base[NAME_SIZE];

	for (int tries = 0; tries < NAME_TRIES; tries++) {
		struct delivered *message = delivery_add(d, flags, keywords, base);
		int fd;

		if (message == NULL)
			return -1;
		fd = openat(d->tmp, base, create, 0600);
		if (fd >= 0) {
			d->set.count++;
			return fd;
		}
		free(message->name);
		if (errno != EEXIST)
			return -1;
	}
	return -1;
}

/* --- writing --- */

static struct delivered *
delivery_last(const struct maildir_delivery *d)
{
	return &d->set.message[d->set.count - 1];
}

/* Octets as they are to be in the file, counted. */
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

/* Closes a message's file: it is on disk. */
static int
delivery_close(struct maildir_delivery *d, int fd, const struct timespec *date)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, *date};
	struct stat st;
	int r = 0, saved;

	if (futimens(fd, times) < 0 || fsync(fd) < 0 || fstat(fd, &st) < 0)
		r = -1;
	else if (st.st_mtime != date->tv_sec || maildir_calendar(date->tv_sec) != date->tv_sec)
		d->date_lost = true;
	saved = errno;
	if (close(fd) < 0)
		return -1;
	errno = saved;
	delivery_last(d)->sizes.known = true;
	return r;
}

/* The message before is over. */
int
delivery_finish(struct maildir_delivery *d)
{
	const struct timespec date = {.tv_sec = d->date};
	int fd = d->fd, r = 0;

	if (d->error != 0) {
		errno = d->error;
		return -1;
	}
	if (fd < 0)
		return 0;
	d->fd = -1;
	if (d->held)
		r = delivery_put(d, fd, "\r", 1);
	if (delivery_close(d, fd, &date) < 0)
		r = -1;
	return r < 0 ? delivery_fail(d) : 0;
}

int
maildir_delivery_message(struct maildir_delivery *d, const struct maildir_label *label)
{
	if (delivery_finish(d) < 0)
		return -1;
	d->fd = delivery_create(d, label->flags, label->keywords);
	if (d->fd < 0)
		return delivery_fail(d);
	d->date = label->date;
	d->held = d->doubled = d->after_cr = false;
	return 0;
}

/* CRLF becomes LF; out has room for one octet more than came.  The result is how many came out. */
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

/* Octets and time as they are in the other file. */
static int
copy_octets(struct maildir_delivery *d, int from, int to, const struct stat *st)
{
	char *buffer = d->folder->home.md->buffer;
	uint64_t left = (uint64_t)st->st_size;

	d->after_cr = false;
	while (left > 0) {
		ssize_t n = read(from, buffer, left < READ_SIZE ? (size_t)left : READ_SIZE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO; /* shortened while we read */
		if (n <= 0 || delivery_put(d, to, buffer, (size_t)n) < 0)
			return -1;
		left -= (uint64_t)n;
	}
	return 0;
}

/* Takes back the last of the set. */
static void
delivery_drop_last(struct maildir_delivery *d)
{
	struct delivered *message = delivery_last(d);
	char base[NAME_SIZE];
	int saved = errno;

	delivered_base(message, base);
	if (message->source == NULL)
		(void)unlinkat(d->tmp, base, 0);
	free(message->name);
	free(message->source);
	free(message->guid);
	d->set.count--;
	errno = saved;
}

/* Where no link can be made: the message is read and written. */
static int
copy_file(struct maildir_delivery *d, struct maildir_folder *from,
    const struct index_message *message, uint32_t flags, uint64_t keywords)
{
	struct stat st;
	int dir = folder_dir(from, message->record.dir), in, out, r, saved;

	if (dir < 0 || (in = file_open_regular(dir, index_name(message), &st)) < 0)
		return -1;
	out = delivery_create(d, flags, keywords);
	if (out < 0) {
		saved = errno;
		close(in);
		errno = saved;
		return -1;
	}
	r = copy_octets(d, in, out, &st);
	saved = errno;
	close(in);
	if (delivery_close(d, out, &st.st_mtim) < 0 && r == 0) {
		saved = errno;
		r = -1;
	}
	errno = saved;
	if (r < 0)
		delivery_drop_last(d);
	return r;
}

/* A link was made: is it of what we meant? */
static int
link_check(struct maildir_delivery *d, const struct index_record *record, const char *base)
{
	struct delivered *message = delivery_last(d);
	struct stat st;

	if (fstatat(d->tmp, base, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
		message->sizes.known =
		    (record->known & INDEX_SIZES) != 0 && record->size == (uint64_t)st.st_size;
		message->sizes.size = record->size;
		message->sizes.wire = record->wire;
		message->sizes.line_end = (record->known & INDEX_LINE_END) != 0;
		return 0;
	}
	errno = EINVAL;
	delivery_drop_last(d);
	return -1;
}

/* What linkat says where it is not possible at all, or not for this file. */
bool
link_impossible(int error)
{
	return error == EXDEV || error == EPERM || error == EMLINK || error == EOPNOTSUPP ||
	       error == ENOSYS;
}

/* One attempt, by the name that we know. */
static int
copy_try(struct maildir_delivery *d, struct maildir_folder *from,
    const struct index_message *original, uint64_t keywords)
{
	int dir = folder_dir(from, original->record.dir);
	uint32_t flags, letters;
	char base[NAME_SIZE];

	if (dir < 0)
		return -1;
	mdname_flags(index_name(original), &flags, &letters);
	for (int tries = 0; tries < NAME_TRIES; tries++) {
		struct delivered *message = delivery_add(d, flags, keywords, base);

		if (message == NULL)
			return -1;
		if (linkat(dir, index_name(original), d->tmp, base, 0) == 0) {
			d->set.count++;
			return link_check(d, &original->record, base);
		}
		free(message->name);
		if (link_impossible(errno))
			return copy_file(d, from, original, flags, keywords);
		if (errno != EEXIST)
			return -1;
	}
	return -1;
}

/* A copy has the id of its original. */
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

/* What is known of a message's size, when we have it from its octets. */
static void
link_sizes(struct delivered *message, const struct index_record *record)
{
	message->sizes.known = (record->known & INDEX_SIZES) != 0 &&
			       (record->known & (INDEX_HEARSAY | INDEX_UNREADABLE)) == 0;
	message->sizes.size = record->size;
	message->sizes.wire = record->wire;
	message->sizes.line_end = (record->known & INDEX_LINE_END) != 0;
}

int
maildir_delivery_link(
    struct maildir_delivery *d, struct maildir_folder *from, uint32_t uid, uint64_t keywords)
{
	struct index_message original;
	struct delivered *message;
	uint32_t flags, letters;
	char base[NAME_SIZE];

	if (d->from != NULL && d->from != from) {
		errno = EINVAL;
		return -1;
	}
	if (delivery_finish(d) < 0 || message_find(from, uid, &original) < 0)
		return -1;
	mdname_flags(index_name(&original), &flags, &letters);
	message = delivery_add(d, flags, keywords, base);
	if (message == NULL)
		return -1;
	message->source = strdup(index_name(&original));
	if (message->source == NULL) {
		free(message->name);
		return -1;
	}
	message->source_dir = original.record.dir;
	link_sizes(message, &original.record);
	d->from = from;
	d->set.count++;
	return copy_guid(d, &original);
}
