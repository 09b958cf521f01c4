/*
 * source.h: a message of a folder as a row of octets, for those who read messages and know no folder.
 */
#ifndef MAILDIR_FOLDER_SOURCE_H
#define MAILDIR_FOLDER_SOURCE_H

#include <stdint.h>

#include "maildir/message/source.h"

struct maildir_folder;
struct maildir_reader;

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
