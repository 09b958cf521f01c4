/*
 * uid_record.h: the numbers of a folder that must never go back, kept in its lock file.
 *
 * The record has the UIDVALIDITY, the next UID and the highest modification sequence that were last given out.  It
 * shows whether a dovecot-uidlist or an index has lost its end, or is an old copy that somebody put back.
 */
#ifndef MAILDIR_BASE_UID_RECORD_H
#define MAILDIR_BASE_UID_RECORD_H

#include <stdint.h>

struct mddir;

struct uid_record {
	uint32_t validity, next; /* 0: there is no record */
	uint32_t recent;	 /* no IMAP session was told of UIDs from here on */
	uint64_t modseq;	 /* the highest that was told to a client, or close to it */
};

/* Reads the record, also without the folder's lock.  A missing or unusable one is all zero.  -1: a read failed. */
int uid_record_read(struct mddir *dir, struct uid_record *record_r);
/* Writes the record, or its modification sequence alone, under the folder's lock.  -1: errno, also dir->unlocked. */
int uid_record_write(struct mddir *dir, const struct uid_record *record);
int uid_record_write_modseq(struct mddir *dir, uint64_t modseq);

#endif
