/*
 * texts.h: the texts that a message is told by, made once and remembered.
 */
#ifndef MAILDIR_MESSAGE_TEXTS_H
#define MAILDIR_MESSAGE_TEXTS_H

enum maildir_text {
	MAILDIR_ENVELOPE, /* as mime_put_envelope gives it, utf8 false */
	MAILDIR_ENVELOPE_UTF8,
	MAILDIR_BODYSTRUCTURE, /* mime_put_structure, extended */
	MAILDIR_BODYSTRUCTURE_UTF8,
	MAILDIR_FIELDS, /* the header fields that remembered_has, as they stand, in CRLF lines; with the
			  * header's blank line, if it has one */
	MAILDIR_DECODED, /* values of fields as remembered_search_decoded reads them */
	MAILDIR_TEXTS,
};

#endif
