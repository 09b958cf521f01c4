/*
 * sequence.c: sets of numbers, parsed into their normal form.
 * Runs as: mail user.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/base/text.h"
#include "server/imap/sequence.h"

enum { DIGITS_MAX = 10 }; /* 2^32 has ten */

/* The text not yet read. */
struct rest {
	const char *at, *end;
};

static bool
take_char(struct rest *rest, char c)
{
	if (rest->at == rest->end || *rest->at != c)
		return false;
	rest->at++;
	return true;
}

/* One number, or "*", which is 0 here as it is where nothing has a number. */
static bool
take_number(struct rest *rest, uint32_t star, bool *star_r, uint32_t *number_r)
{
	uint64_t number = 0;
	int digits = 0;

	if (take_char(rest, '*')) {
		*star_r = true;
		*number_r = star;
		return true;
	}
	for (; rest->at < rest->end && *rest->at >= '0' && *rest->at <= '9'; rest->at++) {
		if (++digits > DIGITS_MAX)
			return false;
		number = number * 10 + (uint64_t)(*rest->at - '0');
	}
	*number_r = (uint32_t)number;
	return number > 0 && number <= UINT32_MAX;
}

static bool
take_range(struct rest *rest, uint32_t star, struct sequence_range *range_r)
{
	uint32_t first, last, swap;
	bool has_star = false;

	if (!take_number(rest, star, &has_star, &first))
		return false;
	last = first;
	if (take_char(rest, ':') && !take_number(rest, star, &has_star, &last))
		return false;
	if (first > last) {
		swap = first;
		first = last;
		last = swap;
	}
	/* Without a highest number a range to it holds nothing, and is no mistake. */
	if (has_star && star == 0)
		first = last = 0;
	*range_r = (struct sequence_range){first, last};
	return true;
}

static bool
append(struct sequence *sequence, struct sequence_range range)
{
	struct sequence_range *grown;
	size_t room;

	if (sequence->count == sequence->room) {
		room = sequence->room == 0 ? 4 : sequence->room * 2;
		grown = reallocarray(sequence->range, room, sizeof(*grown));
		if (grown == NULL) {
			sequence->failed = true;
			return false;
		}
		sequence->range = grown;
		sequence->room = room;
	}
	sequence->range[sequence->count++] = range;
	return true;
}

static int
compare_ranges(const void *a, const void *b)
{
	const struct sequence_range *left = a, *right = b;

	return (left->first > right->first) - (left->first < right->first);
}

/* Sorts, and joins what overlaps or touches. */
void
sequence_sort(struct sequence *sequence)
{
	struct sequence_range *range = sequence->range;
	size_t i, kept = 0;

	if (sequence->count < 2)
		return;
	qsort(range, sequence->count, sizeof(*range), compare_ranges);
	for (i = 1; i < sequence->count; i++) {
		if ((uint64_t)range[kept].last + 1 < range[i].first)
			range[++kept] = range[i];
		else if (range[kept].last < range[i].last)
			range[kept].last = range[i].last;
	}
	sequence->count = kept + 1;
}

enum sequence_result
sequence_parse(struct sequence *sequence, const char *text, size_t len, uint32_t star)
{
	struct rest rest = {text, text + len};
	struct sequence_range range;

	sequence_clear(sequence);
	do {
		if (!take_range(&rest, star, &range)) {
			sequence_clear(sequence);
			return SEQUENCE_WRONG;
		}
		if (range.first > 0 && !append(sequence, range)) {
			sequence_clear(sequence);
			return SEQUENCE_NO_MEMORY;
		}
	} while (take_char(&rest, ','));
	if (rest.at != rest.end) {
		sequence_clear(sequence);
		return SEQUENCE_WRONG;
	}
	sequence_sort(sequence);
	return SEQUENCE_OK;
}

void
sequence_clear(struct sequence *sequence)
{
	free(sequence->range);
	*sequence = (struct sequence){0};
}

bool
sequence_has(const struct sequence *sequence, uint32_t number)
{
	size_t low = 0, high = sequence->count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (number < sequence->range[middle].first)
			high = middle;
		else if (number > sequence->range[middle].last)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

bool
sequence_copy(const struct sequence *sequence, struct sequence *to_r)
{
	size_t size = sequence->count * sizeof(*sequence->range);

	memset(to_r, 0, sizeof(*to_r));
	if (size == 0)
		return true;
	to_r->range = malloc(size);
	if (to_r->range == NULL)
		return false;
	memcpy(to_r->range, sequence->range, size);
	to_r->count = to_r->room = sequence->count;
	return true;
}

uint64_t
sequence_total(const struct sequence *sequence)
{
	uint64_t total = 0;
	size_t i;

	for (i = 0; i < sequence->count; i++)
		total += (uint64_t)sequence->range[i].last - sequence->range[i].first + 1;
	return total;
}

void
sequence_add_range(struct sequence *sequence, uint32_t first, uint32_t to)
{
	struct sequence_range *last;

	if (sequence->failed)
		return;
	if (sequence->count > 0) {
		last = &sequence->range[sequence->count - 1];
		if ((uint64_t)last->last + 1 == first) {
			last->last = to;
			return;
		}
	}
	(void)append(sequence, (struct sequence_range){first, to});
}

void
sequence_add(struct sequence *sequence, uint32_t number)
{
	sequence_add_range(sequence, number, number);
}

void
sequence_append(struct sequence *sequence, uint32_t number)
{
	struct sequence_range *last;

	if (sequence->count > 0) {
		last = &sequence->range[sequence->count - 1];
		if (number >= last->first && number <= last->last)
			return;
	}
	sequence_add(sequence, number);
}

void
sequence_put(const struct sequence *sequence, struct mdtext *out)
{
	size_t i;

	for (i = 0; i < sequence->count; i++) {
		const struct sequence_range *range = &sequence->range[i];

		mdtext_addf(out, "%s%" PRIu32, i == 0 ? "" : ",", range->first);
		if (range->last > range->first)
			mdtext_addf(out, ":%" PRIu32, range->last);
	}
}
