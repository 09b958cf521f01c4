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
 * a number its name, "m" a message its keywords: a hex number whose bit 0 is keyword 26; the base name
 * may hold blanks.  The last line of a number or a base name counts, and 0 means no keywords; so the file is
 * only appended to, under the folder's lock, until most of it counts no more: then it is replaced.  A line
 * without its checksum is passed over, and what an earlier line says of that message holds.  A process that dies
 * while it appends leaves a line without end; the next process begins with a line end.
 *
 * A session looks at the stamp of the file, and reads on from where it was if the octets before that place are still
 * the same file's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/array.h"
#include "maildir/base/dir.h"
#include "maildir/base/file.h"
#include "maildir/base/fnv.h"
#include "maildir/base/hash.h"
#include "maildir/base/name.h"
#include "maildir/base/root.h"
#include "maildir/uids/keyword.h"
#include "maildir/uids/numbered.h"

#define HEAD	     "sallyport keywords 1\n"
#define NUMBERED_TMP "sallyport.keywords.new"

/* Millions of messages with such keywords.  A larger file is not ours, and must not exhaust memory. */
#define NUMBERED_SIZE_MAX (256 * 1024 * 1024)

/* Lines that count no more: below this many the file is not replaced to be rid of them. */
#define WASTE_MIN 100

enum { SUM_DIGITS = 8 };

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

static size_t
find_base(const struct numbered *k, const char *base, size_t len)
{
	const struct base_key key = {k, base, len};

	return mdtable_find(&k->table, hash32(0, base, len), is_base, &key);
}

uint64_t
numbered_of(const struct numbered *k, const char *base, size_t len)
{
	size_t place = k->count > 0 ? find_base(k, base, len) : TABLE_NONE;

	return place != TABLE_NONE ? k->message[place].keywords : 0;
}

static int
set_keywords(struct numbered *k, const char *base, size_t len, uint64_t keywords)
{
	size_t place = find_base(k, base, len);
	struct numbered_message *grown;
	const char *copy;

	if (place != TABLE_NONE) {
		k->message[place].keywords = keywords;
		return 0;
	}
	grown = array_grow(k->message, k->count, &k->room, sizeof(*k->message));
	if (grown == NULL)
		return -1;
	k->message = grown;
	copy = mdarena_add(&k->arena, base, len);
	if (copy == NULL || mdtable_add(&k->table, hash32(0, base, len), k->count) < 0)
		return -1;
	k->message[k->count++] = (struct numbered_message){copy, len, keywords};
	return 0;
}

/* --- reading the text --- */

/* What is left of a line. */
struct line {
	const char *p;
	size_t len;
};

/* Takes a number of at most so many digits, and the blank after it. */
static bool
take_number(struct line *line, unsigned base, size_t digits, uint64_t *value_r)
{
	static const char known[] = "0123456789abcdef";
	const char *digit;
	size_t i = 0;

	*value_r = 0;
	for (; i < line->len && i < digits; i++) {
		digit = memchr(known, line->p[i], base);
		if (digit == NULL)
			break;
		*value_r = *value_r * base + (uint64_t)(digit - known);
	}
	if (i == 0 || i >= line->len || line->p[i] != ' ')
		return false;
	line->p += i + 1;
	line->len -= i + 1;
	return true;
}

/* "n 26 name" */
static int
take_name(struct numbered *k, struct line line)
{
	uint64_t number;
	char *name;

	if (!take_number(&line, 10, 2, &number) || number < NUMBERED_FIRST ||
	    number >= MAILDIR_KEYWORDS || line.len > KEYWORD_MAX)
		return 0;
	name = strndup(line.p, line.len);
	if (name == NULL)
		return -1;
	/* An attacker who knows checksums may have written the file. */
	if (strlen(name) != line.len || !keyword_valid(name)) {
		free(name);
		return 0;
	}
	free(k->name[number - NUMBERED_FIRST]);
	k->name[number - NUMBERED_FIRST] = name;
	return 0;
}

/* Whether a file in cur/ can have it as the base of its name. */
static bool
base_usable(const char *base, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)base[i] < 0x20 || base[i] == '/' || base[i] == ':')
			return false;
	}
	return len > 0 && len <= NAME_MAX;
}

/* "m 5 base" */
static int
take_message(struct numbered *k, struct line line)
{
	uint64_t keywords;

	if (!take_number(&line, 16, 16, &keywords) || keywords >> NUMBERED_COUNT != 0 ||
	    !base_usable(line.p, line.len))
		return 0;
	return set_keywords(k, line.p, line.len, keywords << NUMBERED_FIRST);
}

static uint32_t
line_sum(const char *text, size_t len)
{
	uint64_t sum = fnv64(FNV_START, text, len);

	return (uint32_t)(sum ^ sum >> 32);
}

static int
take_line(struct numbered *k, const char *text, size_t len)
{
	struct line line = {text, len};
	uint64_t sum;
	char kind;

	if (!take_number(&line, 16, SUM_DIGITS, &sum) || line.len < 2 || line.p[1] != ' ' ||
	    line_sum(line.p, line.len) != sum)
		return 0;
	kind = line.p[0];
	line.p += 2;
	line.len -= 2;
	if (kind == 'n')
		return take_name(k, line);
	return kind == 'm' ? take_message(k, line) : 0;
}

ssize_t
numbered_parse(struct numbered *k, const char *text, size_t size)
{
	const char *p = text, *end = text + size, *newline;

	while (p < end && (newline = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		if (take_line(k, p, (size_t)(newline - p)) < 0)
			return -1;
		k->lines++;
		p = newline + 1;
	}
	return p - text;
}

void
numbered_clear(struct numbered *k)
{
	for (size_t i = 0; i < NUMBERED_COUNT; i++)
		free(k->name[i]);
	free(k->message);
	mdtable_clear(&k->table);
	mdarena_clear(&k->arena);
	memset(k, 0, sizeof(*k));
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

/* --- writing the text --- */

/* A line of a letter, a word before and one after the blank. */
static void
put_line(struct mdtext *out, const char *before, const char *after, size_t after_len)
{
	char line[NAME_SIZE + 24];
	int len = snprintf(line, sizeof(line), "%s %.*s", before, (int)after_len, after);

	if (len < 0 || (size_t)len >= sizeof(line))
		return;
	mdtext_addf(out, "%08x ", line_sum(line, (size_t)len));
	mdtext_add(out, line, (size_t)len);
	mdtext_add(out, "\n", 1);
}

static void
put_name(struct mdtext *out, int number, const char *name)
{
	char before[8];

	snprintf(before, sizeof(before), "n %d", number);
	put_line(out, before, name, strlen(name));
}

static void
put_message(struct mdtext *out, const struct numbered_message *message)
{
	char before[24];

	snprintf(before, sizeof(before), "m %llx",
	    (unsigned long long)(message->keywords >> NUMBERED_FIRST));
	put_line(out, before, message->base, message->base_len);
}

void
numbered_put(const struct numbered *k, bool (*live)(void *ctx, const char *base, size_t len),
    void *ctx, struct mdtext *out)
{
	mdtext_addf(out, HEAD);
	for (int i = 0; i < NUMBERED_COUNT; i++) {
		if (k->name[i] != NULL)
			put_name(out, NUMBERED_FIRST + i, k->name[i]);
	}
	for (size_t i = 0; i < k->count; i++) {
		const struct numbered_message *message = &k->message[i];

		if (message->keywords != 0 &&
		    (live == NULL || live(ctx, message->base, message->base_len)))
			put_message(out, message);
	}
}

/* --- reading the file --- */

static size_t
tail_size(off_t end)
{
	return end < NUMBERED_TAIL ? (size_t)end : NUMBERED_TAIL;
}

/* Whether the file goes on from what was read of it. */
static bool
goes_on(const struct numbered *k, int fd, const struct stat *st)
{
	size_t size = tail_size(k->end);
	char tail[NUMBERED_TAIL];

	return k->end > 0 && st->st_ino == k->stamp.ino && st->st_dev == k->stamp.dev &&
	       st->st_size >= k->end &&
	       file_pread_all(fd, tail, size, k->end - (off_t)size) == (ssize_t)size &&
	       memcmp(tail, k->tail, size) == 0;
}

/* Takes in what follows k->end. */
static int
read_on(struct numbered *k, int fd, const struct stat *st)
{
	size_t size = (size_t)(st->st_size - k->end);
	char *text = malloc(size + 1);
	ssize_t n;

	if (text == NULL)
		return -1;
	n = file_pread_all(fd, text, size, k->end);
	if (n >= 0)
		n = numbered_parse(k, text, (size_t)n);
	free(text);
	if (n < 0)
		return -1;
	k->end += n;
	size = tail_size(k->end);
	if (file_pread_all(fd, k->tail, size, k->end - (off_t)size) != (ssize_t)size)
		return -1;
	/* This stamp lacks what was appended while we read; so the next look finds it. */
	file_stamp_of(st, &k->stamp);
	return 0;
}

/* Reads all of the file, or changes nothing. */
static int
read_whole(struct numbered *k, int fd, const struct stat *st)
{
	struct numbered fresh = {0};
	int saved;

	if (st->st_size <= NUMBERED_SIZE_MAX && read_on(&fresh, fd, st) < 0) {
		saved = errno;
		numbered_clear(&fresh);
		errno = saved;
		return -1;
	}
	file_stamp_of(st, &fresh.stamp);
	numbered_clear(k);
	*k = fresh;
	return 0;
}

int
numbered_refresh(struct mddir *dir, struct numbered *k)
{
	struct file_stamp now;
	struct stat st;
	int fd, r, saved;

	if (file_stamp_at(dir->fd, NUMBERED_NAME, &now) < 0)
		return -1;
	if (file_stamp_same(&now, &k->stamp))
		return 0;
	fd = file_open_regular(dir->fd, NUMBERED_NAME, &st);
	if (fd < 0) {
		saved = errno;
		if (saved != ENOENT && saved != EINVAL && saved != EACCES && saved != EPERM)
			return -1;
		numbered_clear(k);
		k->stamp = now;
		k->closed = saved == EACCES || saved == EPERM;
		if (saved != ENOENT)
			file_notice(dir->md, dir->fd, NUMBERED_NAME, saved);
		return 0;
	}
	r = goes_on(k, fd, &st) ? read_on(k, fd, &st) : -1;
	if (r < 0)
		r = read_whole(k, fd, &st);
	close_keeping_errno(fd);
	return r;
}

/* --- writing the file --- */

/* Puts a line end before the text where the file's last line has none, and the head into an empty file. */
static int
put_before(int fd, off_t size, struct mdtext *out)
{
	char last = '\n';

	if (size > 0 && file_pread_all(fd, &last, 1, size - 1) != 1)
		return -1;
	if (last != '\n')
		mdtext_add(out, "\n", 1);
	if (size == 0)
		mdtext_addf(out, HEAD);
	return 0;
}

static int
append_to(struct mddir *dir, int fd, off_t size, const struct mdtext *text)
{
	struct mdtext all = {0};
	int r = put_before(fd, size, &all);

	mdtext_add(&all, text->data, text->len);
	if (r == 0)
		r = file_append(dir, NUMBERED_NAME, fd, size, &all);
	if (r == 0 && size == 0)
		r = fsync(dir->fd);
	mdtext_clear(&all);
	return r;
}

/* Writes nothing into a file that has another name too, or is no file: what is known, and more, becomes a new one. */
static int
replace_with(struct mddir *dir, const struct numbered *k, const struct mdtext *text)
{
	struct mdtext all = {0};
	int r;

	numbered_put(k, NULL, NULL, &all);
	mdtext_add(&all, text->data, text->len);
	r = file_replace(dir->md, dir->fd, NUMBERED_TMP, NUMBERED_NAME, &all);
	mdtext_clear(&all);
	return r;
}

static int
append(struct mddir *dir, struct numbered *k, const struct mdtext *text)
{
	struct stat st;
	int fd, r;

	if (text->failed || dir->unlocked != 0) {
		errno = text->failed ? ENOMEM : dir->unlocked;
		return -1;
	}
	fd = file_open(dir->fd, NUMBERED_NAME, O_APPEND | O_CREAT, &st);
	if (fd < 0 && errno != EINVAL)
		return -1;
	if (fd < 0)
		return replace_with(dir, k, text) < 0 ? -1 : numbered_refresh(dir, k);
	r = append_to(dir, fd, st.st_size, text);
	if (r < 0)
		close_keeping_errno(fd);
	else
		r = close(fd);
	return r < 0 ? -1 : numbered_refresh(dir, k);
}

int
numbered_name(struct mddir *dir, struct numbered *k, int number, const char *name)
{
	struct mdtext text = {0};
	int r;

	put_name(&text, number, name);
	r = append(dir, k, &text);
	mdtext_clear(&text);
	return r;
}

int
numbered_store(
    struct mddir *dir, struct numbered *k, const struct numbered_message *message, size_t count)
{
	struct mdtext text = {0};
	int r;

	for (size_t i = 0; i < count; i++)
		put_message(&text, &message[i]);
	r = count > 0 ? append(dir, k, &text) : 0;
	mdtext_clear(&text);
	return r;
}

int
numbered_trim(struct mddir *dir, struct numbered *k, size_t messages,
    bool (*live)(void *ctx, const char *base, size_t len), void *ctx)
{
	size_t useful = k->count < messages ? k->count : messages;
	struct mdtext text = {0};
	int r;

	if (dir->unlocked != 0 || k->lines <= (useful + NUMBERED_COUNT) * 2 + WASTE_MIN)
		return 0;
	numbered_put(k, live, ctx, &text);
	r = file_replace(dir->md, dir->fd, NUMBERED_TMP, NUMBERED_NAME, &text);
	mdtext_clear(&text);
	return r < 0 ? -1 : numbered_refresh(dir, k);
}
