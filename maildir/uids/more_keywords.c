/*
 * more_keywords.c: keywords beyond the 26 letters.
 * Runs as: mail user; its parser is fuzzed by tests/fuzz/fuzz_more_keywords.c.
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
 * may hold blanks.  The last line of a number or a base name counts, and 0 is none; so the file is
 * only appended to, under the folder's lock, until most of it counts no more: then it is replaced.  A line
 * that does not have its checksum is passed over, and what was said before it of that message
 * holds.  One that dies while it appends leaves a line without end; the next one begins with a line end.
 *
 * Who reads looks at the stamp of the file, and reads on from where it was if the file is still the same:
 * the octets before that place are.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/base/dir.h"
#include "maildir/base/file.h"
#include "maildir/base/fnv.h"
#include "maildir/base/name.h"
#include "maildir/base/root.h"
#include "maildir/uids/keywords.h"
#include "maildir/uids/more_keywords.h"

_Static_assert((int)MORE_FIRST == (int)KEYWORD_LETTERS, "numbers go on where letters end");

#define HEAD	 "sallyport keywords 1\n"
#define MORE_TMP "sallyport.keywords.new"

/* Millions of messages with such keywords; what is larger is not ours, and memory is not for the asking. */
#define MORE_SIZE_MAX (256 * 1024 * 1024)

/* Lines that count no more: below this many the file is not written anew to be rid of them. */
#define WASTE_MIN 100

enum { SUM_DIGITS = 8 };

struct more_slot {
	const char *base; /* NULL: free */
	uint32_t len, hash;
	uint64_t keywords;
};

/* --- messages by base name --- */

static uint32_t
base_hash(const char *base, size_t len)
{
	uint64_t hash = fnv64(FNV_START, base, len);

	return (uint32_t)(hash ^ hash >> 32);
}

/* The slot of that base name, or the free one where it belongs. */
static struct more_slot *
slot_of(struct more_slot *table, size_t mask, uint32_t hash, const char *base, size_t len)
{
	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		struct more_slot *slot = &table[i];

		if (slot->base == NULL ||
		    (slot->hash == hash && slot->len == len && memcmp(slot->base, base, len) == 0))
			return slot;
	}
}

/* Room for one more; the table stays at most half full. */
static int
table_grow(struct more_keywords *more)
{
	size_t size = more->slot == NULL ? 64 : (more->mask + 1) * 2;
	struct more_slot *table;

	if (more->slot != NULL && (more->count + 1) * 2 <= more->mask + 1)
		return 0;
	table = calloc(size, sizeof(*table));
	if (table == NULL)
		return -1;
	for (size_t i = 0; more->slot != NULL && i <= more->mask; i++) {
		const struct more_slot *old = &more->slot[i];

		if (old->base != NULL)
			*slot_of(table, size - 1, old->hash, old->base, old->len) = *old;
	}
	free(more->slot);
	more->slot = table;
	more->mask = size - 1;
	return 0;
}

static int
table_set(struct more_keywords *more, const char *base, size_t len, uint64_t keywords)
{
	uint32_t hash = base_hash(base, len);
	struct more_slot *slot;

	if (table_grow(more) < 0)
		return -1;
	slot = slot_of(more->slot, more->mask, hash, base, len);
	if (slot->base == NULL) {
		const char *copy = mdarena_add(&more->arena, base, len);

		if (copy == NULL)
			return -1;
		*slot = (struct more_slot){.base = copy, .len = (uint32_t)len, .hash = hash};
		more->count++;
	}
	slot->keywords = keywords;
	return 0;
}

uint64_t
more_mask(const struct more_keywords *more, const char *base, size_t len)
{
	if (more->count == 0)
		return 0;
	return slot_of(more->slot, more->mask, base_hash(base, len), base, len)->keywords;
}

/* --- reading the text --- */

/* What is left of a line. */
struct line {
	const char *p;
	size_t len;
};

/* A number in that many digits at most, and the blank behind it. */
static bool
line_number(struct line *line, unsigned base, size_t digits, uint64_t *value_r)
{
	static const char known[] = "0123456789abcdef";
	uint64_t value = 0;
	size_t i = 0;

	for (; i < line->len && i < digits; i++) {
		const char *digit = memchr(known, line->p[i], base);

		if (digit == NULL)
			break;
		value = value * base + (uint64_t)(digit - known);
	}
	if (i == 0 || i >= line->len || line->p[i] != ' ')
		return false;
	line->p += i + 1;
	line->len -= i + 1;
	*value_r = value;
	return true;
}

/* "n 26 name" */
static int
take_name(struct more_keywords *more, struct line line)
{
	uint64_t number;
	char *name;

	if (!line_number(&line, 10, 2, &number) || number < MORE_FIRST ||
	    number >= MAILDIR_KEYWORDS || line.len > KEYWORD_MAX)
		return 0;
	name = strndup(line.p, line.len);
	if (name == NULL)
		return -1;
	/* It may come of a file that somebody wrote who knows checksums. */
	if (strlen(name) != line.len || !keyword_valid(name)) {
		free(name);
		return 0;
	}
	free(more->name[number - MORE_FIRST]);
	more->name[number - MORE_FIRST] = name;
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
take_message(struct more_keywords *more, struct line line)
{
	uint64_t keywords;

	if (!line_number(&line, 16, 16, &keywords) || keywords >> MORE_COUNT != 0 ||
	    !base_usable(line.p, line.len))
		return 0;
	return table_set(more, line.p, line.len, keywords << MORE_FIRST);
}

static uint32_t
line_sum(const char *text, size_t len)
{
	uint64_t sum = fnv64(FNV_START, text, len);

	return (uint32_t)(sum ^ sum >> 32);
}

static int
take_line(struct more_keywords *more, const char *text, size_t len)
{
	struct line line = {text, len};
	uint64_t sum;
	char kind;

	if (!line_number(&line, 16, SUM_DIGITS, &sum) || line.len < 2 || line.p[1] != ' ' ||
	    line_sum(line.p, line.len) != sum)
		return 0;
	kind = line.p[0];
	line.p += 2;
	line.len -= 2;
	if (kind == 'n')
		return take_name(more, line);
	return kind == 'm' ? take_message(more, line) : 0;
}

ssize_t
more_parse(struct more_keywords *more, const char *text, size_t size)
{
	const char *p = text, *end = text + size, *newline;

	while (p < end && (newline = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		if (take_line(more, p, (size_t)(newline - p)) < 0)
			return -1;
		more->lines++;
		p = newline + 1;
	}
	return p - text;
}

void
more_clear(struct more_keywords *more)
{
	for (size_t i = 0; i < MORE_COUNT; i++)
		free(more->name[i]);
	free(more->slot);
	mdarena_clear(&more->arena);
	memset(more, 0, sizeof(*more));
}

int
more_find(const struct more_keywords *more, const char *name)
{
	for (int i = 0; i < MORE_COUNT; i++) {
		if (more->name[i] != NULL && strcasecmp(more->name[i], name) == 0)
			return MORE_FIRST + i;
	}
	return -1;
}

int
more_free(const struct more_keywords *more)
{
	uint64_t used = 0;

	for (size_t i = 0; more->slot != NULL && i <= more->mask; i++)
		used |= more->slot[i].keywords;
	for (int i = 0; i < MORE_COUNT; i++) {
		if (more->name[i] == NULL && !(used & UINT64_C(1) << (MORE_FIRST + i)))
			return MORE_FIRST + i;
	}
	return -1;
}

/* --- writing it --- */

static void
put_line(struct mdtext *out, const char *line, size_t len)
{
	mdtext_addf(out, "%08x ", line_sum(line, len));
	mdtext_add(out, line, len);
	mdtext_add(out, "\n", 1);
}

static void
put_name(struct mdtext *out, int number, const char *name)
{
	char line[KEYWORD_MAX + 8];
	int len = snprintf(line, sizeof(line), "n %d %s", number, name);

	if (len > 0 && (size_t)len < sizeof(line))
		put_line(out, line, (size_t)len);
}

static void
put_message(struct mdtext *out, const char *base, size_t base_len, uint64_t keywords)
{
	char line[NAME_SIZE + 24];
	int len = snprintf(line, sizeof(line), "m %llx %.*s",
	    (unsigned long long)(keywords >> MORE_FIRST), (int)base_len, base);

	if (len > 0 && (size_t)len < sizeof(line))
		put_line(out, line, (size_t)len);
}

void
more_put(const struct more_keywords *more, bool (*live)(void *ctx, const char *base, size_t len),
    void *ctx, struct mdtext *out)
{
	mdtext_addf(out, HEAD);
	for (int i = 0; i < MORE_COUNT; i++) {
		if (more->name[i] != NULL)
			put_name(out, MORE_FIRST + i, more->name[i]);
	}
	for (size_t i = 0; more->slot != NULL && i <= more->mask; i++) {
		const struct more_slot *slot = &more->slot[i];

		if (slot->keywords != 0 && (live == NULL || live(ctx, slot->base, slot->len)))
			put_message(out, slot->base, slot->len, slot->keywords);
	}
}

/* --- reading the file --- */

static size_t
tail_size(off_t end)
{
	return end < MORE_TAIL ? (size_t)end : MORE_TAIL;
}

/* Whether the file goes on from what was read of it. */
static bool
goes_on(const struct more_keywords *more, int fd, const struct stat *st)
{
	size_t size = tail_size(more->end);
	char tail[MORE_TAIL];

	return more->end > 0 && st->st_ino == more->stamp.ino && st->st_dev == more->stamp.dev &&
	       st->st_size >= more->end &&
	       file_pread_all(fd, tail, size, more->end - (off_t)size) == (ssize_t)size &&
	       memcmp(tail, more->tail, size) == 0;
}

/* Takes in what lies behind more->end. */
static int
read_on(struct more_keywords *more, int fd, const struct stat *st)
{
	size_t size = (size_t)(st->st_size - more->end);
	char *text = malloc(size + 1);
	ssize_t n = -1;

	if (text == NULL)
		return -1;
	n = file_pread_all(fd, text, size, more->end);
	if (n >= 0)
		n = more_parse(more, text, (size_t)n);
	free(text);
	if (n < 0)
		return -1;
	more->end += n;
	size = tail_size(more->end);
	if (file_pread_all(fd, more->tail, size, more->end - (off_t)size) != (ssize_t)size)
		return -1;
	/* What was appended while we read is not in this stamp, and so is found by the next look. */
	file_stamp_of(st, &more->stamp);
	return 0;
}

/* All of the file, or nothing. */
static int
read_anew(struct more_keywords *more, int fd, const struct stat *st)
{
	struct more_keywords fresh = {0};
	int saved;

	if (st->st_size <= MORE_SIZE_MAX && read_on(&fresh, fd, st) < 0) {
		saved = errno;
		more_clear(&fresh);
		errno = saved;
		return -1;
	}
	file_stamp_of(st, &fresh.stamp);
	more_clear(more);
	*more = fresh;
	return 0;
}

int
more_refresh(struct mddir *dir, struct more_keywords *more)
{
	struct file_stamp now;
	struct stat st;
	int fd, r, saved;

	if (file_stamp_at(dir->fd, MORE_KEYWORDS_NAME, &now) < 0)
		return -1;
	if (file_stamp_same(&now, &more->stamp))
		return 0;
	fd = file_open_regular(dir->fd, MORE_KEYWORDS_NAME, &st);
	if (fd < 0) {
		saved = errno;
		if (saved != ENOENT && saved != EINVAL && saved != EACCES && saved != EPERM)
			return -1;
		more_clear(more);
		more->stamp = now;
		more->closed = saved == EACCES || saved == EPERM;
		if (saved != ENOENT)
			file_notice(dir->md, dir->fd, MORE_KEYWORDS_NAME, saved);
		return 0;
	}
	r = goes_on(more, fd, &st) ? read_on(more, fd, &st) : -1;
	if (r < 0)
		r = read_anew(more, fd, &st);
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

/* --- writing the file --- */

/* The open file has its whole last line: 1; it has none: 0. */
static int
ends_whole(int fd, off_t size)
{
	char last;

	if (size == 0)
		return 1;
	if (file_pread_all(fd, &last, 1, size - 1) != 1)
		return -1;
	return last == '\n';
}

/* All or nothing, on disk. */
static int
append_to(int fd, const struct mdtext *text)
{
	struct stat st;
	int whole, saved;

	if (fstat(fd, &st) < 0)
		return -1;
	whole = ends_whole(fd, st.st_size);
	if (whole < 0)
		return -1;
	if ((whole || file_write_all(fd, "\n", 1) == 0) &&
	    (st.st_size > 0 || file_write_all(fd, HEAD, strlen(HEAD)) == 0) &&
	    file_write_all(fd, text->data, text->len) == 0 && fsync(fd) == 0)
		return 0;
	/* Half a batch is none; if it cannot be cut its whole lines are read once more. */
	saved = errno;
	(void)!ftruncate(fd, st.st_size);
	errno = saved;
	return -1;
}

static int
more_replace(struct mddir *dir, const struct mdtext *text)
{
	if (file_write(dir->fd, MORE_TMP, text, MORE_KEYWORDS_NAME) < 0 ||
	    file_place(dir->md, dir->fd, MORE_TMP, MORE_KEYWORDS_NAME, false) < 0)
		return -1;
	return fsync(dir->fd);
}

/* Not into a file that is somewhere else too, or is none: what is known, and more, into one of our own. */
static int
more_append_anew(struct mddir *dir, struct more_keywords *more, const struct mdtext *text)
{
	struct mdtext all = {0};
	int r;

	more_put(more, NULL, NULL, &all);
	mdtext_add(&all, text->data, text->len);
	r = more_replace(dir, &all);
	mdtext_clear(&all);
	return r < 0 ? -1 : more_refresh(dir, more);
}

static int
more_append(struct mddir *dir, struct more_keywords *more, const struct mdtext *text)
{
	struct stat st;
	bool made = false;
	int fd, r, saved;

	if (text->failed || dir->unlocked != 0) {
		errno = text->failed ? ENOMEM : dir->unlocked;
		return -1;
	}
	fd = file_open(dir->fd, MORE_KEYWORDS_NAME, O_APPEND, &st);
	if (fd < 0 && errno == ENOENT) {
		made = true;
		fd = file_open(dir->fd, MORE_KEYWORDS_NAME, O_APPEND | O_CREAT, &st);
	}
	if (fd < 0 && errno == EINVAL)
		return more_append_anew(dir, more, text);
	if (fd < 0)
		return -1;
	r = append_to(fd, text);
	if (r == 0 && made)
		r = fsync(dir->fd);
	saved = errno;
	if (close(fd) < 0 && r == 0)
		return -1;
	errno = saved;
	return r < 0 ? -1 : more_refresh(dir, more);
}

int
more_name(struct mddir *dir, struct more_keywords *more, int number, const char *name)
{
	struct mdtext text = {0};
	int r;

	put_name(&text, number, name);
	r = more_append(dir, more, &text);
	mdtext_clear(&text);
	return r;
}

int
more_store(
    struct mddir *dir, struct more_keywords *more, const struct more_change *change, size_t count)
{
	struct mdtext text = {0};
	int r = 0;

	for (size_t i = 0; i < count; i++)
		put_message(&text, change[i].base, change[i].base_len, change[i].keywords);
	if (count > 0)
		r = more_append(dir, more, &text);
	mdtext_clear(&text);
	return r;
}

int
more_trim(struct mddir *dir, struct more_keywords *more, size_t messages,
    bool (*live)(void *ctx, const char *base, size_t len), void *ctx)
{
	size_t useful = more->count < messages ? more->count : messages;
	struct mdtext text = {0};
	int r;

	if (dir->unlocked != 0 || more->lines <= (useful + MORE_COUNT) * 2 + WASTE_MIN)
		return 0;
	more_put(more, live, ctx, &text);
	r = more_replace(dir, &text);
	mdtext_clear(&text);
	return r < 0 ? -1 : more_refresh(dir, more);
}
