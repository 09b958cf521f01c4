/*
 * message.h: what a message's octets tell for ever: its texts for IMAP, and its size.
 */
#ifndef MAILDIR_MESSAGE_MESSAGE_H
#define MAILDIR_MESSAGE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/base/text.h"
#include "maildir/message/header.h"
#include "maildir/message/source.h"
#include "maildir/message/texts.h"

struct summary {
	struct mdtext text[MAILDIR_TEXTS];
	/* Most messages are told alike with UTF-8 and without: then text[] of the UTF-8 is empty. */
	bool same_envelope, same_structure;
	bool decoded;  /* the fields are not too long for it */
	bool whole;    /* not the header only: what follows is known, and the structures are */
	uint64_t wire; /* octets */
	bool line_end; /* the message ends in one */
};

/*
 * Reads a message once, from its beginning, and tells all of it; head_only: only what the header
 * tells, without reading the rest.  -1: as its source, or ENOMEM; nothing is to be cleared.
 */
int summary_read(const struct source *source, bool head_only, struct summary *summary_r);
void summary_clear(struct summary *summary);

/* A text of them. */
const struct mdtext *summary_text(const struct summary *summary, enum maildir_text text);

/* Those of MAILDIR_FIELDS. */
extern const struct header_names remembered_fields;

/* Whether MAILDIR_FIELDS has all fields of that name (in any case of letters) that a message has. */
bool remembered_has(const char *name, size_t len);

#endif
