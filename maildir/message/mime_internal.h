/*
 * mime_internal.h: what the files that know a message's structure share.
 */
#ifndef MAILDIR_MESSAGE_MIME_INTERNAL_H
#define MAILDIR_MESSAGE_MIME_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/base/buf.h"
#include "maildir/message/header.h"
#include "maildir/message/mime.h"

/*
 * RFC 2046 section 5.1.1 allows 70 octets, programs wrote longer ones; what is beyond a line's limit
 * (RFC 5322 section 2.1.1) is not compared.
 */
enum { MIME_BOUNDARY_MAX = 998 };

/* The fields that are kept; those of an envelope first, in its order. */
enum mime_field {
	FIELD_DATE,
	FIELD_SUBJECT,
	FIELD_FROM,
	FIELD_SENDER,
	FIELD_REPLY_TO,
	FIELD_TO,
	FIELD_CC,
	FIELD_BCC,
	FIELD_IN_REPLY_TO,
	FIELD_MESSAGE_ID,
	FIELDS_OF_ENVELOPE,
	FIELD_TYPE = FIELDS_OF_ENVELOPE,
	FIELD_ENCODING,
	FIELD_DISPOSITION,
	FIELD_ID, /* from here on they are kept as they are */
	FIELD_DESCRIPTION,
	FIELD_MD5,
	FIELD_LANGUAGE,
	FIELD_LOCATION,
	FIELD_OTHER,
};

/* The text of a field of an envelope. */
struct mime_value {
	const char *text;
	size_t len;
	enum mime_field field;
};

struct mime_parameter {
	const char *name, *value;
};

/* Some of the array of all parameters, or of all values. */
struct mime_run {
	uint32_t first, count;
};

/* A part: what others see of it, and what its header says. */
struct mime_node {
	struct mime_part pub;
	uint32_t last_child;
	uint32_t depth;		/* 0: the message */
	uint64_t first_line;	/* lines of the message before the body */
	struct mime_run values; /* of a message */
	struct mime_run parameters, disposition_parameters;
	const char *boundary;
	const char *disposition;
	const char *text[FIELD_OTHER - FIELD_ID];
};

/* The text of such a field, or NULL. */
static inline const char *
mime_field_text(const struct mime_node *node, enum mime_field field)
{
	return node->text[field - FIELD_ID];
}

/* A multipart whose parts are being read. */
struct mime_open {
	uint32_t part;
	const char *boundary;
	size_t len;
};

struct mime {
	struct mime_node *node;
	size_t count, room;
	struct mime_value *value;
	size_t values, value_room;
	struct mime_parameter *parameter;
	size_t parameters, parameter_room;
	size_t parameters_seen; /* before pieces were joined */
	size_t kept;		/* octets of header fields */
	struct mdarena arena;
	struct mdbuf word; /* being read */
	bool failed;

	/* The place of the parser. */
	uint64_t at, line_at; /* the next octet, the first of its line */
	uint64_t lines;	      /* line ends before at */
	unsigned line_end;    /* octets of the line end before line_at: 0 to 2 */
	char last;	      /* the octet before at */
	uint32_t current;     /* the innermost open part */
	bool in_header;
	bool new_part;		    /* a boundary came: its line's end begins a part */
	bool line_begun, line_skip; /* its fate is decided; it is a boundary */
	struct header_reader header;
	enum mime_field field; /* being read, and its text so far */
	struct mdbuf text;
	struct mime_open open[MIME_DEPTH_MAX];
	size_t opened;
	char head[2 + MIME_BOUNDARY_MAX + 2]; /* of a line that may be a boundary */
	size_t head_len;
};

/* Room for one more in an array; NULL: memory was short, which is noted. */
void *mime_room(struct mime *mime, void *array, size_t count, size_t *room, size_t size);
/* A copy that lives as long as the message; NULL: memory was short, which is noted. */
const char *mime_keep(struct mime *mime, const char *text, size_t len);
/* Whether a word, or NULL, is that word in any case of letters. */
bool mime_word_is(const char *word, const char *text);
bool mime_is_message_type(const struct mime_part *part);
/* Whether the part is a message, with a header of its own. */
bool mime_is_message(const struct mime *mime, const struct mime_node *node);

/* A new last part of its parent, of no size yet: its index, or MIME_NONE when memory was short. */
uint32_t mime_add_part(struct mime *mime, uint32_t parent, uint64_t at);

/* mime_field.c: the header of the current part; true when its blank line came. */
void mime_header_begin(struct mime *mime);
bool mime_header_feed(struct mime *mime, const char *octets, size_t len);
/* A field is whole, and its header may be. */
void mime_header_end(struct mime *mime);

/* mime_parameter.c: joins what RFC 2231 section 3 cut in pieces. */
void mime_join_parameters(struct mime *mime, struct mime_run *parameters);

/* envelope.c: a string of IMAP, quoted where that can be; NULL is NIL. */
void mime_put_string(struct mdbuf *out, const char *text, size_t len, bool utf8);

#endif
