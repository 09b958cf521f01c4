/*
 * uidlist.c: the text of dovecot-uidlist, read and written.
 * Runs as: mail user; fuzzed by tests/fuzz/fuzz_uidlist.c.
 *
 * The format is version 3 of Dovecot's, checked against a running Dovecot 2.3.19:
 *
 *	3 V1795233330 N12 Gf2606f033216016bfa33000083ecc375
 *	1 S20 W24 :1700000001.M1P2.host
 *	11 :1700000009.M9P4.host
 *
 * The header is the version, then fields of one key letter and a value: V the UIDVALIDITY, N the next
 * UID when the whole file was last written, G the folder's id (32 hex digits).  Dovecot keeps fields that it
 * does not know, and so do we.  A line is a UID, fields, and after " :" the base name (up to
 * the info part's colon); it may hold blanks, but neither '/' nor a newline.  Fields of a line are
 * S size of the file, W size with CRLF, P the POP3 UIDL, O the POP3 order, G an id of the message;
 * Dovecot keeps other capitals in their place and drops what does not begin with a capital.
 * We add a field of our own:
 *
 *	L<size>  S and W were found by reading a file of that size, and it ended in a line end
 *
 * because a POP3 server that knows only W cannot tell what its answer to RETR adds.  Dovecot writes
 * W without S in POP3 sessions; such a W is never trusted, since nothing says what file it was of.
 *
 * UIDs rise from line to line.  A file whose UIDs do not, or with a line that cannot be read, is
 * broken to Dovecot: it unlinks the whole file.  The same base name in two lines is legal; the later
 * line wins (a message that vanished and came back).  The next UID is the highest of N and the last
 * UID + 1, for new lines are appended without touching the header.  Dovecot notices our writing by
 * the inode and the size of the file.
 *
 * After a power failure a file may be cut anywhere, or hold NULs or an empty line where its last pages were not
 * written yet.  The whole lines still say which UID a message has.  A broken line is passed over
 * and its message gets a new UID, above all that can have been given: lines are appended by rising UID, so what
 * is lost between two good lines is below the second, and what is lost after the last is counted (see
 * uidlist_pass_lost).  UIDs that do not rise may have been given twice: nothing of such a file is trusted.  A torn
 * file is replaced: Dovecot would append right after a line without an end, and make one line of two.
 *
 * Version 1 (Dovecot 1.0; "1 <validity> <next>", lines "<uid> <name>") is read, and written as 3.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/base/array.h"
#include "maildir/base/name.h"
#include "maildir/base/number.h"
#include "maildir/base/record.h"
#include "maildir/uids/uidlist.h"

/* The shortest line: "1 :a" and its end. */
#define LINE_LEAST 5

/*
 * After a cut there may have been whole lines, and clients know of them: all that was written in the half
 * minute before a power failure.  No server gives more UIDs in that time, and it is next to nothing of 2^32.
 */
#define LOST_MOST 1000

/* A cursor over one line, which ends at end. */
struct cursor {
	const char *p, *end;
};

static bool
cursor_number(struct cursor *c, uint64_t max, uint64_t *value_r)
{
	size_t digits = number_read(c->p, (size_t)(c->end - c->p), max, value_r);

	c->p += digits;
	return digits > 0;
}

static void
cursor_blanks(struct cursor *c)
{
	while (c->p < c->end && *c->p == ' ')
		c->p++;
}

/* The word up to the next blank or the end. */
static size_t
cursor_word(struct cursor *c, const char **word_r)
{
	const char *blank = memchr(c->p, ' ', (size_t)(c->end - c->p));

	*word_r = c->p;
	c->p = blank != NULL ? blank : c->end;
	return (size_t)(c->p - *word_r);
}

static bool
word_number(const char *word, size_t len, uint64_t max, uint64_t *value_r)
{
	struct cursor c = {word, word + len};

	return cursor_number(&c, max, value_r) && c.p == c.end;
}

static void
header_guid(struct uidlist *list, const char *word, size_t len)
{
	if (len != 32)
		return;
	for (size_t i = 0; i < len; i++) {
		if (number_hex(word[i]) < 0)
			return;
	}
	memcpy(list->guid, word, len);
	list->guid[len] = '\0';
}

static void
uidlist_damage(struct uidlist *list, const char *what)
{
	if (list->state == UIDLIST_DAMAGED)
		return;
	list->state = UIDLIST_DAMAGED;
	list->what = what;
}

static void
uidlist_tear(struct uidlist *list, const char *what)
{
	if (list->state != UIDLIST_GOOD)
		return;
	list->state = UIDLIST_TORN;
	list->what = what;
}

/* One field of a version 3 header.  Unknown ones are only noted: header_extra finds them again. */
static void
header_field(struct uidlist *list, const char *word, size_t len)
{
	uint64_t value;

	switch (word[0]) {
	case 'V':
		if (!word_number(word + 1, len - 1, UINT32_MAX, &value) || value == 0)
			uidlist_damage(list, "bad UIDVALIDITY");
		else
			list->validity = (uint32_t)value;
		break;
	case 'N':
		if (!word_number(word + 1, len - 1, UINT32_MAX, &value) || value == 0)
			uidlist_damage(list, "bad next UID");
		else
			list->next = (uint32_t)value;
		break;
	case 'G':
		header_guid(list, word + 1, len - 1);
		break;
	default:
		if (list->extra == NULL)
			list->extra = word;
		list->extra_len = (size_t)(word + len - list->extra);
		break;
	}
}

static void
header_parse_1(struct uidlist *list, struct cursor *c)
{
	uint64_t validity = 0, next = 0;

	cursor_blanks(c);
	if (cursor_number(c, UINT32_MAX, &validity)) {
		cursor_blanks(c);
		(void)cursor_number(c, UINT32_MAX, &next);
	}
	list->validity = (uint32_t)validity;
	list->next = (uint32_t)next;
}

static void
header_parse(struct uidlist *list, struct cursor *c)
{
	uint64_t version = 0;

	if (!cursor_number(c, 9, &version) || (version != 3 && version != 1) ||
	    (c->p < c->end && *c->p != ' ')) {
		uidlist_damage(list, "not a version that we know");
		return;
	}
	list->version = (uint32_t)version;
	if (version == 1)
		header_parse_1(list, c);
	for (cursor_blanks(c); version == 3 && c->p < c->end; cursor_blanks(c)) {
		const char *word;
		size_t len = cursor_word(c, &word);

		header_field(list, word, len);
	}
	if (list->validity == 0 || list->next == 0)
		uidlist_damage(list, "the header lacks UIDVALIDITY or next UID");
}

/* Reads the fields between the UID and the name; c stands on the name after that. */
static void
line_fields(struct cursor *c, struct uidlist_line *line)
{
	const char *word, *start = c->p, *end = c->p;

	while (c->p < c->end && *c->p != ':') {
		cursor_word(c, &word);
		end = c->p;
		cursor_blanks(c);
	}
	line->ext = start;
	line->ext_len = (uint32_t)(end - start);
	if (c->p < c->end)
		c->p++;
}

/* Reads a line; NULL, or what is wrong with it. */
static const char *
line_parse(struct cursor *c, uint32_t version, struct uidlist_line *line)
{
	uint64_t uid;

	line->uid = 0;
	if (!cursor_number(c, UIDLIST_UID_MAX, &uid) || uid == 0 || c->p == c->end || *c->p != ' ')
		return "a line without UID";
	line->uid = (uint32_t)uid;
	cursor_blanks(c);
	line->ext = c->p;
	line->ext_len = 0;
	if (version != 1)
		line_fields(c, line);
	line->base = c->p;
	line->base_len = mdname_base_in(c->p, (size_t)(c->end - c->p));
	if (line->base_len == 0 || memchr(line->base, '/', line->base_len) != NULL)
		return "a line without file name";
	return NULL;
}

/* Where UIDs are out of order a UID may stand there twice, and nobody knows which message had it first. */
static int
uidlist_add(struct uidlist *list, size_t *room, struct cursor *c)
{
	const size_t size = (size_t)(c->end - c->p);
	const bool nul = memchr(c->p, '\0', size) != NULL, cut = c->end == list->text + list->size;
	struct uidlist_line line, *grown;
	const char *what = line_parse(c, list->version, &line);

	if (line.uid >= list->next)
		list->next = line.uid + 1;
	if (what != NULL || nul || cut) {
		uidlist_tear(list, cut	 ? "its last line has no end"
				   : nul ? "a line holds NUL"
					 : what);
		list->lost += size + 1;
		return 0;
	}
	list->lost = 0;
	grown = array_grow(list->line, list->count, room, sizeof(line));
	if (grown == NULL)
		return -1;
	list->line = grown;
	if (list->count > 0 && line.uid <= list->line[list->count - 1].uid)
		uidlist_damage(list, "UIDs that do not rise");
	list->line[list->count++] = line;
	return 0;
}

/* All lines; the header first. */
static int
uidlist_parse_lines(struct uidlist *list)
{
	const char *end = list->text + list->size, *newline;
	size_t room = 0;

	for (const char *p = list->text; p < end; p = newline + 1) {
		newline = memchr(p, '\n', (size_t)(end - p));
		if (newline == NULL)
			newline = end;
		struct cursor c = {p, newline};

		if (p == list->text)
			header_parse(list, &c);
		else if (uidlist_add(list, &room, &c) < 0)
			return -1;
	}
	return 0;
}

int
uidlist_parse(struct uidlist *list, char *text, size_t size)
{
	memset(list, 0, sizeof(*list));
	list->text = text;
	list->size = size;
	if (size == 0 || memchr(text, '\n', size) == NULL)
		uidlist_damage(list, "it has no header");
	else if (uidlist_parse_lines(list) < 0) {
		uidlist_clear(list);
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

void
uidlist_clear(struct uidlist *list)
{
	free(list->line);
	free(list->text);
	memset(list, 0, sizeof(*list));
	list->state = UIDLIST_NONE;
}

const char *
uidlist_field(const struct uidlist_line *line, char key, size_t *len_r)
{
	struct cursor c = {line->ext, line->ext + line->ext_len};
	const char *word, *found = NULL;

	*len_r = 0;
	while (c.p < c.end && found == NULL) {
		size_t len = cursor_word(&c, &word);

		if (len > 0 && word[0] == key) {
			found = word + 1;
			*len_r = len - 1;
		}
		cursor_blanks(&c);
	}
	return found;
}

static bool
field_number(const struct uidlist_line *line, char key, uint64_t *value_r)
{
	size_t len;
	const char *value = uidlist_field(line, key, &len);

	return value != NULL && word_number(value, len, UINT64_MAX / 4, value_r);
}

void
uidlist_sizes(const struct uidlist_line *line, struct uidlist_sizes *sizes_r)
{
	uint64_t size, wire, end;

	memset(sizes_r, 0, sizeof(*sizes_r));
	if (line->ext_len == 0 || !field_number(line, 'S', &size) ||
	    !field_number(line, 'W', &wire))
		return;
	/* Each octet may be a bare LF, no more. */
	if (wire < size || wire > size * 2)
		return;
	sizes_r->size = size;
	sizes_r->wire = wire;
	sizes_r->known = true;
	sizes_r->line_end = field_number(line, 'L', &end) && end == size && size > 0;
}

/* Whether a word of a file, which may be damaged, may be written into the next. */
static bool
word_clean(const char *word, size_t len)
{
	return len > 0 && memchr(word, '\0', len) == NULL;
}

void
uidlist_put_header(struct mdtext *out, const struct uidlist *list, uint32_t validity, uint32_t next,
    const char *guid)
{
	struct cursor c = {NULL, NULL};

	if (list->extra != NULL) {
		c.p = list->extra;
		c.end = list->extra + list->extra_len;
	}
	mdtext_addf(out, "3 V%u N%u G%s", validity, next, guid);
	while (c.p < c.end) {
		const char *word;
		size_t len = cursor_word(&c, &word);

		if (word_clean(word, len) && memchr("VNG", word[0], 3) == NULL) {
			mdtext_add(out, " ", 1);
			mdtext_add(out, word, len);
		}
		cursor_blanks(&c);
	}
	mdtext_add(out, "\n", 1);
}

static void
put_fields(struct mdtext *out, const struct uidlist_line *line, const char *without)
{
	struct cursor c = {line->ext, line->ext + line->ext_len};

	while (c.p < c.end) {
		const char *word;
		size_t len = cursor_word(&c, &word);

		if (word_clean(word, len) && word[0] >= 'A' && word[0] <= 'Z' &&
		    strchr(without, word[0]) == NULL) {
			mdtext_add(out, " ", 1);
			mdtext_add(out, word, len);
		}
		cursor_blanks(&c);
	}
}

static void
put_name(struct mdtext *out, const char *base, size_t base_len)
{
	mdtext_add(out, " :", 2);
	mdtext_add(out, base, base_len);
	mdtext_add(out, "\n", 1);
}

void
uidlist_put_line(struct mdtext *out, const struct uidlist_line *line, uint32_t uid,
    const struct uidlist_sizes *sizes)
{
	mdtext_addf(out, "%u", uid);
	put_fields(out, line, sizes != NULL ? "SWL" : "");
	if (sizes != NULL) {
		mdtext_addf(out, " S%llu W%llu", (unsigned long long)sizes->size,
		    (unsigned long long)sizes->wire);
		if (sizes->line_end)
			mdtext_addf(out, " L%llu", (unsigned long long)sizes->size);
	}
	put_name(out, line->base, line->base_len);
}

void
uidlist_put_new(struct mdtext *out, uint32_t uid, const char *base, size_t base_len)
{
	mdtext_addf(out, "%u", uid);
	put_name(out, base, base_len);
}

/* --- whether the list can be trusted --- */

const char *
uidlist_doubt(const struct uidlist *list, const struct uid_record *record, bool unwritten)
{
	if (list->state == UIDLIST_NONE)
		return "it is missing";
	if (list->state == UIDLIST_DAMAGED)
		return list->what;
	if (list->validity < record->validity)
		return "it is older than what was given out";
	/* Nobody writes after a cut.  But somebody may have written to an old file that was put back, and have given
	 * UIDs again. */
	if (list->lost == 0 && list->validity == record->validity && list->next < record->next &&
	    !unwritten)
		return "lines are missing at its end";
	return NULL;
}

void
uidlist_pass_lost(struct uidlist *list, const struct uid_record *record)
{
	uint64_t next = list->next;

	if (list->lost > 0)
		next += list->lost / LINE_LEAST + LOST_MOST;
	if (list->validity == record->validity && next < record->next) {
		uidlist_tear(list, "lines are missing at its end");
		next = record->next;
	}
	/* Where no UID is left the next message brings new ones for all. */
	list->next = next < UINT32_MAX ? (uint32_t)next : UINT32_MAX;
}
