/*
 * texts.h: reads the texts and the size of a message from its file.
 */
#ifndef MAILDIR_FOLDER_TEXTS_H
#define MAILDIR_FOLDER_TEXTS_H

#include <stdbool.h>
#include <stdint.h>

struct index_finding;
struct maildir_folder;

/* Returns whether all of each message will be asked for, as maildir_expect_all was told. */
bool folder_texts_expect_all(const struct maildir_folder *folder);
/*
 * Reads all of a message and adds its size and its texts to the findings.  finding_r has its size.  -1: as
 * maildir_size.
 */
int folder_texts_read(struct maildir_folder *folder, uint32_t uid, struct index_finding *finding_r);

/* Forgets the texts of the message that was read last, since it may have another file now. */
void folder_texts_forget(struct maildir_folder *folder);
void folder_texts_free(struct maildir_folder *folder);

#endif
