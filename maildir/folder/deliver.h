/*
 * deliver.h: new messages in a folder, for APPEND and COPY: the whole set or nothing.
 */
#ifndef MAILDIR_FOLDER_DELIVER_H
#define MAILDIR_FOLDER_DELIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct maildir_folder;
struct maildir_delivery;

/* What a message is to have from the start. */
struct maildir_label {
	uint32_t flags;	   /* enum maildir_flag */
	uint64_t keywords; /* numbers of the folder it goes to: maildir_keyword_make */
	time_t date;	   /* INTERNALDATE: the file's modification time */
};

/* Begins a set for the folder. */
int maildir_delivery_begin(struct maildir_folder *folder, struct maildir_delivery **delivery_r);

/* Begins a message, in tmp/; its octets follow with maildir_delivery_write, CRLF or not: CRLF is
 * stored as LF, as delivery agents do.  -1: ENOSPC, EDQUOT, EIO... */
int maildir_delivery_message(struct maildir_delivery *delivery, const struct maildir_label *label);
int maildir_delivery_write(struct maildir_delivery *delivery, const void *octets, size_t len);

/*
 * A message of another folder (or of the same) as it is there, its flags and date with it: a link
 * where the file system has it, else a copy.  keywords: its own, as the folder it goes to numbers them.
 * ENOENT: it is gone.
 */
int maildir_delivery_copy(struct maildir_delivery *delivery, struct maildir_folder *from,
    uint32_t uid, uint64_t keywords);

/*
 * The same, but the link is made with maildir_delivery_commit only, straight into the folder.  It fails with
 * ESTALE when one of the set cannot be linked from where it was known to be: then the whole set is to be
 * begun anew with maildir_delivery_copy.  from, one for all of the set, stays open until then.
 */
int maildir_delivery_link(struct maildir_delivery *delivery, struct maildir_folder *from,
    uint32_t uid, uint64_t keywords);

/*
 * Puts the whole set on disk: files fsynced, in cur/ (or new/), UIDs in dovecot-uidlist, the
 * directories fsynced.  The UIDs rise in the order of the set; *uids_r (one for each message) belongs
 * to the delivery.  -1: nothing of it is in the folder.
 */
int maildir_delivery_commit(
    struct maildir_delivery *delivery, uint32_t *uidvalidity_r, const uint32_t **uids_r);

/* Whether all files written have the date of their label.  false: the file system, or the calendar of INTERNALDATE
 * (see maildir_date), has a nearer one. */
bool maildir_delivery_dates_kept(const struct maildir_delivery *delivery);

/* Frees it; of a set that was not committed nothing stays. */
void maildir_delivery_end(struct maildir_delivery **delivery);

#endif
