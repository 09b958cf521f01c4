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
#include "maildir/base/span.h"
#include "maildir/base/uid_record.h"
#include "maildir/uids/uidlist.h"

/* The shortest line: "1 :a" and its end. */
#define LINE_LEAST 5

/*
 * After a cut there may have been whole lines, and clients know of them: all that was written in the half
 * minute before a power failure.  No server gives more UIDs in that time, and it is next to nothing of 2^32.
 */
#define LOST_MOST 1000

/* Whether the word is a number of at most max, and nothing else. */
static bool
word_number(struct span word, uint64_t max, uint64_t *value_r)
{
	return span_number(&word, max, value_r) && word.len == 0;
}

static void
header_guid(struct uidlist *list, struct span word)
{
	if (word.len != 32)
		return;
	for (size_t i = 0; i < word.len; i++) {
		if (number_hex(word.p[i]) < 0)
			return;
	}
	memcpy(list->guid, word.p, word.len);
	list->guid[word.len] = '\0';
}

/* A list that is worse already keeps its state and what was found wrong first. */
static void
uidlist_spoil(struct uidlist *list, enum uidlist_state state, const char *what)
{
	if (list->state >= state)
		return;
	list->state = state;
	list->what = what;
}

/* Reads a field of a version 3 header.  Unknown fields are only noted: uidlist_put_header finds them again. */
static void
header_field(struct uidlist *list, struct span word)
{
	struct span text = {word.p + 1, word.len - 1};
	uint64_t value;

	switch (word.p[0]) {
	case 'V':
		if (!word_number(text, UINT32_MAX, &value) || value == 0)
			uidlist_spoil(list, UIDLIST_DAMAGED, "bad UIDVALIDITY");
		else
			list->validity = (uint32_t)value;
		break;
	case 'N':
		if (!word_number(text, UINT32_MAX, &value) || value == 0)
			uidlist_spoil(list, UIDLIST_DAMAGED, "bad next UID");
		else
			list->next = (uint32_t)value;
		break;
	case 'G':
		header_guid(list, text);
		break;
	default:
		if (list->extra == NULL)
			list->extra = word.p;
		list->extra_len = (size_t)(word.p + word.len - list->extra);
		break;
	}
}

static void
header_parse(struct uidlist *list, struct span line)
{
	uint64_t version = 0, validity = 0, next = 0;
	struct span word;

	if (!span_number(&line, 9, &version) || (version != 3 && version != 1) ||
	    (line.len > 0 && *line.p != ' ')) {
		uidlist_spoil(list, UIDLIST_DAMAGED, "not a version that we know");
		return;
	}
	list->version = (uint32_t)version;
	if (version == 1) {
		span_blanks(&line);
		if (span_number(&line, UINT32_MAX, &validity)) {
			span_blanks(&line);
			(void)span_number(&line, UINT32_MAX, &next);
		}
		list->validity = (uint32_t)validity;
		list->next = (uint32_t)next;
	} else {
		while (span_word(&line, &word))
			header_field(list, word);
	}
	if (list->validity == 0 || list->next == 0)
		uidlist_spoil(list, UIDLIST_DAMAGED, "the header lacks UIDVALIDITY or next UID");
}

/* Reads a line.  Returns NULL, or what is wrong with it. */
static const char *
line_parse(struct span text, uint32_t version, struct uidlist_line *line)
{
	struct span word;
	uint64_t uid;

	line->uid = 0;
	if (!span_number(&text, UIDLIST_UID_MAX, &uid) || uid == 0 || text.len == 0 ||
	    *text.p != ' ')
		return "a line without UID";
	line->uid = (uint32_t)uid;
	span_blanks(&text);
	line->ext = text.p;
	line->ext_len = 0;
	while (version != 1 && text.len > 0 && !span_char(&text, ':')) {
		(void)span_word(&text, &word);
		line->ext_len = (uint32_t)(text.p - line->ext);
		span_blanks(&text);
	}
	line->base = text.p;
	line->base_len = mdname_base_in(text.p, text.len);
	if (line->base_len == 0 || memchr(line->base, '/', line->base_len) != NULL)
		return "a line without file name";
	return NULL;
}

/* If UIDs do not rise, a UID may stand there twice, and nobody knows which message had it first. */
static int
uidlist_add(struct uidlist *list, size_t *room, struct span text)
{
	const bool nul = text.len > 0 && memchr(text.p, '\0', text.len) != NULL;
	const bool cut = text.p + text.len == list->text + list->size;
	struct uidlist_line line, *grown;
	const char *what = line_parse(text, list->version, &line);

	if (line.uid >= list->next)
		list->next = line.uid + 1;
	if (nul)
		what = "a line holds NUL";
	if (cut)
		what = "its last line has no end";
	if (what != NULL) {
		uidlist_spoil(list, UIDLIST_TORN, what);
		list->lost += text.len + 1;
		return 0;
	}
	list->lost = 0;
	grown = array_grow(list->line, list->count, room, sizeof(line));
	if (grown == NULL)
		return -1;
	list->line = grown;
	if (list->count > 0 && line.uid <= list->line[list->count - 1].uid)
		uidlist_spoil(list, UIDLIST_DAMAGED, "UIDs that do not rise");
	list->line[list->count++] = line;
	return 0;
}

int
uidlist_parse(struct uidlist *list, char *text, size_t size)
{
	struct span rest = {text, size}, line = {NULL, 0};
	size_t room = 0;

	memset(list, 0, sizeof(*list));
	list->text = text;
	list->size = size;
	if (!span_line(&rest, &line)) {
		uidlist_spoil(list, UIDLIST_DAMAGED, "it has no header");
		return 0;
	}
	header_parse(list, line);
	while (span_line_or_rest(&rest, &line)) {
		if (uidlist_add(list, &room, line) < 0) {
			uidlist_clear(list);
			errno = ENOMEM;
			return -1;
		}
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
	struct span fields = {line->ext, line->ext_len}, word;

	while (span_word(&fields, &word)) {
		if (word.p[0] == key) {
			*len_r = word.len - 1;
			return word.p + 1;
		}
	}
	*len_r = 0;
	return NULL;
}

static bool
field_number(const struct uidlist_line *line, char key, uint64_t *value_r)
{
	struct span value;

	value.p = uidlist_field(line, key, &value.len);
	return value.p != NULL && word_number(value, UINT64_MAX / 4, value_r);
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

/* Writes fields that are not among the keys in without; of a damaged file only words that have no NUL. */
static void
put_fields(struct mdbuf *out, struct span fields, bool capitals, const char *without)
{
	struct span word;

	while (span_word(&fields, &word)) {
		if (memchr(word.p, '\0', word.len) != NULL || strchr(without, word.p[0]) != NULL ||
		    (capitals && (word.p[0] < 'A' || word.p[0] > 'Z')))
			continue;
		mdbuf_add(out, " ", 1);
		mdbuf_add(out, word.p, word.len);
	}
}

void
uidlist_put_header(struct mdbuf *out, const struct uidlist *list, uint32_t validity, uint32_t next,
    const char *guid)
{
	mdbuf_addf(out, "3 V%u N%u G%s", validity, next, guid);
	put_fields(out, (struct span){list->extra, list->extra_len}, false, "VNG");
	mdbuf_add(out, "\n", 1);
}

static void
put_name(struct mdbuf *out, const char *base, size_t base_len)
{
	mdbuf_add(out, " :", 2);
	mdbuf_add(out, base, base_len);
	mdbuf_add(out, "\n", 1);
}

void
uidlist_put_line(struct mdbuf *out, const struct uidlist_line *line, uint32_t uid,
    const struct uidlist_sizes *sizes)
{
	mdbuf_addf(out, "%u", uid);
	put_fields(out, (struct span){line->ext, line->ext_len}, true, sizes != NULL ? "SWL" : "");
	if (sizes != NULL) {
		mdbuf_addf(out, " S%llu W%llu", (unsigned long long)sizes->size,
		    (unsigned long long)sizes->wire);
		if (sizes->line_end)
			mdbuf_addf(out, " L%llu", (unsigned long long)sizes->size);
	}
	put_name(out, line->base, line->base_len);
}

void
uidlist_put_new(struct mdbuf *out, uint32_t uid, const char *base, size_t base_len)
{
	mdbuf_addf(out, "%u", uid);
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
	/* No program writes after a cut.  But one may have written to an old file that was put back, and have given
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
		uidlist_spoil(list, UIDLIST_TORN, "lines are missing at its end");
		next = record->next;
	}
	/* If no UID is left, the next message brings new UIDs for all. */
	list->next = next < UINT32_MAX ? (uint32_t)next : UINT32_MAX;
}
