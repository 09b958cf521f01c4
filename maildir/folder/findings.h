/*
 * findings.h: keeps what this session found out about messages by reading them, until it is saved in the index.
 *
 * A finding (struct index_finding) is of one message: its size, its date, its texts, or that it cannot be read.
 */
#ifndef MAILDIR_FOLDER_FINDINGS_H
#define MAILDIR_FOLDER_FINDINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "maildir/index/index.h"

struct maildir_folder;
struct findings;

/* Adds a finding to earlier findings of that message.  It is lost if memory is short. */
void findings_add(struct maildir_folder *folder, const struct index_finding *finding);
/* Gives all findings of a message that are not in the index yet.  Returns false if there are none. */
bool findings_of(
    const struct maildir_folder *folder, uint32_t uid, struct index_finding *finding_r);
/* Adds a finding with the texts of its message; len: as summaries_put. */
void findings_add_texts(struct maildir_folder *folder, struct index_finding *finding,
    const char *const text[MAILDIR_TEXTS], const uint32_t len[MAILDIR_TEXTS]);
/* Returns whether there are so many findings that they should be saved now. */
bool findings_are_many(const struct maildir_folder *folder);
/* Saves the findings as maildir_save_findings promises. */
bool findings_save(struct maildir_folder *folder);

void findings_free(struct findings **findings);

#endif
