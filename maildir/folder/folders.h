/*
 * folders.h: the folders of a Maildir, and where they lie.
 */
#ifndef MAILDIR_FOLDER_FOLDERS_H
#define MAILDIR_FOLDER_FOLDERS_H

#include <stdbool.h>
#include <stddef.h>

#include "maildir/folder/foldername.h"

struct maildir;

/* A folder's name, and its directory as a path from the Maildir: "." for INBOX. */
struct place {
	char name[FOLDERNAME_SIZE], path[FOLDERNAME_SIZE];
};

/* Gives the place that a folder has when it is made.  -1: EINVAL, the text can be no name. */
int place_of(const char *text, struct place *place_r);

/*
 * Opens the directory of an existing folder and returns its descriptor.  The directory may be spelled otherwise
 * than the name.  -1: ENOENT, there is no such folder, and place_r is as place_of gives it; EINVAL.
 */
int place_find(struct maildir *md, const char *text, struct place *place_r);

/* "tmp", "new" and "cur", the directories that a folder consists of, in the order in which they are made. */
enum { FOLDER_PARTS = 3 };
extern const char *const folder_parts[FOLDER_PARTS];

/* Makes the missing parts of a folder.  Returns how many it has made, or -1. */
int folder_make_parts(int fd);

/* All directories that are folders, sorted by name; INBOX is the first. */
struct folder_list {
	struct folder_entry {
		char *name, *path;
		bool own;    /* the directory is spelled as the name */
		bool hidden; /* the entry before has the same name, and is the folder */
	} * entry;
	size_t count, room;
};

int folder_list_read(struct maildir *md, struct folder_list *list_r);
/* errno stays as it was. */
void folder_list_clear(struct folder_list *list);

#endif
