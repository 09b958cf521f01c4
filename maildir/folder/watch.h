/*
 * watch.h: reports changes of a folder, as inotify(7) tells them.
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

/* Stops watching.  The instance stays for the next folder, since the kernel takes 16 ms to close one. */
void maildir_watch_pause(struct maildir_watch *watch);
void maildir_watch_close(struct maildir_watch **watch);

/* Returns the descriptor to poll for POLLIN. */
int maildir_watch_fd(const struct maildir_watch *watch);

/* Takes the events that wait.  Returns whether the folder may have changed. */
bool maildir_watch_take(struct maildir_watch *watch);

/* --- what it knows of cur/, for a sync --- */

/* cur/ with these times is as the index has it.  Forgets all names, and remembers those that come or go from now on. */
void watch_verified(struct maildir_watch *watch, const struct file_stamp *cur);

/*
 * Reads the queue to its end.  Returns true if the watch knows all names that came to cur/ or left it between
 * watch_verified and this call.  cur: the times of cur/, just read.  Returns false if they are another directory's.
 */
bool watch_knows(struct maildir_watch *watch, const struct file_stamp *cur);
/* Gives the name at place n, from 0.  *there_r: it is in cur/ now.  NULL: there are no more names. */
const char *watch_name(const struct maildir_watch *watch, size_t n, bool *there_r);
/* A look begins: it will see the changes of all events that earlier looks have taken. */
void watch_look_begins(struct maildir_watch *watch);
/* Returns whether the last look has taken an event of a change that it may not have seen. */
bool watch_has_more(const struct maildir_watch *watch);

#endif
