/*
 * index_summaries.h: the file sallyport.texts: summaries of messages, which are texts for FETCH and SEARCH.
 *
 * Records are appended under the folder's lock and never changed; the index says where a message's is.
 * A record says whose it is, and has a checksum of each text, so that a reader of one need not read them all.
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
/* A text that is longer is made each time: nobody asks for such often.  All of a message fit. */
#define TEXT_MAX (SUMMARIES_RECORD_MAX / 8)

/* Lengths that are none. */
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
/* -1: there is none of that id. */
int summaries_open(int dirfd, uint64_t id, struct summaries *summaries);
/* An empty one in place of any other; under the folder's lock. */
int summaries_create(struct maildir *md, int dirfd, uint64_t id, struct summaries *summaries);
void summaries_close(struct summaries *summaries);

/* Appends a message's text, verified, to out; at: its record's place.  false: it is not known, or damaged. */
bool summaries_get(struct summaries *summaries, uint64_t at, uint32_t uid, enum maildir_text text,
    struct mdbuf *out);
/* Whether there is a record, with no damaged text in it; *structure_r: with a BODYSTRUCTURE. */
bool summaries_are_whole(struct summaries *summaries, uint64_t at, uint32_t uid, bool *structure_r);
/* The length of a text, which is not verified, or TEXT_LONG; TEXT_UNKNOWN also when there is no record of the
 * message. */
uint32_t summaries_len(
    struct summaries *summaries, uint64_t at, uint32_t uid, enum maildir_text text);
/* Its record as it lies there, for another file; the texts are verified when they are asked for. */
bool summaries_raw(
    struct summaries *summaries, uint64_t at, uint32_t uid, const void **record_r, size_t *size_r);

/* Makes the record of a message; texts whose length is none are not read. */
void summaries_put(struct mdbuf *batch, uint32_t uid, const char *const text[MAILDIR_TEXTS],
    const uint32_t len[MAILDIR_TEXTS]);
/* Appends; *at_r is where the batch begins.  Under the folder's lock. */
int summaries_append(struct summaries *summaries, const struct mdbuf *batch, uint64_t *at_r);

#endif
