/*
 * file.h: calls on files and directories: open, read whole, write whole, move, replace.
 *
 * The second half is about our files and Dovecot's, which lie beside the messages.  Any program may have left
 * anything under their names: a directory, a FIFO, a link, a file of another user.  We never write into a file that
 * may have a name elsewhere, and we keep what is in the way.
 *
 * Functions return -1 with errno set on errors, and 0 on success if the comment says nothing else.
 */
#ifndef MAILDIR_BASE_FILE_H
#define MAILDIR_BASE_FILE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct maildir;
struct mddir;
struct mdbuf;
struct stat;

/* For the ways out of a function that has failed: errno stays as it was, errors are ignored, and fd may be -1. */
void close_keeping_errno(int fd);
void unlink_keeping_errno(int dirfd, const char *name);

/* Opens a directory, never through a symbolic link.  Returns its descriptor. */
int file_open_dir(int dirfd, const char *name);
/* Opens a directory to read its names; "." is dirfd itself.  *fd_r, if fd_r is not NULL: the result's descriptor. */
DIR *file_read_dir(int dirfd, const char *name, int *fd_r);
/*
 * Calls each(ctx, entry) for every name in a directory but "." and "..", until each returns something else than 0.
 * Returns that, or 0 after the last name, or -1 if the directory cannot be opened or read.
 */
int file_each_entry(
    int dirfd, const char *name, int (*each)(void *ctx, const struct dirent *entry), void *ctx);

/* Opens a file for reading.  Returns its descriptor; EINVAL if it is no regular file. */
int file_open_regular(int dirfd, const char *name, struct stat *st_r);
/* Reads all of a file.  EFBIG if it has more than max octets.  *data_r is malloc'd. */
int file_read_all(int fd, size_t max, char **data_r, size_t *size_r);
/* Opens a file as file_open_regular and reads it as file_read_all. */
int file_read(
    int dirfd, const char *name, size_t max, char **data_r, size_t *size_r, struct stat *st_r);
/*
 * Reads the next octets of a file of which left, more than 0, were counted when it was opened: READ_SIZE at most.
 * Returns how many, never 0; EIO if the file has become shorter.
 */
ssize_t file_read_piece(int fd, void *buf, uint64_t left);
/* Reads up to size octets.  Returns how many; they are fewer at the end of the file only. */
ssize_t file_pread_all(int fd, void *buf, size_t size, off_t at);
int file_write_all(int fd, const void *data, size_t size);
int file_pwrite_all(int fd, const void *data, size_t size, off_t at);

/*
 * Locks one octet of the file (F_RDLCK, F_WRLCK) for this open file description, or unlocks it (F_UNLCK).  Does not
 * wait: EAGAIN if another description has the lock.
 */
int file_lock(int fd, short type, off_t octet);

/*
 * Whether an error means that nothing can be written here now, for lack of room or of rights: EROFS, EACCES,
 * EPERM, ENOSPC, EDQUOT.  The file may still be readable.
 */
bool error_forbids_writing(int error);

/*
 * Renames, but never onto an existing name (EEXIST).  On a file system without RENAME_NOREPLACE it makes a link
 * and removes the old name.  If the process dies between the two the file has both names, which sync.c expects.
 */
int file_move(int from, const char *old, int to, const char *new);

/* --- our files and Dovecot's --- */

/*
 * Opens a file for reading and writing; flags: O_APPEND, O_CREAT.  Returns its descriptor; EINVAL if it is no regular
 * file, or has other names too.
 */
int file_open(int dirfd, const char *name, int flags, struct stat *st_r);

/* Removes what lies under a name that only we use.  A directory that is not empty is set aside instead. */
void file_clear(int dirfd, const char *tmp);

/* Makes an empty file under such a name, in place of what a dead process has left there.  Returns its descriptor. */
int file_make(int dirfd, const char *tmp);

/*
 * Makes such a file with that text, and flushes it to the disk.  It gets the mode and the group of name, the file that
 * it is to replace, where that is allowed.
 */
int file_write(int dirfd, const char *tmp, const char *name, const struct mdbuf *text);

/*
 * Renames tmp to name.  A file of that name is replaced; a directory, and with keep anything, is set aside.  Afterwards
 * there is no tmp, also on errors.
 */
int file_place(struct maildir *md, int dirfd, const char *tmp, const char *name, bool keep);

/* Replaces a file by file_write and file_place.  All of it is on the disk when this returns. */
int file_replace(
    struct maildir *md, int dirfd, const char *tmp, const char *name, const struct mdbuf *text);

/*
 * Appends the text to an open file of that size, all of it or nothing.  It is on the disk when this returns.  dir and
 * name are for a notice.
 */
int file_append(
    const struct mddir *dir, const char *name, int fd, off_t size, const struct mdbuf *text);

/*
 * Takes what cannot be used out of the way, and gives a notice: renames it to "<name>.odd" or the like, or removes it
 * if it is a FIFO or a link that cannot be renamed.
 */
int file_set_aside(struct maildir *md, int dirfd, const char *name);

/*
 * Whether the directory belongs to this process's user.  Only there an unusable file is set aside: users who share a
 * directory would set aside each other's files for ever.
 */
bool file_dir_is_ours(int dirfd);

/* Gives a notice that a file cannot be used because of error, once in a session for each file. */
void file_notice(struct maildir *md, int dirfd, const char *name, int error);

/*
 * Reads a file that the Maildir has for all its folders, such as subscriptions.  A missing file is an empty one.  EIO,
 * after a notice, if it is no regular file or has more than max octets.  *text_r is malloc'd.
 */
int file_read_root(struct maildir *md, const char *name, size_t max, char **text_r, size_t *size_r);

#endif
