/*
 * folders.h: where the folders of a Maildir lie.
 */
#ifndef MAILDIR_FOLDER_FOLDERS_H
#define MAILDIR_FOLDER_FOLDERS_H

#include <stdbool.h>
#include <stddef.h>

#include "maildir/folder/foldername.h"

struct maildir;

/* A folder's name, and its directory in the Maildir: "." for INBOX. */
struct place {
	char name[FOLDERNAME_SIZE], path[FOLDERNAME_SIZE];
};

/* The place that a folder has when it is made.  EINVAL: the text can be no name. */
int place_of(const char *text, struct place *place_r);

/*
 * The descriptor of a folder that there is, and its place, which may be a directory of another spelling.
 * ENOENT: there is none, and place_r is as place_of gives it; EINVAL.
 */
int place_find(struct maildir *md, const char *text, struct place *place_r);

/* Whether the directory is a folder, and not somebody's .cache: it has cur, new, tmp or maildirfolder. */
bool folder_is_one(int fd, const char *path);

/* All directories that are folders, by name, INBOX first. */
struct folder_list {
	struct folder_entry {
		char *name, *path;
		bool own;    /* the directory is spelled as the name */
		bool hidden; /* the directory before it has the same name, and is the folder */
	} * entry;
	size_t count, room;
};

int folder_list_read(struct maildir *md, struct folder_list *list_r);
void folder_list_clear(struct folder_list *list);

#endif
