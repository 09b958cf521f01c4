/*
 * tree.h: changes to the folders of a Maildir, and what is kept about them in the Maildir itself:
 * subscriptions and special uses.  Names as in maildir.h ("INBOX", "Sub/Folder").
 *
 * Functions that return int give 0, or -1 with errno set.
 */
#ifndef MAILDIR_TREE_TREE_H
#define MAILDIR_TREE_TREE_H

#include <stdbool.h>

struct maildir;

/* Whether there is such a folder.  EINVAL when there cannot be one. */
bool maildir_folder_exists(struct maildir *md, const char *name);

/*
 * Removes the folder with its messages; folders below it stay.  ENOENT; EINVAL for INBOX.  Killed
 * anywhere, it is there whole or gone.  Its files lie aside under a name that is no folder's until
 * maildir_clear_deleted removes them, which may take long.
 */
int maildir_folder_delete(struct maildir *md, const char *name);
/* Removes what deletes have set aside, also those whose process died before. */
void maildir_clear_deleted(struct maildir *md);

/*
 * Renames the folder and those below it; parents that are missing are not made.  INBOX: its messages
 * move to the new folder, and it stays, empty; what is below it stays too (RFC 3501 section 6.3.5).
 * EEXIST: the new name is taken, or one of those below; ENOENT; EINVAL: names that cannot be, or a
 * folder that would come to lie below itself.  Several directories cannot be renamed at once: killed
 * in the middle some have their new names, none is lost.
 */
int maildir_folder_rename(struct maildir *md, const char *from, const char *to);

/* The names in the file subscriptions (Dovecot's, written whole and renamed), in its order; a
 * folder need not exist. */
int maildir_subscriptions(struct maildir *md, bool (*each)(void *ctx, const char *name), void *ctx);
int maildir_subscribe(struct maildir *md, const char *name, bool yes);

/*
 * Special uses (RFC 6154) that clients gave to folders, "\\Sent" and so on, kept in the file
 * sallyport.special-use, a line "\Sent Sub/Folder" each; they follow a rename and end with a delete.
 */
int maildir_special_uses(
    struct maildir *md, bool (*each)(void *ctx, const char *use, const char *name), void *ctx);
int maildir_special_use_set(struct maildir *md, const char *use, const char *name);

#endif
