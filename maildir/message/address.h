/*
 * address.h: the addresses of a header field, one after the other.  RFC 5322 sections 3.4 and 4.4.
 *
 * The parser gives what it understands of any octets; it looks at each of them a bounded number of times, and
 * never past the end.  RFC 2047 words stay as they are.
 */
#ifndef MAILDIR_MESSAGE_ADDRESS_H
#define MAILDIR_MESSAGE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "maildir/base/buf.h"
#include "maildir/message/field.h"

enum address_kind {
	ADDRESS_NONE, /* no more */
	ADDRESS_MAILBOX, /* name and route may be empty; so may mailbox or host where they are missing */
	ADDRESS_GROUP,	   /* a group begins; mailbox is its name */
	ADDRESS_GROUP_END, /* comes for each group, also where the semicolon is missing */
};

/* A zeroed parser is empty.  The texts belong to the last address. */
struct address_parser {
	struct mdbuf name;    /* without quotes; a comment where there is no name */
	struct mdbuf route;   /* "@a,@b" */
	struct mdbuf mailbox; /* the local part, without quotes */
	struct mdbuf host;
	struct mdbuf comment, word;
	struct field_cursor in;
	size_t before; /* how much of name is before the last word */
	size_t words;
	bool quoted, in_group;
};

/* Begins with a field's text, unfolded.  It must stay where it is. */
void address_begin(struct address_parser *parser, const char *text, size_t len);
enum address_kind address_next(struct address_parser *parser);
/* Whether memory was short somewhere. */
bool address_failed(const struct address_parser *parser);
void address_clear(struct address_parser *parser);

#endif
