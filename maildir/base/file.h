/*
 * file.h: calls on files and directories: opened, read whole, written whole, moved, replaced.
 *
 * The second half is about files of ours and Dovecot's that lie beside the messages.
 * Any program may have left anything under their names: a directory, a FIFO, a link, a file of another user.
 * Nothing is written into a file that may be somewhere else as well, and what is in the way is kept.
 */
#ifndef MAILDIR_BASE_FILE_H
#define MAILDIR_BASE_FILE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct maildir;
struct mdtext;
struct stat;

/* Opens a directory below, never through a symbolic link. */
int file_open_dir(int dirfd, const char *name);
/* The same, to read its names; "." names dirfd itself.  *fd_r, if not NULL: the result's descriptor. */
DIR *file_read_dir(int dirfd, const char *name, int *fd_r);
/* Opens for reading what may be anything: EINVAL unless it is a regular file. */
int file_open_regular(int dirfd, const char *name, struct stat *st_r);
/* Reads all of a file, at most max octets (else EFBIG); *data_r is malloc'd. */
int file_read_all(int fd, size_t max, char **data_r, size_t *size_r);
/* Opens a regular file, and reads all of it as file_read_all.  -1: also as file_open_regular. */
int file_read(
    int dirfd, const char *name, size_t max, char **data_r, size_t *size_r, struct stat *st_r);
int file_write_all(int fd, const void *data, size_t size);
int file_pwrite_all(int fd, const void *data, size_t size, off_t at);
/* Reads up to size octets; fewer at the end of the file only. */
ssize_t file_pread_all(int fd, void *buf, size_t size, off_t at);

/*
 * Locks one octet of the file (F_RDLCK, F_WRLCK) for this open file description, or unlocks it (F_UNLCK), without
 * waiting.  -1: EAGAIN if another has it.
 */
int file_lock(int fd, short type, off_t octet);

/*
 * Whether an error says that nothing can be written here now, for lack of room or of rights: EROFS, EACCES,
 * EPERM, ENOSPC, EDQUOT.  What is there can be read all the same.
 */
bool error_bars(int error);

/*
 * Renames, but never onto an existing name (EEXIST).  Where the file system has no RENAME_NOREPLACE
 * it is link and unlink, and a death between leaves both names, which sync.c expects.
 */
int file_move(int from, const char *old, int to, const char *new);

/* --- files of ours and Dovecot's --- */

/*
 * Opens a file for writing; flags: O_APPEND, O_CREAT.  -1: EINVAL if it is no regular file, or one that has
 * other names too.
 */
int file_open(int dirfd, const char *name, int flags, struct stat *st_r);

/* Removes what lies under a name of our own, or renames a directory that holds something. */
void file_clear(int dirfd, const char *tmp);

/* Makes an empty file under a name of our own, in place of what a process that died has left there. */
int file_make(int dirfd, const char *tmp);

/* Makes it with that text, on disk, with the mode and the group of the file that it is to replace, where we may. */
int file_write(int dirfd, const char *tmp, const char *name, const struct mdtext *text);

/*
 * Puts it in its place.  A directory there, and with keep anything, is set aside.  Afterwards, also on errors,
 * there is no tmp.
 */
int file_place(struct maildir *md, int dirfd, const char *tmp, const char *name, bool keep);

/* Replaces a file with that text by way of tmp; it is on disk when this returns. */
int file_replace(
    struct maildir *md, int dirfd, const char *tmp, const char *name, const struct mdtext *text);

/* Appends all of the text, or nothing, to an open file of that size; it is on disk when this returns. */
struct mddir;
int file_append(
    const struct mddir *dir, const char *name, int fd, off_t size, const struct mdtext *text);

/* Renames what cannot be used to "<name>.odd" or the like, or removes a FIFO or a link; and gives a notice. */
int file_set_aside(struct maildir *md, int dirfd, const char *name);

/*
 * Whether the directory belongs to this process's user.  Only there a file that cannot be opened is set aside: users
 * who share a directory would take turns at it.
 */
bool file_dir_is_ours(int dirfd);

/* Gives a notice that a file cannot be used, once a session. */
void file_notice(struct maildir *md, int dirfd, const char *name, int error);

#endif
