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

/* In normal form: rising, no two that touch.  A zeroed one is empty. */
struct sequence {
	struct sequence_range *range;
	size_t count, room;
	bool failed; /* memory was short */
};

enum sequence_result { SEQUENCE_OK, SEQUENCE_WRONG, SEQUENCE_NO_MEMORY };

/*
 * Parses len octets, a whole set.  star is what "*" stands for: the highest number in use; 0 when
 * there is none, and then what has a "*" in it stands for nothing.  "3:1" is "1:3"; numbers are 1 to
 * 10 digits, above 0 and below 2^32.  The cost is that of the text.
 */
enum sequence_result sequence_parse(
    struct sequence *sequence, const char *text, size_t len, uint32_t star);
void sequence_clear(struct sequence *sequence);

bool sequence_has(const struct sequence *sequence, uint32_t number); /* logarithmic */
uint64_t sequence_total(const struct sequence *sequence);

/* A copy; to_r must be empty.  false: memory was short. */
bool sequence_copy(const struct sequence *sequence, struct sequence *to_r);

/* Adds a number, or numbers, above all that are in it. */
void sequence_add(struct sequence *sequence, uint32_t number);
void sequence_add_range(struct sequence *sequence, uint32_t first, uint32_t last);
/* Adds a number that may be any; then sequence_sort puts it in normal form. */
void sequence_append(struct sequence *sequence, uint32_t number);
void sequence_sort(struct sequence *sequence);

struct mdtext;
/* "1,3:5"; nothing for an empty one. */
void sequence_put(const struct sequence *sequence, struct mdtext *out);

#endif
