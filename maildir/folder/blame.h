/*
 * blame.h: which file stands in the way, when something has failed for lack of rights.
 */
#ifndef MAILDIR_FOLDER_BLAME_H
#define MAILDIR_FOLDER_BLAME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct maildir;
struct maildir_folder;

struct maildir_blame {
	char path[4096]; /* below the path that maildir_open was given */
	uid_t owner;
	mode_t mode;
	bool foreign; /* it belongs to another user than this process */
};

/* The first directory or file of ours, from the top, that this process cannot read and write.  false: none. */
bool maildir_blame(struct maildir *md, struct maildir_blame *blame_r);
/* A message's file, whatever is the matter with it.  false: it is not there. */
bool maildir_blame_message(
    struct maildir_folder *folder, uint32_t uid, struct maildir_blame *blame_r);

/* What stands in a folder or the Maildir beside messages, of our own and of Dovecot's; ends with NULL. */
extern const char *const folder_files[];

#endif
