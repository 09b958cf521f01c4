/*
 * watch.h: hearing of changes to a folder, by inotify(7).
 */
#ifndef MAILDIR_FOLDER_WATCH_H
#define MAILDIR_FOLDER_WATCH_H

#include <stdbool.h>

struct maildir_folder;
struct maildir_watch;

/*
 * Watches cur/ and new/, and the folder's own files.  *watch: NULL, or an instance that watches nothing now.
 * -1: the system has none to give (EMFILE, ENOSPC, ENOSYS): then one must look now and then.
 */
int maildir_watch_open(struct maildir_folder *folder, struct maildir_watch **watch);

/* Watches nothing more, and keeps the instance for the next folder: to close it takes the kernel 16 ms. */
void maildir_watch_pause(struct maildir_watch *watch);
void maildir_watch_close(struct maildir_watch **watch);

/* To be polled for POLLIN. */
int maildir_watch_fd(const struct maildir_watch *watch);

/* Takes what is there to read, without waiting.  Whether something may have changed. */
bool maildir_watch_take(struct maildir_watch *watch);

#endif
