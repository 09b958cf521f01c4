/*
 * reader.h: the octets of a message, read from its file, wherever the file is now.
 */
#ifndef MAILDIR_FOLDER_READER_H
#define MAILDIR_FOLDER_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "maildir/message/source.h"

struct index_message;
struct maildir;
struct maildir_folder;
struct maildir_reader;
struct stat;

/*
 * Whether to give up reading messages (maildir_on_stop), after so many octets more were read or looked at.  errno is
 * ECANCELED then.
 */
bool maildir_stopped(struct maildir *md, size_t octets);

/*
 * Opens a message's file, wherever it is now, and returns its descriptor.  message becomes what it is now.  -1:
 * errno as maildir_size, after a notice.
 */
int message_open(struct maildir_folder *folder, struct index_message *message, struct stat *st_r);
/*
 * Reads the next octets of the file, of which left, more than 0, are left: READ_SIZE at most.  -1: errno; ECANCELED
 * after maildir_stopped, EIO if another program has shortened the file.
 */
ssize_t message_read(struct maildir *md, int fd, char *buf, uint64_t left);
/* Gives a notice, once for each message, that it cannot be read because of errno, which stays as it is. */
void message_notice(struct maildir_folder *folder, const struct index_message *message);

/* Counts the LFs in data without a CR before them.  *after_cr carries over to the next piece of the message. */
uint64_t wire_added(const char *data, size_t len, bool *after_cr);

/* As maildir_reader_open, for a message that was looked up already. */
int reader_new(
    struct maildir_folder *folder, struct index_message *message, struct maildir_reader **reader_r);
/* Octets of the file, when it was opened. */
uint64_t reader_file_size(const struct maildir_reader *reader);

/* A message as message/ reads one. */
struct folder_source {
	struct source source; /* points at this struct, which must stay where it is */
	struct maildir_folder *folder;
	uint32_t uid;
	struct maildir_reader *reader; /* the first read opens it; NULL until then */
	uint64_t position;	       /* of the reader */
};

/* Opens nothing yet.  Reads fail as maildir_reader_open and maildir_reader_read do. */
void folder_source_init(struct folder_source *source, struct maildir_folder *folder, uint32_t uid);
/* errno stays as it was. */
void folder_source_close(struct folder_source *source);

#endif
