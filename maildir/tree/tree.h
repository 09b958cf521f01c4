/*
 * tree.h: deletes and renames folders of a Maildir, and keeps the user's subscriptions and the special uses of folders.
 * Names are as in maildir.h ("INBOX", "Sub/Folder").
 *
 * Functions that return int give 0, or -1 with errno set.
 */
#ifndef MAILDIR_TREE_TREE_H
#define MAILDIR_TREE_TREE_H

#include <stdbool.h>

struct maildir;

/* Returns whether there is a folder of that name.  false: ENOENT, or EINVAL if no folder can have the name. */
bool maildir_folder_exists(struct maildir *md, const char *name);

/*
 * Removes the folder with its messages; folders below it stay.  -1: ENOENT; EINVAL for INBOX.  If the process is killed
 * at any moment, the folder is there whole or gone.  Its files lie aside, under a name that no folder can have, until
 * maildir_clear_deleted removes them, which may take long.
 */
int maildir_folder_delete(struct maildir *md, const char *name);
/* Removes the files that deletes have set aside, also deletes of processes that were killed. */
void maildir_clear_deleted(struct maildir *md);

/*
 * Renames the folder and the folders below it.  Missing parents are not made.  INBOX stays, empty, with the folders
 * below it: only its messages move to the new folder (RFC 3501 section 6.3.5).  -1: EEXIST, the new name or a name
 * below it is taken; ENOENT; EINVAL, no folder can have the name, or the folder would come to lie below itself.
 * Several directories cannot be renamed at once: if the process is killed, some folders have their new names, and no
 * folder is lost.
 */
int maildir_folder_rename(struct maildir *md, const char *from, const char *to);

/*
 * Calls each(ctx, name) for every name in Dovecot's file subscriptions, in its order, until each returns false.  A
 * folder need not exist to be subscribed.
 */
int maildir_subscriptions(struct maildir *md, bool (*each)(void *ctx, const char *name), void *ctx);
/*
 * Adds the name to the file, or with yes false removes it.  -1: EINVAL, no folder can have the name; ENOSPC, ENOLCK...
 */
int maildir_subscribe(struct maildir *md, const char *name, bool yes);

/*
 * Special uses (RFC 6154) that clients gave to folders, such as "\\Sent".  The file sallyport.special-use has a line
 * "\Sent Sub/Folder" for each.  A rename changes the line, and a delete removes it.
 */
int maildir_special_uses(
    struct maildir *md, bool (*each)(void *ctx, const char *use, const char *name), void *ctx);
int maildir_special_use_set(struct maildir *md, const char *use, const char *name);

#endif
