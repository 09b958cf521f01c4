/*
 * decode.h: content transfer encodings, undone piece by piece.  RFC 2045 section 6.
 */
#ifndef MAILDIR_MESSAGE_DECODE_H
#define MAILDIR_MESSAGE_DECODE_H

#include <stddef.h>

enum decode_kind {
	DECODE_NOTHING, /* 7bit, 8bit, binary, none */
	DECODE_BASE64,
	DECODE_QUOTED_PRINTABLE,
	DECODE_UNKNOWN, /* RFC 3516: NO [UNKNOWN-CTE] */
};

/* By the word of Content-Transfer-Encoding (NULL: there was none). */
enum decode_kind decode_kind(const char *word);

struct decoder {
	enum decode_kind kind;
	unsigned bits, count; /* base64: what of a quantum came */
	char held[80]; /* quoted-printable: blanks that may end a line, an escape cut in two */
	size_t held_len;
};

void decode_init(struct decoder *decoder, enum decode_kind kind);

/*
 * Decodes len octets to out, which has room for len + sizeof(held) octets; how many came out.  Broken
 * input loses nothing that can be read: octets outside base64's alphabet are passed over, an "=" that
 * escapes nothing stands for itself.
 */
size_t decode_feed(struct decoder *decoder, const char *in, size_t len, char *out);
/* The end: what was held.  Room for sizeof(held). */
size_t decode_end(struct decoder *decoder, char *out);

/* The octet that two hexadecimal digits in either case are, or -1.  The second is not read after a NUL. */
int decode_hex(const char *digits);

#endif
