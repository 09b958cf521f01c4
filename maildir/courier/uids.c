/*
 * uids.c: Courier's UIDs and POP3 UIDLs, read, and written as a dovecot-uidlist.
 * Runs as: mail user; fuzzed by tests/fuzz/fuzz_courier.c.
 *
 * The formats are those that Courier 1.0 (courier-imap 5.0) of Debian 12 was seen to write and to read:
 *
 * courierimapuiddb, in each folder, replaced as a whole: "1 <UIDVALIDITY> <next UID>", then a line
 * "<UID> <base name>" for each message, UIDs rising.  Version 1 of dovecot-uidlist once was the same,
 * and uidlist.c reads it.
 *
 * courierpop3dsizelist, in INBOX: "/3 <next number> <validity>", then for each message, in order of
 * delivery, "<file name> <size> <number>:<validity>:<has 8-bit headers>".  Numbers and validities have
 * nothing to do with IMAP's.  The UIDL is "UID<number>-<validity>".  Version 2 has no third number.
 * Version 1 had no validity, and its UIDLs are "UID<number>", as they still are where the validity is
 * 0.  Older files had no first line and no number, and the UIDL was made of the base name, as it
 * still is where the number is 0.  Sizes are Courier's opinion, and are not imported.
 *
 * A line that cannot be read is passed over, and a notice reports it; the message gets a new UID then.
 * So no UID is given twice, since the header has the next UID.  If the header is gone, nobody
 * knows which UIDs were given, and everything gets new UIDs under a new UIDVALIDITY; UIDLs stay.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/base/array.h"
#include "maildir/base/name.h"
#include "maildir/base/span.h"
#include "maildir/courier/format.h"

/* POP3's limit, RFC 1939 section 7. */
#define UIDL_MAX 70

size_t
courier_base(const char *name, size_t len)
{
	size_t base = mdname_base_in(name, len);

	if (base == 0 || base >= NAME_SIZE || name[0] == '.')
		return 0;
	for (size_t i = 0; i < base; i++) {
		if ((unsigned char)name[i] < 0x20 || name[i] == '/')
			return 0;
	}
	return base;
}

/* --- courierpop3dsizelist --- */

static int
base_compare(const struct courier_uidl *a, const struct courier_uidl *b)
{
	int r = memcmp(a->base, b->base, a->base_len < b->base_len ? a->base_len : b->base_len);

	return r != 0 ? r : (a->base_len > b->base_len) - (a->base_len < b->base_len);
}

/* Takes the last word off the line, which keeps what stands before the blank. */
static bool
last_word(struct span *line, struct span *word_r)
{
	const char *blank = line->len > 0 ? memrchr(line->p, ' ', line->len) : NULL;

	if (blank == NULL)
		return false;
	*word_r = *line;
	span_skip(word_r, (size_t)(blank + 1 - line->p));
	line->len = (size_t)(blank - line->p);
	return true;
}

/* "<number>:<validity>", and a later version may add something after a further colon. */
static bool
uidl_parse(int version, struct span word, struct courier_uidl *uidl)
{
	if (!span_number(&word, UINT64_MAX, &uidl->number))
		return false;
	if (version == 1)
		return word.len == 0;
	return span_char(&word, ':') && span_number(&word, UINT64_MAX, &uidl->validity) &&
	       (word.len == 0 || *word.p == ':');
}

static bool
uidl_line(int version, struct span line, struct courier_uidl *uidl)
{
	struct span word;
	uint64_t size;

	if (version > 0 && (!last_word(&line, &word) || !uidl_parse(version, word, uidl)))
		return false;
	if (!last_word(&line, &word) || !span_number(&word, UINT64_MAX, &size) || word.len != 0)
		return false;
	uidl->base = line.p;
	uidl->base_len = courier_base(line.p, line.len);
	return uidl->base_len > 0;
}

/* The version of a text, whose first line is taken off.  -1: it is not a version that we know. */
static int
uidls_version(struct span *text)
{
	struct span line;
	uint64_t version;

	if (text->len == 0 || *text->p != '/')
		return 0;
	if (!span_line(text, &line) || !span_char(&line, '/') || !span_number(&line, 3, &version) ||
	    version < 1)
		return -1;
	return (int)version;
}

static int
uidl_by_base(const void *a, const void *b)
{
	const struct courier_uidl *x = a, *y = b;
	int r = base_compare(x, y);

	return r != 0 ? r : (x->place > y->place) - (x->place < y->place);
}

/* By name; of two lines with one name the later counts. */
static void
uidls_sort(struct courier_uidls *uidls)
{
	size_t kept = 0;

	if (uidls->count == 0)
		return;
	qsort(uidls->list, uidls->count, sizeof(*uidls->list), uidl_by_base);
	for (size_t i = 1; i < uidls->count; i++) {
		if (base_compare(&uidls->list[kept], &uidls->list[i]) != 0)
			kept++;
		uidls->list[kept] = uidls->list[i];
	}
	uidls->count = kept + 1;
}

int
courier_uidls_parse(struct courier_uidls *uidls, const char *octets, size_t size)
{
	struct span text = {octets, size}, line;
	int version = uidls_version(&text);
	size_t room = 0;

	memset(uidls, 0, sizeof(*uidls));
	if (version < 0) {
		uidls->what = "not a version that we know";
		return 0;
	}
	while (span_line(&text, &line)) {
		struct courier_uidl uidl = {.place = uidls->count}, *list;

		if (!uidl_line(version, line, &uidl)) {
			uidls->what = "a line that cannot be read";
			continue;
		}
		list = array_grow(uidls->list, uidls->count, &room, sizeof(uidl));
		if (list == NULL) {
			courier_uidls_clear(uidls);
			return -1;
		}
		uidls->list = list;
		list[uidls->count++] = uidl;
	}
	if (text.len > 0)
		uidls->what = "its last line has no end";
	uidls_sort(uidls);
	return 0;
}

void
courier_uidls_clear(struct courier_uidls *uidls)
{
	free(uidls->list);
	memset(uidls, 0, sizeof(*uidls));
}

static int
uidl_is(const void *key, const void *member)
{
	return base_compare(key, member);
}

static struct courier_uidl *
uidls_find(const struct courier_uidls *uidls, const char *base, size_t len)
{
	const struct courier_uidl key = {.base = base, .base_len = len};

	if (uidls->count == 0)
		return NULL;
	return bsearch(&key, uidls->list, uidls->count, sizeof(key), uidl_is);
}

/* The oldest form: what is not for POP3, and quotes and "+", as "+" and two hex digits. */
static size_t
uidl_of_base(const struct courier_uidl *uidl, char out[3 * NAME_SIZE])
{
	const char *digits = "0123456789ABCDEF";
	size_t len = 0;

	for (size_t i = 0; i < uidl->base_len; i++) {
		unsigned char c = (unsigned char)uidl->base[i];

		if (c >= 0x21 && c <= 0x7e && strchr("'\"+", c) == NULL) {
			out[len++] = (char)c;
			continue;
		}
		out[len++] = '+';
		out[len++] = digits[c >> 4];
		out[len++] = digits[c & 15];
	}
	return len;
}

void
courier_put_uidl(struct mdbuf *out, const struct courier_uidl *uidl)
{
	char name[3 * NAME_SIZE];
	size_t len;

	if (uidl->number != 0 && uidl->validity != 0) {
		mdbuf_addf(out, "UID%llu-%llu", (unsigned long long)uidl->number,
		    (unsigned long long)uidl->validity);
	} else if (uidl->number != 0) {
		mdbuf_addf(out, "UID%llu", (unsigned long long)uidl->number);
	} else if (uidl->base_len <= UIDL_MAX) {
		len = uidl_of_base(uidl, name);
		if (len <= UIDL_MAX)
			mdbuf_add(out, name, len);
	}
}

/* --- courierimapuiddb --- */

bool
courier_uids_known(const struct uidlist *db)
{
	struct span text = {db->text, db->size}, line;
	uint64_t validity, next;

	return db->state != UIDLIST_NONE && span_line(&text, &line) && span_char(&line, '1') &&
	       span_char(&line, ' ') && span_number(&line, UINT32_MAX, &validity) &&
	       span_char(&line, ' ') && span_number(&line, UINT32_MAX, &next) && line.len == 0 &&
	       validity == db->validity && validity > 0 && next > 0;
}

static int
line_by_uid(const void *a, const void *b)
{
	const struct uidlist_line *const *x = a, *const *y = b;

	if ((*x)->uid != (*y)->uid)
		return (*x)->uid < (*y)->uid ? -1 : 1;
	return (*x)->base < (*y)->base ? -1 : 1;
}

/* The lines that can be used, by UID.  If a UID stands twice nobody knows which message had it: both lose it. */
static size_t
db_lines(const struct uidlist *db, const struct uidlist_line **lines)
{
	size_t count = 0, kept = 0;
	uint32_t before = 0;

	for (size_t i = 0; i < db->count; i++) {
		const struct uidlist_line *line = &db->line[i];

		if (db->version == 1 && courier_base(line->base, line->base_len) == line->base_len)
			lines[count++] = line;
	}
	qsort(lines, count, sizeof(*lines), line_by_uid);
	for (size_t i = 0; i < count; i++) {
		bool twice = lines[i]->uid == before ||
			     (i + 1 < count && lines[i + 1]->uid == lines[i]->uid);

		before = lines[i]->uid;
		if (!twice)
			lines[kept++] = lines[i];
	}
	return kept;
}

static int
uidl_by_place(const void *a, const void *b)
{
	const struct courier_uidl *x = a, *y = b;

	return (x->place > y->place) - (x->place < y->place);
}

static void
put_line(struct mdbuf *out, uint32_t uid, const char *base, size_t base_len,
    const struct courier_uidl *uidl)
{
	struct uidlist_line line = {.base = base, .base_len = base_len};
	struct mdbuf ext = {0};

	if (uidl != NULL) {
		mdbuf_add(&ext, "P", 1);
		courier_put_uidl(&ext, uidl);
	}
	if (ext.failed) {
		out->failed = true;
	} else if (ext.len > 1) {
		line.ext = ext.data;
		line.ext_len = (uint32_t)ext.len;
		uidlist_put_line(out, &line, uid, NULL);
	} else {
		uidlist_put_new(out, uid, base, base_len);
	}
	mdbuf_clear(&ext);
}

/* Writes the lines of db, and after them the UIDLs that no line has, in Courier's order. */
static void
put_lines(struct mdbuf *out, const struct uidlist_line *const *lines, size_t count,
    struct courier_uidls *uidls, bool renumber, uint32_t *next)
{
	for (size_t i = 0; i < count; i++) {
		const struct uidlist_line *line = lines[i];
		struct courier_uidl *uidl = uidls_find(uidls, line->base, line->base_len);

		if (uidl != NULL)
			uidl->written = true;
		put_line(out, renumber ? (*next)++ : line->uid, line->base, line->base_len, uidl);
	}
	if (uidls->count > 0)
		qsort(uidls->list, uidls->count, sizeof(*uidls->list), uidl_by_place);
	/* At the end of all UIDs the messages that are left wait for the folder's new numbering. */
	for (size_t i = 0; i < uidls->count && *next <= UIDLIST_UID_MAX; i++) {
		const struct courier_uidl *uidl = &uidls->list[i];

		if (!uidl->written)
			put_line(out, (*next)++, uidl->base, uidl->base_len, uidl);
	}
}

int
courier_put_uids(
    struct mdbuf *out, const struct uidlist *db, struct courier_uidls *uidls, uint32_t validity)
{
	/* An array of no lines is allocated all the same. */
	const struct uidlist_line **order = calloc(db->count + 1, sizeof(*order));
	uint32_t next = validity != 0 ? 1 : db->next;
	struct mdbuf lines = {0};

	if (order == NULL)
		return -1;
	put_lines(&lines, order, db_lines(db, order), uidls, validity != 0, &next);
	free(order);
	mdbuf_addf(out, "3 V%u N%u\n", validity != 0 ? validity : db->validity, next);
	mdbuf_add(out, lines.data, lines.len);
	out->failed |= lines.failed;
	mdbuf_clear(&lines);
	if (!out->failed)
		return 0;
	errno = ENOMEM;
	return -1;
}
