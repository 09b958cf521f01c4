/*
 * sequence.h: sets of numbers, "1,3:5,9:*": of messages or of UIDs.  RFC 9051 section 9, seq-set.
 */
#ifndef SERVER_IMAP_SEQUENCE_H
#define SERVER_IMAP_SEQUENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sequence_range {
	uint32_t first, last; /* first <= last */
};

/* In normal form the ranges rise, and no two touch.  A zeroed sequence is empty. */
struct sequence {
	struct sequence_range *range;
	size_t count, room;
	bool failed; /* memory was short: numbers are missing */
};

enum sequence_result { SEQUENCE_OK, SEQUENCE_WRONG, SEQUENCE_NO_MEMORY };

/*
 * Parses len octets, which must be a whole set.  star: what "*" stands for, the highest number in use; 0
 * if there is none, and then a range with a "*" holds nothing.  "3:1" is "1:3".  Numbers have 1 to 10
 * digits and are above 0 and below 2^32.  The cost depends on the length of the text alone.
 */
enum sequence_result sequence_parse(
    struct sequence *sequence, const char *text, size_t len, uint32_t star);
void sequence_clear(struct sequence *sequence);

bool sequence_has(const struct sequence *sequence, uint32_t number); /* logarithmic */
uint64_t sequence_total(const struct sequence *sequence);

/* Copies into to_r, which must be empty.  Returns false if memory is short. */
bool sequence_copy(const struct sequence *sequence, struct sequence *to_r);

/* Add a number, or a range, above all that the sequence holds. */
void sequence_add(struct sequence *sequence, uint32_t number);
void sequence_add_range(struct sequence *sequence, uint32_t first, uint32_t last);
/* Adds any number; after the last of them sequence_sort restores the normal form. */
void sequence_append(struct sequence *sequence, uint32_t number);
void sequence_sort(struct sequence *sequence);

struct mdbuf;
/* Adds "1,3:5" to out; nothing if the sequence is empty. */
void sequence_put(const struct sequence *sequence, struct mdbuf *out);

#endif
