/*
 * learn.h: what is learned of messages by reading them, until it is in the index.
 */
#ifndef MAILDIR_FOLDER_LEARN_H
#define MAILDIR_FOLDER_LEARN_H

#include <stdbool.h>
#include <stdint.h>

#include "maildir/index/index.h"

struct maildir_folder;
struct learning;

/* Notes it; what was noted of the message before stays where this says nothing. */
void learn(struct maildir_folder *folder, const struct index_learned *learned);
/* That it cannot be read was told. */
void learn_unreadable(struct maildir_folder *folder, uint32_t uid);
/* What was noted of a message and is not in the index yet; false: nothing. */
bool learn_recall(
    const struct maildir_folder *folder, uint32_t uid, struct index_learned *learned_r);
/* Whether each message is going to be asked for all that there is. */
bool learn_expects_all(const struct maildir_folder *folder);
/* Reads all of a message once, and notes what it tells.  -1: as maildir_size. */
int learn_all(struct maildir_folder *folder, uint32_t uid, struct index_learned *learned_r);

void learning_free(struct learning **learning);

#endif
