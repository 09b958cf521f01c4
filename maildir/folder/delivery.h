/*
 * delivery.h: a delivery, as deliver_fill.c fills it with messages and deliver.c commits it.
 */
#ifndef MAILDIR_FOLDER_DELIVERY_H
#define MAILDIR_FOLDER_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "maildir/base/name.h"
#include "maildir/folder/folder.h"
#include "maildir/folder/sync.h"

struct maildir_delivery {
	struct maildir_folder *folder;
	struct maildir_folder *from; /* the folder from which commit links messages, or NULL */
	struct delivery_set set;
	size_t room;
	uint32_t *uids;
	int tmp;	/* the directory tmp/ */
	int fd;		/* file of the set's last message while it is written, or -1 */
	time_t date;	/* of that message */
	bool date_lost; /* see maildir_delivery_dates_kept */
	bool held;	/* a CR came last, and is not written yet */
	bool doubled;	/* another CR came before it */
	bool after_cr;	/* the last octet that was written is CR */
	int error;	/* errno of the first failure, after which nothing can be committed; or 0 */
};

/* Notes errno as the reason why the set cannot be committed.  Returns -1. */
int delivery_fail(struct maildir_delivery *d);
/* Ends the message that is being written, if there is one.  -1: it or another message has failed. */
int delivery_finish(struct maildir_delivery *d);

/* The name that a message has in tmp/. */
void delivered_base(const struct delivered *message, char base_r[NAME_SIZE]);
void delivered_clear(struct delivered *message);

/* Returns whether an error of linkat(2) means that the file must be copied: the file cannot have (more) links here. */
bool link_impossible(int error);

#endif
