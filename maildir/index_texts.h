/*
 * index_texts.h: the file sallyport.texts: what was made from messages once, for FETCH and SEARCH.
 *
 * Records are appended under the folder's lock and never changed; the index says where a message's is.
 * A record says itself whose it is, and has checksums: of itself, and of each text, so that who wants one
 * need not read them all.
 */
#ifndef MAILDIR_INDEX_TEXTS_H
#define MAILDIR_INDEX_TEXTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maildir/maildir.h"
#include "maildir/mapping.h"
#include "maildir/text.h"

#define TEXTS_NAME "sallyport.texts"
#define TEXTS_TMP  "sallyport.texts.tmp"

/* A message whose texts are longer than this is read each time: nobody asks for such often. */
#define TEXTS_RECORD_MAX (256 * 1024)

/* Lengths that are none. */
#define TEXTS_UNKNOWN UINT32_MAX
#define TEXTS_SAME    (UINT32_MAX - 1) /* as the text of the kind before */

/* A message's texts, all verified, as they lie in memory until the next call about texts. */
struct texts_found {
	const char *text[MAILDIR_TEXTS]; /* NULL: not known */
	size_t len[MAILDIR_TEXTS];
};

struct texts {
	struct mapping map;
	int fd; /* or -1 */
	uint64_t id, size;
};

/* A random id for a new file. */
int texts_new_id(uint64_t *id_r);
/* -1: there is none of that id. */
int texts_open(int dirfd, uint64_t id, struct texts *texts);
/* An empty one in place of any other; under the folder's lock. */
int texts_create(int dirfd, uint64_t id, struct texts *texts);
void texts_close(struct texts *texts);

/* false: there is nothing that can be used at that place. */
bool texts_find(struct texts *texts, uint64_t at, uint32_t uid, struct texts_found *found_r);
/* One text, in the same way; false also when it is not known. */
bool texts_get(struct texts *texts, uint64_t at, uint32_t uid, enum maildir_text text,
    const char **text_r, size_t *len_r);
/* Whether a record of the message is there that has that text; it is not verified. */
bool texts_has(struct texts *texts, uint64_t at, uint32_t uid, enum maildir_text text);
/* Its record as it lies there, for another file; the texts are verified by who asks for them. */
bool texts_raw(
    struct texts *texts, uint64_t at, uint32_t uid, const void **record_r, size_t *size_r);

/* Makes the record of a message; text with len TEXTS_UNKNOWN or TEXTS_SAME are not read. */
void texts_put(struct mdtext *batch, uint32_t uid, const char *const text[MAILDIR_TEXTS],
    const uint32_t len[MAILDIR_TEXTS]);
/* Appends; *at_r is where the batch begins.  Under the folder's lock. */
int texts_append(struct texts *texts, const struct mdtext *batch, uint64_t *at_r);

#endif
