/*
 * validity.h: new UIDVALIDITY values.
 */
#ifndef MAILDIR_UIDS_VALIDITY_H
#define MAILDIR_UIDS_VALIDITY_H

#include <stdint.h>

struct maildir;

/* A UIDVALIDITY above all that this Maildir had and above the given one; recorded on disk. */
int validity_next(struct maildir *md, uint32_t above, uint32_t *validity_r);

#endif
