/*
 * message.h: what can be told of a message once its octets were read: its texts for IMAP, and its size.
 */
#ifndef MAILDIR_MESSAGE_MESSAGE_H
#define MAILDIR_MESSAGE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/base/buf.h"
#include "maildir/message/header.h"
#include "maildir/message/source.h"
#include "maildir/message/texts.h"

struct summary {
	struct mdbuf text[MAILDIR_TEXTS];
	/* Most texts are the same with UTF-8 and without; then the text with UTF-8 is empty. */
	bool same_envelope, same_structure;
	bool decoded;  /* there is a MAILDIR_DECODED: the fields are not too long */
	bool whole;    /* all of the message was read, and what follows is known */
	uint64_t wire; /* octets on the wire */
	bool line_end; /* the last line has its end */
};

/*
 * Reads a message from its beginning; head_only: as far as its header, without structures.  -1: as its source,
 * or ENOMEM; then nothing is to be cleared.
 */
int summary_read(const struct source *source, bool head_only, struct summary *summary_r);
void summary_clear(struct summary *summary);
/* Returns one of its texts, which lives as long as the summary. */
const struct mdbuf *summary_text(const struct summary *summary, enum maildir_text text);

/* The fields that MAILDIR_FIELDS has. */
extern const struct header_names remembered_fields;
/* Whether a field of that name, in any case of letters, is one of these. */
bool remembered_has(const char *name, size_t len);

#endif
