/*
 * record.h: the numbers of a folder that must never go back, kept in its lock file.
 */
#ifndef MAILDIR_BASE_RECORD_H
#define MAILDIR_BASE_RECORD_H

#include <stdint.h>

struct mddir;

/*
 * The record: the UIDVALIDITY and next UID that were last given out, in our lock file.  It tells a
 * uidlist that lost its end, or was replaced by an old one, from a whole one; and with the highest
 * modification sequence an index in the same way.
 */
struct uid_record {
	uint32_t validity, next; /* 0: there is none */
	uint32_t recent;	 /* UIDs from here on were told to no IMAP session yet */
	uint64_t modseq;	 /* the highest that was told, or about */
};
int uid_record_read(struct mddir *dir, struct uid_record *record_r);
int uid_record_write(struct mddir *dir, const struct uid_record *record);
/* The modification sequence alone. */
int uid_record_modseq(struct mddir *dir, uint64_t modseq);

#endif
