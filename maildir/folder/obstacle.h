/*
 * obstacle.h: finds the file or directory that this process has no right to use, after something has failed for it.
 */
#ifndef MAILDIR_FOLDER_OBSTACLE_H
#define MAILDIR_FOLDER_OBSTACLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct maildir;
struct maildir_folder;

struct maildir_obstacle {
	char path
	    [4096]; /* begins with the path that maildir_known_as was given, or else maildir_open */
	uid_t owner;
	mode_t mode;  /* the permission bits */
	bool foreign; /* another user than that of this process owns it */
};

/* Gives the first directory or file, from the top, that this process cannot read and write.  false: there is none. */
bool maildir_obstacle(struct maildir *md, struct maildir_obstacle *obstacle_r);
/* Gives a message's file, whatever its rights are.  false: the message or its file is not there. */
bool maildir_message_file(
    struct maildir_folder *folder, uint32_t uid, struct maildir_obstacle *file_r);

/* The files beside the messages in a folder or the Maildir, ours and Dovecot's; ends with NULL. */
extern const char *const folder_files[];

#endif
