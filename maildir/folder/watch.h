/*
 * watch.h: hearing of changes to a folder, by inotify(7).
 */
#ifndef MAILDIR_FOLDER_WATCH_H
#define MAILDIR_FOLDER_WATCH_H

#include <stdbool.h>

struct file_stamp;
struct maildir_folder;
struct maildir_watch;

/*
 * Watches cur/ and new/, and the folder's own files.  *watch: NULL, or an instance that watches nothing now.
 * -1: the system has no instance to give (EMFILE, ENOSPC, ENOSYS): then the caller must look now and then.
 */
int maildir_watch_open(struct maildir_folder *folder, struct maildir_watch **watch);

/* Watches nothing more, and keeps the instance for the next folder: to close it takes the kernel 16 ms. */
void maildir_watch_pause(struct maildir_watch *watch);
void maildir_watch_close(struct maildir_watch **watch);

/* To be polled for POLLIN. */
int maildir_watch_fd(const struct maildir_watch *watch);

/* Takes what is there to read, without waiting.  Whether something may have changed. */
bool maildir_watch_take(struct maildir_watch *watch);

/* --- what it knows of cur/, for a sync --- */

/* The files of cur/ with these times are those of the index: names that were heard of before are forgotten. */
void watch_verified(struct maildir_watch *watch, const struct file_stamp *cur);

/*
 * Reads the queue to its end.  Returns true if the watch knows all names that came to cur/ or left it between
 * watch_verified and this call.  Returns false also if cur, the times just read, are those of another directory.
 */
bool watch_knows(struct maildir_watch *watch, const struct file_stamp *cur);
/* Those names, n from 0; *there_r: it is in cur/ now.  NULL: there are no more. */
const char *watch_name(const struct maildir_watch *watch, size_t n, bool *there_r);
/* A look begins: it will see the changes of all events that earlier looks have taken. */
void watch_look_begins(struct maildir_watch *watch);
/* Returns whether the last look has taken an event of a change that it may not have seen. */
bool watch_has_more(const struct maildir_watch *watch);

#endif
