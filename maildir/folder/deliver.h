/*
 * deliver.h: adds a set of messages to a folder, all of them or none: for APPEND, COPY and MOVE.
 *
 * Functions return 0, or -1 with errno set.
 */
#ifndef MAILDIR_FOLDER_DELIVER_H
#define MAILDIR_FOLDER_DELIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct maildir_folder;
struct maildir_delivery;

/* The properties that a message has from the start. */
struct maildir_label {
	uint32_t flags;	   /* enum maildir_flag */
	uint64_t keywords; /* as the folder numbers them: maildir_keyword_make */
	time_t date;	   /* INTERNALDATE: the file's modification time */
};

/* Begins a set for the folder, which must stay open until maildir_delivery_end. */
int maildir_delivery_begin(struct maildir_folder *folder, struct maildir_delivery **delivery_r);

/*
 * Begins a message, in tmp/.  maildir_delivery_write adds its octets, in pieces of any size, with lines that end in
 * CRLF or LF; the file has LF, as delivery agents write it.  After an error (ENOSPC, EDQUOT, EIO...) the set cannot be
 * committed.
 */
int maildir_delivery_message(struct maildir_delivery *delivery, const struct maildir_label *label);
int maildir_delivery_write(struct maildir_delivery *delivery, const void *octets, size_t len);

/*
 * Adds a copy of a message, of the same folder or another, with its flags and date.  The copy is a link where the file
 * system has links.  keywords: those of the message, as the folder of the set numbers them.  ENOENT: the message is
 * gone.
 */
int maildir_delivery_copy(struct maildir_delivery *delivery, struct maildir_folder *from,
    uint32_t uid, uint64_t keywords);

/*
 * The same with less work, for a set that is made by this function alone and from one folder, which must stay open
 * until the commit.  The commit makes the links.  It fails with ESTALE if a message cannot be linked from where it was
 * known to be; then the caller begins again, with a new set and maildir_delivery_copy.
 */
int maildir_delivery_link(struct maildir_delivery *delivery, struct maildir_folder *from,
    uint32_t uid, uint64_t keywords);

/*
 * Puts the set into the folder, and all of it on the disk: the files, their names, and their UIDs in dovecot-uidlist.
 * The UIDs rise in the order of the set; *uids_r has as many as the set has messages, and belongs to the delivery.  -1:
 * nothing of the set is in the folder.
 */
int maildir_delivery_commit(
    struct maildir_delivery *delivery, uint32_t *uidvalidity_r, const uint32_t **uids_r);

/*
 * Returns whether all files that were written have the date of their label.  false: a date is outside the years of
 * INTERNALDATE (see maildir_date), or the file system cannot store it.  Then the file has a nearer date.
 */
bool maildir_delivery_dates_kept(const struct maildir_delivery *delivery);

/* Frees the delivery.  If it was not committed nothing of the set stays. */
void maildir_delivery_end(struct maildir_delivery **delivery);

#endif
