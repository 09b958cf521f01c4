/*
 * own.h: changes of cur/ that are our own.
 *
 * They change its times, and must not make every session read the directory.  So who changes it compares
 * its times just before with those that the index has, and notes those after.  What another program did
 * between the two is not seen by that; so such times are believed for a second only, and then
 * the directory is looked through once, by one session for all.
 */
#ifndef MAILDIR_FOLDER_OWN_H
#define MAILDIR_FOLDER_OWN_H

#include <stdbool.h>

#include "maildir/index/index_record.h"

struct maildir_folder;

/* Whether times of our own changes are to be believed no longer. */
bool own_change_is_old(const struct index_state *state);
/* ms until then, at least 1. */
int own_change_left(const struct index_state *state);

/* Notes cur/'s times before a change; under the folder's lock. */
int own_change_begin(struct maildir_folder *folder);
/* Sets in state, a copy of the index's or a new one, how cur/ is after it. */
void own_change_end(struct maildir_folder *folder, struct index_state *state);

#endif
