/*
 * rootfile.h: small files that the Maildir itself holds for all of its folders, and the lock of the tree.
 */
#ifndef MAILDIR_BASE_ROOTFILE_H
#define MAILDIR_BASE_ROOTFILE_H

#include <stddef.h>

struct maildir;
struct mdtext;

/* Takes the lock on the tree of folders.  Returns its descriptor, or -1; closing it unlocks. */
int root_lock(struct maildir *md);
/* errno stays as it was. */
void root_unlock(int fd);

/* Reads a small file of the Maildir itself; a missing file is an empty one.  *text_r is malloc'd. */
int root_read(struct maildir *md, const char *name, size_t max, char **text_r, size_t *size_r);
/* Replaces such a file; it is on disk when this returns.  tmp: a name of our own. */
int root_replace(struct maildir *md, const char *name, const char *tmp, const struct mdtext *text);

#endif
