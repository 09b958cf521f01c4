/*
 * reader.h: reads the octets of a message from its file, wherever the file is now.
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
 * Counts octets that were read or looked at, and returns whether to give up reading messages (maildir_on_stop).  errno
 * is ECANCELED then.
 */
bool maildir_stopped(struct maildir *md, size_t octets);

/*
 * Opens a message's file, wherever it is now, and returns its descriptor.  *message is brought up to date.  -1: errno
 * as maildir_size has it; a notice has reported the message.
 */
int message_open(struct maildir_folder *folder, struct index_message *message, struct stat *st_r);
/*
 * Reads the next octets of the file, READ_SIZE at most.  left: how many the file still has, more than 0.  -1: ECANCELED
 * after maildir_stopped; EIO if another program has shortened the file.
 */
ssize_t message_read(struct maildir *md, int fd, char *buf, uint64_t left);
/* Reports once for each message that it cannot be read, and why: errno, which stays as it is. */
void message_notice(struct maildir_folder *folder, const struct index_message *message);

/* Returns how many LFs in data have no CR before them.  *after_cr carries over to the next piece of the message. */
uint64_t wire_added(const char *data, size_t len, bool *after_cr);

/* Does what maildir_reader_open does, for a message that was looked up already. */
int reader_new(
    struct maildir_folder *folder, struct index_message *message, struct maildir_reader **reader_r);
/* Returns how many octets the file had when it was opened. */
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
