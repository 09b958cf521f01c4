/*
 * courier.c: what Courier wrote of a Maildir: read, and told in Dovecot's words.
 * Runs as: mail user; fuzzed by tests/fuzz/fuzz_courier.c.
 *
 * The formats, as Courier 1.0 (courier-imap 5.0) of Debian 12 was seen to write and to read them:
 *
 * courierimapuiddb, in each folder, replaced as a whole: "1 <UIDVALIDITY> <next UID>", then a line
 * "<UID> <base name>" for each message, UIDs rising.  It is what version 1 of dovecot-uidlist once was,
 * and uidlist.c reads it.
 *
 * courierpop3dsizelist, in INBOX: "/3 <next number> <validity>", then for each message, in order of
 * delivery, "<file name> <size> <number>:<validity>:<has 8-bit headers>".  Numbers and validities have
 * nothing to do with IMAP's.  The UIDL is "UID<number>-<validity>".  Version 2 has no third number.
 * Version 1 had no validity, and its UIDLs are "UID<number>", as they still are where the validity is
 * 0; before it there was no first line and no number, and the UIDL was made of the base name, as it
 * still is where the number is 0.  Sizes are Courier's opinion, and are not taken over.
 *
 * courierimapkeywords/:list: a line for each name, an empty line, then lines "<base name>:<n> <n>",
 * the numbers counting the names from 0.  What changed since is in files beside it, which hold all
 * names that a message has, a line each, or none: "<base name>" is the newest, else ".<n>.<base name>"
 * with the highest number.
 *
 * courierimapsubscribed, in the Maildir itself: a line "INBOX.Sub.Folder" for each folder.
 *
 * A line that cannot be read is passed over, and a notice tells of it; the message gets a new UID then.
 * No UID is given twice by that, for the header has the next one.  Where the header is gone nobody
 * knows what was given, and everything gets new UIDs under a new UIDVALIDITY; UIDLs stay.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "maildir/courier/courier.h"
#include "maildir/folder/folder.h"
#include "maildir/uids/keywords.h"

/* POP3's limit, RFC 1939 section 7. */
#define UIDL_MAX 70

/* --- lines --- */

/* Takes the next line off the text, without its newline; one that has none was cut off. */
static bool
next_line(const char **text, const char *end, const char **line_r, size_t *len_r)
{
	const char *newline;

	newline = *text < end ? memchr(*text, '\n', (size_t)(end - *text)) : NULL;
	if (newline == NULL)
		return false;
	*line_r = *text;
	*len_r = (size_t)(newline - *text);
	*text = newline + 1;
	return true;
}

/* Digits at the start of the line, taken off it. */
static bool
take_number(const char **line, size_t *len, uint64_t *value_r)
{
	uint64_t value = 0;
	size_t i;

	for (i = 0; i < *len && (*line)[i] >= '0' && (*line)[i] <= '9'; i++) {
		if (value > UINT64_MAX / 10 - 1)
			return false;
		value = value * 10 + (uint64_t)((*line)[i] - '0');
	}
	*line += i;
	*len -= i;
	*value_r = value;
	return i > 0;
}

static bool
take_char(const char **line, size_t *len, char c)
{
	if (*len == 0 || **line != c)
		return false;
	++*line;
	--*len;
	return true;
}

/* Takes the last word off the line, which keeps what stands before the blank. */
static bool
take_last(const char *line, size_t *len, const char **word_r, size_t *word_len_r)
{
	const char *blank = memrchr(line, ' ', *len);

	if (blank == NULL)
		return false;
	*word_r = blank + 1;
	*word_len_r = *len - (size_t)(blank + 1 - line);
	*len = (size_t)(blank - line);
	return true;
}

/* The base of a file name that can be one; 0 when it cannot. */
static size_t
base_length(const char *name, size_t len)
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

static int
base_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int r = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return r != 0 ? r : (a_len > b_len) - (a_len < b_len);
}

/* The array with room for one more; NULL: ENOMEM, and it is as it was. */
static void *
room_for_one(void *array, size_t count, size_t *room, size_t size)
{
	size_t wanted = *room == 0 ? 64 : *room * 2;
	void *grown;

	if (count < *room)
		return array;
	grown = reallocarray(array, wanted, size);
	if (grown != NULL)
		*room = wanted;
	return grown;
}

/* --- courierpop3dsizelist --- */

/* "<number>:<validity>", and whatever a later version puts behind a further colon. */
static bool
uidl_parse(unsigned version, const char *word, size_t len, struct courier_uidl *uidl)
{
	if (!take_number(&word, &len, &uidl->number))
		return false;
	if (version == 1)
		return len == 0;
	return take_char(&word, &len, ':') && take_number(&word, &len, &uidl->validity) &&
	       (len == 0 || *word == ':');
}

static bool
uidl_line(unsigned version, const char *line, size_t len, struct courier_uidl *uidl)
{
	const char *word;
	uint64_t size;
	size_t word_len;

	uidl->number = uidl->validity = 0;
	if (version > 0 && (!take_last(line, &len, &word, &word_len) ||
			       !uidl_parse(version, word, word_len, uidl)))
		return false;
	if (!take_last(line, &len, &word, &word_len) || !take_number(&word, &word_len, &size) ||
	    word_len != 0)
		return false;
	uidl->base = line;
	uidl->base_len = base_length(line, len);
	return uidl->base_len > 0;
}

/* The version of a text, whose first line is taken off; -1 when it is none that we know. */
static int
uidls_version(const char **text, const char *end)
{
	const char *line;
	uint64_t version;
	size_t len;

	if (*text == end || **text != '/')
		return 0;
	if (!next_line(text, end, &line, &len) || !take_char(&line, &len, '/') ||
	    !take_number(&line, &len, &version) || version < 1 || version > 3)
		return -1;
	return (int)version;
}

static int
uidl_by_base(const void *a, const void *b)
{
	const struct courier_uidl *x = a, *y = b;
	int r = base_compare(x->base, x->base_len, y->base, y->base_len);

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
		const struct courier_uidl *last = &uidls->list[kept], *next = &uidls->list[i];

		if (base_compare(last->base, last->base_len, next->base, next->base_len) != 0)
			kept++;
		uidls->list[kept] = *next;
	}
	uidls->count = kept + 1;
}

int
courier_uidls_parse(struct courier_uidls *uidls, const char *text, size_t size)
{
	const char *end = text + size, *line;
	int version = uidls_version(&text, end);
	size_t len, room = 0;

	memset(uidls, 0, sizeof(*uidls));
	if (version < 0) {
		uidls->what = "not a version that we know";
		return 0;
	}
	while (next_line(&text, end, &line, &len)) {
		struct courier_uidl uidl = {.place = uidls->count}, *list;

		if (!uidl_line((unsigned)version, line, len, &uidl)) {
			uidls->what = "a line that cannot be read";
			continue;
		}
		list = room_for_one(uidls->list, uidls->count, &room, sizeof(uidl));
		if (list == NULL) {
			courier_uidls_clear(uidls);
			return -1;
		}
		uidls->list = list;
		list[uidls->count++] = uidl;
	}
	if (text != end)
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

static const struct courier_uidl *
uidls_find(const struct courier_uidls *uidls, const char *base, size_t len)
{
	size_t from = 0, to = uidls->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		const struct courier_uidl *uidl = &uidls->list[middle];
		int r = base_compare(base, len, uidl->base, uidl->base_len);

		if (r == 0)
			return uidl;
		if (r < 0)
			to = middle;
		else
			from = middle + 1;
	}
	return NULL;
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
courier_put_uidl(struct mdtext *out, const struct courier_uidl *uidl)
{
	char name[3 * NAME_SIZE];
	size_t len;

	if (uidl->number != 0 && uidl->validity != 0) {
		mdtext_addf(out, "UID%llu-%llu", (unsigned long long)uidl->number,
		    (unsigned long long)uidl->validity);
	} else if (uidl->number != 0) {
		mdtext_addf(out, "UID%llu", (unsigned long long)uidl->number);
	} else if (uidl->base_len <= UIDL_MAX) {
		len = uidl_of_base(uidl, name);
		if (len <= UIDL_MAX)
			mdtext_add(out, name, len);
	}
}

/* --- courierimapuiddb --- */

bool
courier_uids_known(const struct uidlist *db)
{
	const char *text = db->text, *line;
	uint64_t validity, next;
	size_t len;

	return db->state != UIDLIST_NONE && text != NULL &&
	       next_line(&text, db->text + db->size, &line, &len) && take_char(&line, &len, '1') &&
	       take_char(&line, &len, ' ') && take_number(&line, &len, &validity) &&
	       take_char(&line, &len, ' ') && take_number(&line, &len, &next) && len == 0 &&
	       validity == db->validity && validity > 0 && next > 0 && next <= UINT32_MAX;
}

static int
line_by_uid(const void *a, const void *b)
{
	const struct uidlist_line *const *x = a, *const *y = b;

	if ((*x)->uid != (*y)->uid)
		return (*x)->uid < (*y)->uid ? -1 : 1;
	return (*x)->base < (*y)->base ? -1 : 1;
}

/* The lines that can be used, by UID.  Who had a UID that stands twice nobody knows: none keeps it. */
static size_t
db_lines(const struct uidlist *db, const struct uidlist_line **lines)
{
	size_t count = 0, kept = 0;
	uint32_t before = 0;

	for (size_t i = 0; i < db->count; i++) {
		const struct uidlist_line *line = &db->line[i];

		if (db->version == 1 && base_length(line->base, line->base_len) == line->base_len)
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
	const struct courier_uidl *const *x = a, *const *y = b;

	return ((*x)->place > (*y)->place) - ((*x)->place < (*y)->place);
}

/* Those of the POP3 server that have no line, in its order. */
static size_t
uidls_left(const struct courier_uidls *uidls, const struct uidlist_line *const *lines, size_t count,
    const struct courier_uidl **left, bool *seen)
{
	size_t kept = 0;

	memset(seen, 0, uidls->count * sizeof(*seen));
	for (size_t i = 0; i < count; i++) {
		const struct courier_uidl *uidl =
		    uidls_find(uidls, lines[i]->base, lines[i]->base_len);

		if (uidl != NULL)
			seen[uidl - uidls->list] = true;
	}
	for (size_t i = 0; i < uidls->count; i++) {
		if (!seen[i])
			left[kept++] = &uidls->list[i];
	}
	qsort(left, kept, sizeof(*left), uidl_by_place);
	return kept;
}

static void
put_line(struct mdtext *out, uint32_t uid, const char *base, size_t base_len,
    const struct courier_uidl *uidl)
{
	struct uidlist_line line = {.base = base, .base_len = base_len};
	struct mdtext ext = {0};

	if (uidl != NULL) {
		mdtext_add(&ext, "P", 1);
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
	mdtext_clear(&ext);
}

/* Room for all that put_uids sorts; an array of none is one all the same. */
struct uid_order {
	const struct uidlist_line **line;
	const struct courier_uidl **left;
	bool *seen;
	size_t lines, lefts;
};

static int
order_uids(struct uid_order *order, const struct uidlist *db, const struct courier_uidls *uidls)
{
	order->line = calloc(db->count + 1, sizeof(*order->line));
	order->left = calloc(uidls->count + 1, sizeof(*order->left));
	order->seen = calloc(uidls->count + 1, sizeof(*order->seen));
	if (order->line == NULL || order->left == NULL || order->seen == NULL)
		return -1;
	order->lines = db_lines(db, order->line);
	order->lefts = uidls_left(uidls, order->line, order->lines, order->left, order->seen);
	return 0;
}

static void
put_uids(struct mdtext *out, const struct uid_order *order, const struct uidlist *db,
    const struct courier_uidls *uidls, uint32_t validity)
{
	const bool anew = validity != 0;
	uint32_t next = anew ? 1 : db->next;
	struct mdtext lines = {0};

	for (size_t i = 0; i < order->lines; i++) {
		const struct uidlist_line *line = order->line[i];

		put_line(&lines, anew ? next++ : line->uid, line->base, line->base_len,
		    uidls_find(uidls, line->base, line->base_len));
	}
	/* At the end of all UIDs those that are left have to wait for the folder's new numbering. */
	for (size_t i = 0; i < order->lefts && next <= UIDLIST_UID_MAX; i++) {
		const struct courier_uidl *uidl = order->left[i];

		put_line(&lines, next++, uidl->base, uidl->base_len, uidl);
	}
	mdtext_addf(out, "3 V%u N%u\n", anew ? validity : db->validity, next);
	mdtext_add(out, lines.data != NULL ? lines.data : "", lines.len);
	out->failed |= lines.failed;
	mdtext_clear(&lines);
}

int
courier_put_uids(struct mdtext *out, const struct uidlist *db, const struct courier_uidls *uidls,
    uint32_t validity)
{
	struct uid_order order = {0};

	if (order_uids(&order, db, uidls) < 0)
		out->failed = true;
	else
		put_uids(out, &order, db, uidls, validity);
	free(order.line);
	free(order.left);
	free(order.seen);
	if (!out->failed)
		return 0;
	errno = ENOMEM;
	return -1;
}

/* --- courierimapkeywords --- */

/* The index of a name; COURIER_OWN when it is none, or one too many. */
static int
keyword_index(struct courier_keywords *keywords, const char *name, size_t len, uint16_t *index_r)
{
	*index_r = COURIER_OWN;
	for (size_t i = 0; i < keywords->names; i++) {
		if (strncmp(keywords->name[i], name, len) == 0 && keywords->name[i][len] == '\0') {
			*index_r = (uint16_t)i;
			return 0;
		}
	}
	if (len == 0 || len > KEYWORD_MAX || memchr(name, '\0', len) != NULL ||
	    keywords->names == COURIER_NAMES_MAX) {
		keywords->what = "a keyword that cannot be one";
		return 0;
	}
	keywords->name[keywords->names] = mdarena_add(&keywords->arena, name, len);
	if (keywords->name[keywords->names] == NULL)
		return -1;
	*index_r = (uint16_t)keywords->names++;
	return 0;
}

static int
keyword_mark(struct courier_keywords *keywords, const char *base, uint16_t name)
{
	struct courier_mark *mark =
	    room_for_one(keywords->mark, keywords->marks, &keywords->room, sizeof(*mark));

	if (mark == NULL)
		return -1;
	keywords->mark = mark;
	mark[keywords->marks++] = (struct courier_mark){base, name};
	return 0;
}

static int
mark_compare(const void *a, const void *b)
{
	const struct courier_mark *x = a, *y = b;

	return strcmp(x->base, y->base);
}

bool
courier_keywords_file(const char *name, const char **base_r, uint64_t *rank_r)
{
	size_t len = strlen(name);

	*base_r = name;
	*rank_r = UINT64_MAX;
	if (len == 0 || name[0] == ':')
		return false;
	if (name[0] != '.')
		return base_length(name, len) == len;
	(void)take_char(&name, &len, '.');
	if (!take_number(&name, &len, rank_r) || !take_char(&name, &len, '.'))
		return false;
	*base_r = name;
	return len > 0 && base_length(name, len) == len;
}

int
courier_keywords_own(
    struct courier_keywords *keywords, const char *base, const char *text, size_t size)
{
	const char *end = text + size, *line,
		   *kept = mdarena_add(&keywords->arena, base, strlen(base));
	uint16_t name;
	size_t len;

	if (kept == NULL || keyword_mark(keywords, kept, COURIER_OWN) < 0)
		return -1;
	while (next_line(&text, end, &line, &len)) {
		if (len == 0)
			continue;
		if (keyword_index(keywords, line, len, &name) < 0 ||
		    (name != COURIER_OWN && keyword_mark(keywords, kept, name) < 0))
			return -1;
	}
	if (text != end)
		keywords->what = "a last line that has no end";
	return 0;
}

/* The names at the head of the list: what index each has here.  *count_r: how many there are. */
static int
list_names(struct courier_keywords *keywords, const char **text, const char *end,
    uint16_t index[COURIER_NAMES_MAX], size_t *count_r)
{
	const char *line;
	size_t len;

	*count_r = 0;
	while (next_line(text, end, &line, &len) && len > 0) {
		if (*count_r == COURIER_NAMES_MAX)
			keywords->what = "more keywords than can be";
		else if (keyword_index(keywords, line, len, &index[(*count_r)++]) < 0)
			return -1;
	}
	return 0;
}

/* "<base name>:<n> <n>"; before own the marks are those of messages with a file of their own. */
static int
list_line(struct courier_keywords *keywords, size_t own, const char *line, size_t len,
    const uint16_t *index, size_t count)
{
	struct courier_mark key;
	size_t base = base_length(line, len);
	uint64_t n;

	if (base == 0 || base == len || memchr(line, '\0', base) != NULL) {
		keywords->what = "a line that cannot be read";
		return 0;
	}
	key.base = mdarena_add(&keywords->arena, line, base);
	if (key.base == NULL)
		return -1;
	if (own > 0 && bsearch(&key, keywords->mark, own, sizeof(key), mark_compare) != NULL)
		return 0;
	line += base + 1;
	len -= base + 1;
	while (take_number(&line, &len, &n)) {
		if (n >= count)
			keywords->what = "a number that names no keyword";
		else if (index[n] != COURIER_OWN && keyword_mark(keywords, key.base, index[n]) < 0)
			return -1;
		if (!take_char(&line, &len, ' '))
			break;
	}
	if (len > 0)
		keywords->what = "a line that cannot be read";
	return 0;
}

static void
marks_sort(struct courier_keywords *keywords)
{
	if (keywords->marks > 0)
		qsort(keywords->mark, keywords->marks, sizeof(*keywords->mark), mark_compare);
}

int
courier_keywords_list(struct courier_keywords *keywords, const char *text, size_t size)
{
	const char *end = text + size, *line;
	uint16_t index[COURIER_NAMES_MAX];
	size_t own = keywords->marks, count, len;

	marks_sort(keywords);
	if (list_names(keywords, &text, end, index, &count) < 0)
		return -1;
	while (next_line(&text, end, &line, &len)) {
		if (list_line(keywords, own, line, len, index, count) < 0)
			return -1;
	}
	if (text != end)
		keywords->what = "a last line that has no end";
	marks_sort(keywords);
	return 0;
}

void
courier_keywords_clear(struct courier_keywords *keywords)
{
	free(keywords->mark);
	mdarena_clear(&keywords->arena);
	memset(keywords, 0, sizeof(*keywords));
}

size_t
courier_keywords_find(const struct courier_keywords *keywords, const char *base, size_t len)
{
	size_t from = 0, to = keywords->marks;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		const char *name = keywords->mark[middle].base;

		if (base_compare(name, strlen(name), base, len) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	if (from == keywords->marks || base_compare(keywords->mark[from].base,
					   strlen(keywords->mark[from].base), base, len) != 0)
		return keywords->marks;
	return from;
}

/* --- courierimapsubscribed --- */

#define SUBSCRIPTIONS_HEAD "V\t2\n\n"

/* "INBOX.Sub.Folder" as "Sub<tab>Folder".  Folders of others ("shared.") are none of ours. */
static bool
put_subscribed(struct mdtext *out, const char *line, size_t len)
{
	const size_t inbox = strlen("INBOX");
	char text[NAME_SIZE], name[NAME_SIZE];

	if (len >= sizeof(text) || len < inbox || strncasecmp(line, "INBOX", inbox) != 0 ||
	    (len > inbox && line[inbox] != '.') || memchr(line, '\0', len) != NULL ||
	    memchr(line, '/', len) != NULL)
		return false;
	if (len > inbox) {
		line += inbox + 1;
		len -= inbox + 1;
	}
	for (size_t i = 0; i < len; i++)
		text[i] = line[i] == '.' ? '/' : line[i];
	text[len] = '\0';
	if (foldername_guess(text, name) != FOLDERNAME_OK)
		return false;
	for (char *p = text; (p = strchr(p, '/')) != NULL;)
		*p = '\t';
	if (out->len == 0)
		mdtext_add(out, SUBSCRIPTIONS_HEAD, strlen(SUBSCRIPTIONS_HEAD));
	mdtext_add(out, text, len);
	mdtext_add(out, "\n", 1);
	return true;
}

void
courier_put_subscriptions(struct mdtext *out, const char *text, size_t size)
{
	const char *end = text + size, *line;
	size_t len;

	while (next_line(&text, end, &line, &len))
		(void)put_subscribed(out, line, len);
}
