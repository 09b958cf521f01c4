/*
 * mime.h: the structure of a message: its parts, where they lie on the wire, and what IMAP tells of
 * them.  RFC 5322, 2045, 2046, 2183, 2231, 6532.
 *
 * The parser is fed with a message in pieces as they come from a source (CRLF lines).  It does not recurse, and
 * its memory is bounded.  A part beyond a limit becomes application/octet-stream or is left out; but all octets
 * are counted.  RFC 2047 words stay as they are.  A NUL in a header, which IMAP cannot transmit, becomes
 * U+FFFD.
 */
#ifndef MAILDIR_MESSAGE_MIME_H
#define MAILDIR_MESSAGE_MIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/base/buf.h"

struct source;

enum {
	MIME_DEPTH_MAX = 100,		    /* parts inside each other, the innermost counted too */
	MIME_PARTS_MAX = 10000,		    /* in one message */
	MIME_PARAMETERS_MAX = 1000,	    /* in all headers of one message */
	MIME_HEADER_MAX = 10 * 1024 * 1024, /* octets of header fields kept, in all */
};

#define MIME_NONE UINT32_MAX

enum mime_kind { MIME_LEAF, MIME_MULTIPART, MIME_MESSAGE /* message/rfc822, message/global */ };

/* Octets are on the wire, counted from the first of the message. */
struct mime_part {
	enum mime_kind kind;
	uint32_t parent, child, next;	 /* indexes, or MIME_NONE; the one child of a MIME_MESSAGE
					 is the message inside, with its own header */
	uint64_t header_at, header_size; /* with the blank line */
	uint64_t body_at, body_size;
	uint32_t body_lines;
	const char *type, *subtype; /* as written; "text" and "plain" if it is missing */
	const char *encoding;	    /* Content-Transfer-Encoding's word, or NULL */
	const char *charset;	    /* of Content-Type, or NULL */
};

struct mime;

struct mime *mime_new(void); /* NULL: ENOMEM */
void mime_free(struct mime **mime);
void mime_feed(struct mime *mime, const void *octets, size_t len);
/* The message is over.  -1: ENOMEM. */
int mime_end(struct mime *mime);

/* Reads a message to its end.  -1: as its source, or ENOMEM. */
int mime_read(const struct source *source, struct mime **mime_r);

size_t mime_count(const struct mime *mime); /* at least 1: part 0 is the message itself */
const struct mime_part *mime_part(const struct mime *mime, uint32_t index);

/*
 * The part that section numbers (each from 1) name, by RFC 9051 section 6.4.5.  If a message is no multipart, its
 * part 1 is its text; numbers after a message/rfc822 part go into the message inside.  count 0 is the message.
 * MIME_NONE: there is no such part.
 *
 * *body_of_r is true if the numbers end at "part 1 of a message that is no multipart", which is the same part as
 * the message.  Then BODY[n] means the body without the header, and n.MIME the header of the message.
 */
uint32_t mime_find(const struct mime *mime, const uint32_t *numbers, size_t count, bool *body_of_r);

/*
 * ENVELOPE of part (0, or the child of a MIME_MESSAGE), with its parentheses.  utf8: strings with
 * well-formed UTF-8 may be quoted (UTF8=ACCEPT, IMAP4rev2); else they are literals.
 */
void mime_put_envelope(const struct mime *mime, uint32_t part, bool utf8, struct mdbuf *out);

/*
 * BODY (extended false) or BODYSTRUCTURE, with its parentheses.  Only with utf8 does message/global show the
 * message inside, as RFC 9051 wants it; in RFC 3501 it is a part like any other.
 */
void mime_put_structure(const struct mime *mime, bool extended, bool utf8, struct mdbuf *out);
/* The same for IMAP4rev2, as with utf8: where a parameter's value has a charset (RFC 2231 section 4) it is UTF-8
 * then, without charset and language.  A value that cannot be decoded stays as it is. */
void mime_put_structure_rev2(const struct mime *mime, bool extended, struct mdbuf *out);
/* Whether what mime_put_structure has put may be another with mime_put_structure_rev2. */
bool mime_rev2_differs(const char *structure, size_t len);

/* --- content transfer encodings, undone piece by piece: RFC 2045 section 6 --- */

enum transfer_encoding {
	TRANSFER_IDENTITY, /* 7bit, 8bit, binary, or not named */
	TRANSFER_BASE64,
	TRANSFER_QUOTED_PRINTABLE,
	TRANSFER_UNKNOWN, /* RFC 3516: NO [UNKNOWN-CTE] */
};

/* By the word of Content-Transfer-Encoding, or NULL. */
enum transfer_encoding transfer_encoding(const char *word);

struct transfer_decoder {
	enum transfer_encoding kind;
	unsigned bits, count; /* base64: what of a quantum came */
	char held[80]; /* quoted-printable: blanks that may end a line, an escape cut in two */
	size_t held_len;
};

void transfer_init(struct transfer_decoder *decoder, enum transfer_encoding kind);

/*
 * Decodes len octets to out, which has room for len + sizeof(held) octets; how many came out.  Broken
 * input loses nothing that can be read: octets outside base64's alphabet are passed over, an "=" that
 * escapes nothing stands for itself.
 */
size_t transfer_feed(struct transfer_decoder *decoder, const char *in, size_t len, char *out);
/* The end: what was held.  Room for sizeof(held). */
size_t transfer_end(struct transfer_decoder *decoder, char *out);

#endif
