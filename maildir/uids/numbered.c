/*
 * numbered.c: keywords beyond the 26 letters.
 * Runs as: mail user; its parser is fuzzed by tests/fuzz/fuzz_numbered.c.
 *
 * A file name has room for 26 keywords, whose names are in dovecot-keywords.  Numbers 26 to 63 are in
 * this file of ours, by base name, so that they survive changes of flags and a lost index:
 *
 *	sallyport keywords 1
 *	23e89a59 n 26 $Label1
 *	4d2676ef m 5 1700000000.M1P2.host
 *
 * A line is a checksum (eight hex digits, of what follows the blank), a letter and two words.  "n" gives
 * a number its name, "m" gives a message its keywords: a hex number whose bit 0 is keyword 26; the base name
 * may hold blanks.  The last line of a number or a base name counts, and 0 means no keywords.  So the file is
 * only appended to, under the folder's lock.  When most of its lines are outdated, it is replaced by a new file
 * of the others.  A line without its checksum is passed over, and an earlier line of the same message counts
 * then.  A process that dies while it appends leaves a line without an end; the next process begins with a line end.
 *
 * A session looks at the stamp of the file, and reads on from where it was if the octets before that place are still
 * the same.
 *
 * A file that is always read and written whole would take half of this code.  But then a keyword of a single message
 * would write a line for each message that has such keywords, and have each other session read them all: 5 MB in a
 * folder of 100,000.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "maildir/base/array.h"
#include "maildir/base/dir.h"
#include "maildir/base/file.h"
#include "maildir/base/fnv.h"
#include "maildir/base/hash.h"
#include "maildir/base/name.h"
#include "maildir/base/root.h"
#include "maildir/base/span.h"
#include "maildir/uids/keyword.h"
#include "maildir/uids/numbered.h"

#define HEAD	     "sallyport keywords 1\n"
#define NUMBERED_TMP "sallyport.keywords.new"

/* Octets: millions of messages with such keywords.  A larger file is not ours, and must not exhaust memory. */
#define NUMBERED_SIZE_MAX (256 * 1024 * 1024)

/* A file with fewer outdated lines than that is not replaced. */
#define WASTE_MIN 100

/* --- messages by base name --- */

struct base_key {
	const struct numbered *k;
	const char *base;
	size_t len;
};

static bool
is_base(const void *ctx, size_t place)
{
	const struct base_key *key = ctx;
	const struct numbered_message *message = &key->k->message[place];

	return message->base_len == key->len && memcmp(message->base, key->base, key->len) == 0;
}

static struct numbered_message *
find_base(const struct numbered *k, const char *base, size_t len)
{
	const struct base_key key = {k, base, len};
	size_t place = TABLE_NONE;

	if (k->count > 0)
		place = mdtable_find(&k->table, hash32(0, base, len), is_base, &key);
	return place != TABLE_NONE ? &k->message[place] : NULL;
}

uint64_t
numbered_of(const struct numbered *k, const char *base, size_t len)
{
	const struct numbered_message *message = find_base(k, base, len);

	return message != NULL ? message->keywords : 0;
}

static int
set_keywords(struct numbered *k, struct span base, uint64_t keywords)
{
	struct numbered_message *message = find_base(k, base.p, base.len);
	const char *copy;

	if (message != NULL) {
		message->keywords = keywords;
		return 0;
	}
	message = array_grow(k->message, k->count, &k->room, sizeof(*message));
	if (message == NULL)
		return -1;
	k->message = message;
	copy = mdarena_add(&k->arena, base.p, base.len);
	if (copy == NULL || mdtable_add(&k->table, hash32(0, base.p, base.len), k->count) < 0)
		return -1;
	message[k->count++] = (struct numbered_message){copy, base.len, keywords};
	return 0;
}

int
numbered_find(const struct numbered *k, const char *name)
{
	for (int i = 0; i < NUMBERED_COUNT; i++) {
		if (k->name[i] != NULL && strcasecmp(k->name[i], name) == 0)
			return NUMBERED_FIRST + i;
	}
	return -1;
}

int
numbered_free(const struct numbered *k)
{
	uint64_t used = 0;

	for (size_t i = 0; i < k->count; i++)
		used |= k->message[i].keywords;
	for (int i = 0; i < NUMBERED_COUNT; i++) {
		if (k->name[i] == NULL && !(used & UINT64_C(1) << (NUMBERED_FIRST + i)))
			return NUMBERED_FIRST + i;
	}
	return -1;
}

void
numbered_clear(struct numbered *k)
{
	free(k->message);
	mdtable_clear(&k->table);
	mdarena_clear(&k->arena);
	memset(k, 0, sizeof(*k));
}

/* --- reading the text --- */

/* "26 name".  A hostile file may have right checksums: check what it says all the same. */
static int
take_name(struct numbered *k, struct span line)
{
	char name[KEYWORD_MAX + 1], *copy;
	const char *start = line.p;
	uint64_t number;

	if (!span_number(&line, MAILDIR_KEYWORDS - 1, &number) || number < NUMBERED_FIRST ||
	    line.p - start != 2 || !span_char(&line, ' ') ||
	    !span_string(line, name, sizeof(name)) || !keyword_valid(name))
		return 0;
	copy = mdarena_add(&k->arena, name, line.len);
	if (copy == NULL)
		return -1;
	k->name[number - NUMBERED_FIRST] = copy;
	return 0;
}

/* Whether a file in cur/ can have it as the base of its name. */
static bool
base_usable(struct span base)
{
	for (size_t i = 0; i < base.len; i++) {
		if ((unsigned char)base.p[i] < 0x20 || base.p[i] == '/' || base.p[i] == ':')
			return false;
	}
	return base.len > 0 && base.len <= NAME_MAX;
}

/* "5 base" */
static int
take_message(struct numbered *k, struct span line)
{
	uint64_t keywords;

	if (!span_hex(&line, &keywords) || keywords >> NUMBERED_COUNT != 0 ||
	    !span_char(&line, ' ') || !base_usable(line))
		return 0;
	return set_keywords(k, line, keywords << NUMBERED_FIRST);
}

static uint32_t
line_sum(const char *text, size_t len)
{
	uint64_t sum = fnv64(FNV_START, text, len);

	return (uint32_t)(sum ^ sum >> 32);
}

static int
take_line(struct numbered *k, struct span line)
{
	uint64_t sum;
	char kind;

	if (!span_hex(&line, &sum) || !span_char(&line, ' ') || line.len < 2 || line.p[1] != ' ' ||
	    line_sum(line.p, line.len) != sum)
		return 0;
	kind = line.p[0];
	span_skip(&line, 2);
	if (kind == 'n')
		return take_name(k, line);
	return kind == 'm' ? take_message(k, line) : 0;
}

ssize_t
numbered_parse(struct numbered *k, const char *text, size_t size)
{
	struct span rest = {text, size}, line;

	while (span_line(&rest, &line)) {
		if (take_line(k, line) < 0)
			return -1;
		k->lines++;
	}
	return (ssize_t)(size - rest.len);
}

/* --- writing the text --- */

/* A line that gives a number its name ('n'), or a message its keywords ('m'). */
static void
put_line(struct mdbuf *out, char kind, uint64_t value, const char *name, size_t len)
{
	char line[NAME_SIZE + 24];
	int n = snprintf(line, sizeof(line), kind == 'n' ? "n %llu %.*s" : "m %llx %.*s",
	    (unsigned long long)value, (int)len, name);

	if (n < 0 || (size_t)n >= sizeof(line))
		return;
	mdbuf_addf(out, "%08x ", line_sum(line, (size_t)n));
	mdbuf_add(out, line, (size_t)n);
	mdbuf_add(out, "\n", 1);
}

static void
put_message(struct mdbuf *out, const struct numbered_message *message)
{
	put_line(out, 'm', message->keywords >> NUMBERED_FIRST, message->base, message->base_len);
}

void
numbered_put(const struct numbered *k, bool (*live)(void *ctx, const char *base, size_t len),
    void *ctx, struct mdbuf *out)
{
	mdbuf_addf(out, HEAD);
	for (unsigned i = 0; i < NUMBERED_COUNT; i++) {
		if (k->name[i] != NULL)
			put_line(out, 'n', NUMBERED_FIRST + i, k->name[i], strlen(k->name[i]));
	}
	for (size_t i = 0; i < k->count; i++) {
		const struct numbered_message *message = &k->message[i];

		if (message->keywords != 0 &&
		    (live == NULL || live(ctx, message->base, message->base_len)))
			put_message(out, message);
	}
}

/* --- reading the file --- */

/*
 * Takes in what follows the place up to which the file was read.  Returns 1, or 0 if the octets before that place are
 * not the same any more.
 */
static int
read_on(struct numbered *k, int fd, const struct stat *st)
{
	const size_t known = k->end < NUMBERED_TAIL ? (size_t)k->end : NUMBERED_TAIL;
	const off_t from = k->end - (off_t)known;
	const size_t size = (size_t)(st->st_size - from);
	char *text = malloc(size + 1);
	ssize_t n = text != NULL ? file_pread_all(fd, text, size, from) : -1, taken = -1;

	if (n >= 0 && ((size_t)n < known || memcmp(text, k->tail, known) != 0)) {
		free(text);
		return 0;
	}
	if (n >= 0)
		taken = numbered_parse(k, text + known, (size_t)n - known);
	if (taken >= 0) {
		const size_t end = known + (size_t)taken;
		const size_t tail = end < NUMBERED_TAIL ? end : NUMBERED_TAIL;

		memcpy(k->tail, text + end - tail, tail);
		k->end += taken;
		/* This stamp lacks what was appended while we read; so the next look finds it. */
		file_stamp_of(st, &k->stamp);
	}
	free(text);
	return taken >= 0 ? 1 : -1;
}

/* Reads all of the file, or changes nothing.  A file that is too large is treated as empty. */
static int
read_whole(struct numbered *k, int fd, const struct stat *st)
{
	struct numbered fresh = {0};

	file_stamp_of(st, &fresh.stamp);
	if (st->st_size <= NUMBERED_SIZE_MAX && read_on(&fresh, fd, st) < 0) {
		numbered_clear(&fresh);
		return -1;
	}
	numbered_clear(k);
	*k = fresh;
	return 0;
}

int
numbered_refresh(struct mddir *dir, struct numbered *k)
{
	struct file_stamp now;
	struct stat st;
	int fd, r = 0;

	if (file_stamp_at(dir->fd, NUMBERED_NAME, &now) < 0)
		return -1;
	if (file_stamp_same(&now, &k->stamp))
		return 0;
	fd = file_open_regular(dir->fd, NUMBERED_NAME, &st);
	if (fd < 0) {
		const bool closed = errno == EACCES || errno == EPERM;

		if (errno != ENOENT && errno != EINVAL && !closed)
			return -1;
		if (errno != ENOENT)
			file_notice(dir->md, dir->fd, NUMBERED_NAME, errno);
		numbered_clear(k);
		k->stamp = now;
		k->closed = closed;
		return 0;
	}
	if (k->end > 0 && st.st_ino == k->stamp.ino && st.st_dev == k->stamp.dev &&
	    st.st_size >= k->end)
		r = read_on(k, fd, &st);
	if (r <= 0)
		r = read_whole(k, fd, &st);
	close_keeping_errno(fd);
	return r < 0 ? -1 : 0;
}

/* --- writing the file --- */

/* Replaces the file by what is known, of the messages that live says, and the lines. */
static int
replace(struct mddir *dir, struct numbered *k,
    bool (*live)(void *ctx, const char *base, size_t len), void *ctx, const struct mdbuf *lines)
{
	struct mdbuf all = {0};
	int r;

	numbered_put(k, live, ctx, &all);
	mdbuf_add(&all, lines->data, lines->len);
	r = file_replace(dir->md, dir->fd, NUMBERED_TMP, NUMBERED_NAME, &all);
	mdbuf_clear(&all);
	return r < 0 ? -1 : numbered_refresh(dir, k);
}

/* After a line without an end a line end comes first. */
static int
append_to(struct mddir *dir, int fd, off_t size, const struct mdbuf *lines)
{
	struct mdbuf all = {0};
	char last = '\n';
	int r = -1;

	if (file_pread_all(fd, &last, 1, size - 1) >= 0) {
		if (last != '\n')
			mdbuf_add(&all, "\n", 1);
		mdbuf_add(&all, lines->data, lines->len);
		r = file_append(dir, NUMBERED_NAME, fd, size, &all);
	}
	mdbuf_clear(&all);
	return r;
}

/*
 * Writes nothing into a file that has another name too, or is no regular file: that and a missing or empty file are
 * replaced.
 */
static int
append(struct mddir *dir, struct numbered *k, const struct mdbuf *lines)
{
	struct stat st;
	int fd, r;

	if (lines->failed || dir->unlocked != 0) {
		errno = lines->failed ? ENOMEM : dir->unlocked;
		return -1;
	}
	fd = file_open(dir->fd, NUMBERED_NAME, O_APPEND, &st);
	if (fd < 0 && errno != EINVAL && errno != ENOENT)
		return -1;
	r = fd >= 0 && st.st_size > 0 ? append_to(dir, fd, st.st_size, lines) : 1;
	close_keeping_errno(fd);
	if (r > 0)
		return replace(dir, k, NULL, NULL, lines);
	return r < 0 ? -1 : numbered_refresh(dir, k);
}

int
numbered_name(struct mddir *dir, struct numbered *k, int number, const char *name)
{
	struct mdbuf line = {0};
	int r;

	put_line(&line, 'n', (uint64_t)number, name, strlen(name));
	r = append(dir, k, &line);
	mdbuf_clear(&line);
	return r;
}

int
numbered_store(
    struct mddir *dir, struct numbered *k, const struct numbered_message *message, size_t count)
{
	struct mdbuf lines = {0};
	int r;

	for (size_t i = 0; i < count; i++)
		put_message(&lines, &message[i]);
	r = count > 0 ? append(dir, k, &lines) : 0;
	mdbuf_clear(&lines);
	return r;
}

int
numbered_trim(struct mddir *dir, struct numbered *k, size_t messages,
    bool (*live)(void *ctx, const char *base, size_t len), void *ctx)
{
	const struct mdbuf no_lines = {0};
	size_t useful = k->count < messages ? k->count : messages;

	if (dir->unlocked != 0 || k->lines <= (useful + NUMBERED_COUNT) * 2 + WASTE_MIN)
		return 0;
	return replace(dir, k, live, ctx, &no_lines);
}
