/*
 * reader.h: the octets of a message: its file is opened wherever it is now, and read as it goes over the wire.
 */
#ifndef MAILDIR_FOLDER_READER_H
#define MAILDIR_FOLDER_READER_H

#include <stdint.h>
#include <sys/types.h>

#include "maildir/message/source.h"

struct index_message;
struct maildir_folder;
struct maildir_reader;

void message_notice(struct maildir_folder *folder, const struct index_message *message);
ssize_t message_read(struct maildir *md, int fd, char *buf, size_t size);
int reader_begin(
    struct maildir_folder *folder, struct index_message *message, struct maildir_reader **r);

struct folder_source {
	struct source source; /* points at this struct, which must stay where it is */
	struct maildir_folder *folder;
	uint32_t uid;
	struct maildir_reader *reader; /* opened by the first read; NULL until then */
	uint64_t position;	       /* of the reader */
};

/* Opens nothing yet; reading fails as maildir_reader_open and maildir_reader_read. */
void folder_source_init(struct folder_source *source, struct maildir_folder *folder, uint32_t uid);
/* The size of its file; it was read. */
uint64_t folder_source_file_size(const struct folder_source *source);
/* errno stays. */
void folder_source_close(struct folder_source *source);

#endif
