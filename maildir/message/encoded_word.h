/*
 * encoded_word.h: a header field's text with its encoded words undone.  RFC 2047.
 */
#ifndef MAILDIR_MESSAGE_ENCODED_WORD_H
#define MAILDIR_MESSAGE_ENCODED_WORD_H

#include <stdbool.h>
#include <stddef.h>

#include "maildir/base/buf.h"
#include "maildir/message/charset.h"

/* So many blanks after an encoded word may vanish; more stay.  Folding leaves one or two. */
enum { ENCODED_WORD_BLANKS = 64 };

/* A zeroed struct is at the start of a text. */
struct encoded_words {
	const struct charset *charset; /* of what carry holds; NULL: nothing yet */
	struct charset_carry carry;
	bool after_word; /* only these blanks came since an encoded word */
	char blanks[ENCODED_WORD_BLANKS];
	size_t blanks_len;
};

/*
 * Decodes a piece of an unfolded text, and adds UTF-8 to out.  A piece must not end inside an encoded word; cut
 * the text where a line was folded.  Encoded words are decoded anywhere, as mail has them in quoted strings,
 * too.  Blanks between two of them vanish, and a character that was cut between two is put together.  Unknown
 * charsets and octets that are no ASCII are read as charset_unmarked says.
 */
void encoded_word_feed(
    struct encoded_words *words, const char *text, size_t len, struct mdbuf *out);

/* The text is over; words is zeroed. */
void encoded_word_end(struct encoded_words *words, struct mdbuf *out);

/*
 * Makes one blank of several: programs fold a line at a blank and begin the next with another, and a reader of the
 * field sees one.  after_blank: the text before this one ended in a blank; the result is that for this text.
 */
bool encoded_word_squeeze(struct mdbuf *text, bool after_blank);

#endif
