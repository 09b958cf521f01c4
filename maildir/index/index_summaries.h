/*
 * index_summaries.h: the file sallyport.texts: texts that were made from messages for FETCH and SEARCH.
 *
 * Writers append records under the folder's lock and never change them; the index has the place of each message's
 * record.  A record has its message's UID, and a checksum for each text, so that reading one text does not mean
 * reading them all.
 */
#ifndef MAILDIR_INDEX_INDEX_SUMMARIES_H
#define MAILDIR_INDEX_INDEX_SUMMARIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/base/buf.h"
#include "maildir/base/mapping.h"
#include "maildir/maildir.h"

struct maildir;

#define SUMMARIES_RECORD_MAX (256 * 1024)
/* A longer text is made from the message each time, since clients seldom ask for one.  All texts of a message fit. */
#define TEXT_MAX (SUMMARIES_RECORD_MAX / 8)

/* Values in place of a length. */
#define TEXT_UNKNOWN UINT32_MAX
#define TEXT_SAME    (UINT32_MAX - 1) /* as the text of the kind before */
#define TEXT_LONG    (UINT32_MAX - 2) /* known to be too long to be kept */

struct summaries {
	struct mapping map;
	int fd; /* or -1 */
	uint64_t id, size;
};

/* A random id for a new file. */
int summaries_new_id(uint64_t *id_r);
/* -1: there is no file with that id. */
int summaries_open(int dirfd, uint64_t id, struct summaries *summaries);
/* Makes an empty file in place of any other, under the folder's lock. */
int summaries_create(struct maildir *md, int dirfd, uint64_t id, struct summaries *summaries);
void summaries_close(struct summaries *summaries);

/* Appends a text of a message, whose record is at that place, to out.  Returns false if the text is unknown or
 * damaged. */
bool summaries_get(struct summaries *summaries, uint64_t at, uint32_t uid, enum maildir_text text,
    struct mdbuf *out);
/* Returns whether there is a record without a damaged text.  *structure_r: it has a BODYSTRUCTURE. */
bool summaries_are_whole(struct summaries *summaries, uint64_t at, uint32_t uid, bool *structure_r);
/* Returns the length of a text, which is not verified, or TEXT_LONG; TEXT_UNKNOWN if the text or the record is
 * missing. */
uint32_t summaries_len(
    struct summaries *summaries, uint64_t at, uint32_t uid, enum maildir_text text);
/* Gives the record as it lies in the file, to be copied to another file.  It is not verified. */
bool summaries_raw(
    struct summaries *summaries, uint64_t at, uint32_t uid, const void **record_r, size_t *size_r);

/* Appends the record of a message to batch.  A text whose len is one of the values above is not read. */
void summaries_put(struct mdbuf *batch, uint32_t uid, const char *const text[MAILDIR_TEXTS],
    const uint32_t len[MAILDIR_TEXTS]);
/* Writes a batch to the end of the file, under the folder's lock; *at_r is where it begins.  -1: errno. */
int summaries_append(struct summaries *summaries, const struct mdbuf *batch, uint64_t *at_r);

#endif
