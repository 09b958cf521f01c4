/*
 * fuzz_imap_args.c: the words of a command.  The first octets choose the words that are expected; the rest is
 * the command.  A word that is valid as a set of messages is then parsed as a set.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/base/buf.h"
#include "server/imap/args.h"
#include "server/imap/sequence.h"

enum { CHOICES = 16, KINDS = 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The normal form is rising, and reads as it was written. */
static void
check_set(struct word word)
{
	struct sequence sequence = {0}, again = {0};
	struct mdbuf text = {0};
	enum sequence_result result = sequence_parse(&sequence, word.at, word.len, 1000);

	assert(result != SEQUENCE_NO_MEMORY);
	for (size_t i = 0; i < sequence.count; i++) {
		const struct sequence_range *range = &sequence.range[i];

		assert(range->first > 0 && range->first <= range->last);
		assert(i == 0 || range->first > (uint64_t)range[-1].last + 1);
		assert(
		    sequence_has(&sequence, range->first) && sequence_has(&sequence, range->last));
	}
	sequence_put(&sequence, &text);
	assert(!text.failed && (result == SEQUENCE_OK) == (text.len > 0));
	if (text.len > 0) {
		result = sequence_parse(&again, text.data, text.len, 1000);
		assert(result == SEQUENCE_OK && again.count == sequence.count);
		assert(sequence_total(&again) == sequence_total(&sequence));
		assert(
		    memcmp(again.range, sequence.range, again.count * sizeof(*again.range)) == 0);
	}
	mdbuf_clear(&text);
	sequence_clear(&sequence);
	sequence_clear(&again);
}

/* One word of that kind; its octets must lie in what was passed over. */
static bool
take(struct args *args, unsigned kind)
{
	char *start = args->at;
	struct word word = {args->at, 0};
	bool good = false, literal8 = false;
	uint64_t number64 = 0;
	uint32_t number = 1;
	int64_t when = 0;

	switch (kind % KINDS) {
	case 0:
		good = args_atom(args, NULL, &word) && word.len > 0;
		break;
	case 1:
		good = args_atom(args, "\\]%*", &word);
		break;
	case 2:
		good = args_quoted(args, &word);
		break;
	case 3:
		good = args_literal(args, &word, NULL);
		break;
	case 4:
		good = args_literal(args, &word, &literal8);
		break;
	case 5:
		good = args_string(args, &word);
		break;
	case 6:
		good = args_astring(args, &word);
		break;
	case 7:
		good = args_list_mailbox(args, &word);
		break;
	case 8:
		good = args_nstring(args, &word);
		break;
	case 9:
		good = args_number(args, &number);
		break;
	case 10:
		good = args_nz_number(args, &number);
		assert(!good || number > 0);
		break;
	case 11:
		good = args_number64(args, &number64);
		assert(!good || number64 <= INT64_MAX);
		break;
	case 12:
		good = args_set(args, &word);
		if (good && word.at[0] != '$')
			check_set(word);
		break;
	case 13:
		good = args_date(args, &when);
		assert(!good || (when >= -719528 && when <= 2932896));
		break;
	case 14:
		good = args_date_time(args, &when);
		break;
	case 15:
		good = args_space(args);
		break;
	case 16:
		good = args_open(args);
		break;
	case 17:
		good = args_close(args);
		break;
	case 18:
		good = args_more(args);
		assert(!good || (!args_end(args) && !args_next_is(args, ')')));
		break;
	default:
		args->utf8 = !args->utf8;
		return true;
	}
	if (good && word.at != NULL) {
		assert(word.at >= start && word.len <= (size_t)(args->at - word.at));
		assert(literal8 || word.len == 0 || memchr(word.at, '\0', word.len) == NULL);
		(void)word_is(word, "NIL");
	}
	assert(!good || args->at > start);
	return good;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct args args;
	char *text, *end;

	if (size < CHOICES)
		return 0;
	/* Exactly as large: a look past the end is found. */
	text = malloc(size - CHOICES + (size == CHOICES));
	assert(text != NULL);
	memcpy(text, data + CHOICES, size - CHOICES);
	end = text + (size - CHOICES);
	args = (struct args){text, end, false};
	for (size_t i = 0; i < CHOICES; i++) {
		/* A command would be BAD at what is wrong; here one goes on behind it. */
		(void)take(&args, data[i]);
		assert(args.at >= text && args.at <= end && args.end == end);
	}
	free(text);
	return 0;
}
