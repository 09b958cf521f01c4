/*
 * deliver_fill.h: what the two files of a delivery share.
 */
#ifndef MAILDIR_FOLDER_DELIVER_FILL_H
#define MAILDIR_FOLDER_DELIVER_FILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "maildir/base/name.h"
#include "maildir/folder/deliver.h"
#include "maildir/folder/folder.h"

struct maildir_delivery {
	struct maildir_folder *folder;
	struct maildir_folder *from; /* of messages that are to be linked, or NULL */
	struct delivery_set set;
	size_t room;
	uint32_t *uids;
	int tmp;
	int fd; /* the last message of the set is being written to it, or -1 */
	time_t date;
	bool date_lost; /* of some message: see maildir_delivery_dates_kept */
	bool held;	/* a CR came last, and is not written yet */
	bool doubled;	/* and another came before it */
	bool after_cr;	/* the last octet written was CR */
	int error;	/* errno of what failed: then nothing can be committed */
};

int delivery_fail(struct maildir_delivery *d);
void delivered_base(const struct delivered *message, char base_r[NAME_SIZE]);
int delivery_finish(struct maildir_delivery *d);
bool link_impossible(int error);

#endif
