/*
 * nfc.c: Unicode's normalization form C: characters decomposed, marks put in order, and composed again.
 * Runs as: mail user.
 *
 * Unicode, section 3.11; Hangul is section 3.12.  nfc_table.h is made by nfc.awk.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/message/charset.h"
#include "maildir/message/utf8.h"

struct decomposition {
	uint32_t code, first, second; /* second: 0 if the character becomes one other */
};

struct class_run {
	uint32_t from, to;
	uint8_t class;
};

#include "maildir/message/nfc_table.h"

enum {
	OCTET_CHANGED = 0xcc,	   /* begins U+0300; text of lower characters is in form C */
	STEPS_MAX = 4,		   /* of a decomposition; Unicode 15 has 3 */
	ROW_MAX = NFC_MAX / 2 * 3, /* U+0390, of two octets, becomes three characters */
	HANGUL_OF_LEADING = HANGUL_VOWELS * HANGUL_TRAILINGS,
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct row {
	size_t count;
	uint32_t code[ROW_MAX];
	uint8_t class[ROW_MAX];
};

static int
compare_code(const void *key, const void *member)
{
	const uint32_t code = *(const uint32_t *)key;
	const struct decomposition *d = member;

	return (code > d->code) - (code < d->code);
}

static int
compare_run(const void *key, const void *member)
{
	const uint32_t code = *(const uint32_t *)key;
	const struct class_run *run = member;

	return (code > run->to) - (code < run->from);
}

static int
compare_pair(const void *key, const void *member)
{
	const struct decomposition *pair = key, *d = &nfc_decomposed[*(const uint16_t *)member];

	if (pair->first != d->first)
		return pair->first < d->first ? -1 : 1;
	return (pair->second > d->second) - (pair->second < d->second);
}

/* Adds a character that is not decomposed; a mark goes before those of a higher class. */
static bool
row_add(struct row *row, uint32_t code)
{
	const struct class_run *run =
	    bsearch(&code, nfc_classes, COUNT(nfc_classes), sizeof(nfc_classes[0]), compare_run);
	uint8_t class = run != NULL ? run->class : 0;
	size_t at = row->count;

	if (at == ROW_MAX)
		return false;
	for (; class != 0 && at > 0 && row->class[at - 1] > class; at--) {
		row->code[at] = row->code[at - 1];
		row->class[at] = row->class[at - 1];
	}
	row->code[at] = code;
	row->class[at] = class;
	row->count++;
	return true;
}

static bool
decompose_hangul(struct row *row, uint32_t code)
{
	uint32_t index = code - HANGUL_FIRST, trailing = index % HANGUL_TRAILINGS;

	return row_add(row, HANGUL_LEADING + index / HANGUL_OF_LEADING) &&
	       row_add(row, HANGUL_VOWEL + index / HANGUL_TRAILINGS % HANGUL_VOWELS) &&
	       (trailing == 0 || row_add(row, HANGUL_TRAILING + trailing));
}

/* Only the first character of a decomposition is decomposed further. */
static bool
decompose(struct row *row, uint32_t code)
{
	uint32_t second[STEPS_MAX];
	const struct decomposition *d;
	size_t steps = 0;

	if (code >= HANGUL_FIRST && code <= HANGUL_LAST)
		return decompose_hangul(row, code);
	while (steps < STEPS_MAX && (d = bsearch(&code, nfc_decomposed, COUNT(nfc_decomposed),
					 sizeof(nfc_decomposed[0]), compare_code)) != NULL) {
		code = d->first;
		second[steps++] = d->second;
	}
	if (!row_add(row, code))
		return false;
	while (steps > 0) {
		if (second[--steps] != 0 && !row_add(row, second[steps]))
			return false;
	}
	return true;
}

/* The character that two become; 0: they stay two. */
static uint32_t
composed(uint32_t first, uint32_t second)
{
	const struct decomposition pair = {0, first, second};
	const uint16_t *place;

	if (first - HANGUL_LEADING < HANGUL_LEADINGS && second - HANGUL_VOWEL < HANGUL_VOWELS)
		return HANGUL_FIRST + (first - HANGUL_LEADING) * HANGUL_OF_LEADING +
		       (second - HANGUL_VOWEL) * HANGUL_TRAILINGS;
	if (first >= HANGUL_FIRST && first <= HANGUL_LAST &&
	    (first - HANGUL_FIRST) % HANGUL_TRAILINGS == 0 && second > HANGUL_TRAILING &&
	    second < HANGUL_TRAILING + HANGUL_TRAILINGS)
		return first + (second - HANGUL_TRAILING);
	place = bsearch(
	    &pair, nfc_composed, COUNT(nfc_composed), sizeof(nfc_composed[0]), compare_pair);
	return place != NULL ? nfc_decomposed[*place].code : 0;
}

static void
compose(struct row *row)
{
	size_t kept = 0, starter = 0;
	bool started = false; /* there is a starter */

	for (size_t i = 0; i < row->count; i++) {
		uint8_t class = row->class[i];
		uint32_t code = row->code[i], whole = 0;

		/* A character of the same class or a higher one between them keeps them apart. */
		if (started && (kept == starter + 1 || row->class[kept - 1] < class))
			whole = composed(row->code[starter], code);
		if (whole != 0) {
			row->code[starter] = whole;
			continue;
		}
		if (class == 0) {
			started = true;
			starter = kept;
		}
		row->code[kept] = code;
		row->class[kept++] = class;
	}
	row->count = kept;
}

static int
row_put(const struct row *row, char *utf8_r, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < row->count; i++) {
		char octets[UTF8_MAX];
		size_t n = utf8_put(row->code[i], octets);

		if (n >= size - len)
			return -1;
		memcpy(utf8_r + len, octets, n);
		len += n;
	}
	utf8_r[len] = '\0';
	return 0;
}

/* Whether there is nothing to do. */
static bool
is_plain(const char *utf8, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)utf8[i] >= OCTET_CHANGED)
			return false;
	}
	return utf8_valid(utf8, len);
}

int
nfc_text(const char *utf8, size_t len, char *utf8_r, size_t size)
{
	struct row row;
	uint32_t code;

	row.count = 0;
	if (len > NFC_MAX || size == 0)
		return -1;
	if (is_plain(utf8, len)) {
		if (len >= size)
			return -1;
		memcpy(utf8_r, utf8, len);
		utf8_r[len] = '\0';
		return 0;
	}
	for (size_t at = 0; at < len;) {
		int n = utf8_next(utf8 + at, len - at, &code);

		if (n <= 0 || !decompose(&row, code))
			return -1;
		at += (size_t)n;
	}
	compose(&row);
	return row_put(&row, utf8_r, size);
}
