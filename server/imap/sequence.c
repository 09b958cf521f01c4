/*
 * sequence.c: sets of numbers, parsed into their normal form.
 * Runs as: mail user.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/base/array.h"
#include "maildir/base/bisect.h"
#include "maildir/base/buf.h"
#include "server/imap/args.h"
#include "server/imap/sequence.h"

/* A number above 0, or "*", for which star stands. */
static bool
take_number(struct args *args, uint32_t star, bool *star_r, uint32_t *number_r)
{
	if (!args_char(args, '*'))
		return args_nz_number(args, number_r);
	*star_r = true;
	*number_r = star;
	return true;
}

static bool
take_range(struct args *args, uint32_t star, struct sequence_range *range_r)
{
	uint32_t first, last;
	bool has_star = false;

	if (!take_number(args, star, &has_star, &first))
		return false;
	last = first;
	if (args_char(args, ':') && !take_number(args, star, &has_star, &last))
		return false;
	/* In an empty mailbox a range with a "*" is correct, but holds nothing. */
	if (has_star && star == 0)
		first = last = 0;
	*range_r = first <= last ? (struct sequence_range){first, last}
				 : (struct sequence_range){last, first};
	return true;
}

static void
append(struct sequence *sequence, struct sequence_range range)
{
	struct sequence_range *grown =
	    array_grow(sequence->range, sequence->count, &sequence->room, sizeof(*grown));

	if (grown == NULL) {
		sequence->failed = true;
		return;
	}
	sequence->range = grown;
	sequence->range[sequence->count++] = range;
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
	struct args args = {.at = (char *)(uintptr_t)text}; /* only read */
	struct sequence_range range;
	enum sequence_result result = SEQUENCE_OK;

	args.end = args.at + len;
	sequence_clear(sequence);
	do {
		if (!take_range(&args, star, &range))
			result = SEQUENCE_WRONG;
		else if (range.first > 0)
			append(sequence, range);
	} while (result == SEQUENCE_OK && args_char(&args, ','));
	if (args.at != args.end)
		result = SEQUENCE_WRONG;
	else if (sequence->failed)
		result = SEQUENCE_NO_MEMORY;
	if (result == SEQUENCE_OK)
		sequence_sort(sequence);
	else
		sequence_clear(sequence);
	return result;
}

void
sequence_clear(struct sequence *sequence)
{
	free(sequence->range);
	*sequence = (struct sequence){0};
}

struct finding {
	const struct sequence *sequence;
	uint32_t number;
};

static bool
ends_before(const void *ctx, size_t place)
{
	const struct finding *f = ctx;

	return f->sequence->range[place].last < f->number;
}

bool
sequence_has(const struct sequence *sequence, uint32_t number)
{
	struct finding f = {sequence, number};
	size_t place = bisect(sequence->count, ends_before, &f);

	return place < sequence->count && sequence->range[place].first <= number;
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

	for (size_t i = 0; i < sequence->count; i++)
		total += (uint64_t)sequence->range[i].last - sequence->range[i].first + 1;
	return total;
}

void
sequence_add_range(struct sequence *sequence, uint32_t first, uint32_t last)
{
	struct sequence_range *highest =
	    sequence->count > 0 ? &sequence->range[sequence->count - 1] : NULL;

	if (highest != NULL && (uint64_t)highest->last + 1 == first)
		highest->last = last;
	else if (!sequence->failed)
		append(sequence, (struct sequence_range){first, last});
}

void
sequence_add(struct sequence *sequence, uint32_t number)
{
	sequence_add_range(sequence, number, number);
}

void
sequence_append(struct sequence *sequence, uint32_t number)
{
	const struct sequence_range *newest =
	    sequence->count > 0 ? &sequence->range[sequence->count - 1] : NULL;

	if (newest == NULL || number < newest->first || number > newest->last)
		sequence_add(sequence, number);
}

void
sequence_put(const struct sequence *sequence, struct mdbuf *out)
{
	for (size_t i = 0; i < sequence->count; i++) {
		const struct sequence_range *range = &sequence->range[i];

		mdbuf_addf(out, "%s%" PRIu32, i == 0 ? "" : ",", range->first);
		if (range->last > range->first)
			mdbuf_addf(out, ":%" PRIu32, range->last);
	}
}
