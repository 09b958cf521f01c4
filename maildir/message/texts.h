/*
 * texts.h: the texts that are made from a message once, and remembered.
 */
#ifndef MAILDIR_MESSAGE_TEXTS_H
#define MAILDIR_MESSAGE_TEXTS_H

enum maildir_text {
	MAILDIR_ENVELOPE, /* as mime_put_envelope gives it, utf8 false */
	MAILDIR_ENVELOPE_UTF8,
	MAILDIR_BODYSTRUCTURE, /* mime_put_structure, extended */
	MAILDIR_BODYSTRUCTURE_UTF8,
	/* The header's fields that are in remembered_fields, as they stand, in CRLF lines; and its blank line, if it
	 * has one. */
	MAILDIR_FIELDS,
	MAILDIR_DECODED, /* values of fields for remembered_search_decoded */
	MAILDIR_TEXTS,
};

#endif
