/*
 * encoded_word.h: a header field's text with its encoded words undone.  RFC 2047.
 */
#ifndef MAILDIR_MESSAGE_ENCODED_WORD_H
#define MAILDIR_MESSAGE_ENCODED_WORD_H

#include <stdbool.h>
#include <stddef.h>

#include "maildir/base/text.h"
#include "maildir/message/charset.h"

/* Blanks behind an encoded word that may vanish; more than these stay.  Folding leaves one or two. */
enum { ENCODED_WORD_BLANKS = 64 };

/* A zeroed one is at the start of a text. */
struct encoded_words {
	const struct charset *charset; /* of what carry holds; NULL: nothing yet */
	struct charset_carry carry;
	bool after_word; /* nothing but blanks since an encoded word: */
	char blanks[ENCODED_WORD_BLANKS];
	size_t blanks_len;
};

/*
 * Decodes a piece of an unfolded text, adding UTF-8 to out; a piece must not end inside an encoded word,
 * so cut where a line was folded.  Encoded words are found anywhere, as mail has them also in quoted
 * strings; blanks between two of them vanish, and a character that was cut between two is put
 * together.  A charset that is unknown, and octets that are no ASCII, are read as charset_unmarked
 * does.
 */
void encoded_word_feed(
    struct encoded_words *words, const char *text, size_t len, struct mdtext *out);

/* The text is over; words is zeroed. */
void encoded_word_end(struct encoded_words *words, struct mdtext *out);

/*
 * Of blanks in a text one is left: programs fold at a blank and begin the next line with another, which nobody
 * who reads the field sees, and the names of ENVELOPE have none of it either.  after_blank: what came before
 * ended in one; the result says so of this text.
 */
bool encoded_word_squeeze(struct mdtext *text, bool after_blank);

#endif
