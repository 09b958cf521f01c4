/*
 * source.c: messages of a folder for message/, which knows no folder.
 * Runs as: mail user.
 */
#include <errno.h>

#include "maildir/folder/folder.h"
#include "maildir/folder/source.h"
#include "maildir/maildir.h"
#include "maildir/message/mime.h"
#include "maildir/message/search.h"

static ssize_t
source_read(void *ctx, void *buf, size_t size)
{
	struct folder_source *source = ctx;
	ssize_t n;

	if (source->reader == NULL &&
	    maildir_reader_open(source->folder, source->uid, &source->reader) < 0)
		return -1;
	n = maildir_reader_read(source->reader, buf, size);
	if (n > 0)
		source->position += (uint64_t)n;
	return n;
}

static int
source_seek(void *ctx, uint64_t at)
{
	struct folder_source *source = ctx;

	if (source->reader != NULL && source->position > at)
		maildir_reader_close(&source->reader);
	if (source->reader == NULL) {
		source->position = 0;
		if (maildir_reader_open(source->folder, source->uid, &source->reader) < 0)
			return -1;
	}
	if (source->position < at && maildir_reader_skip(source->reader, at - source->position) < 0)
		return -1;
	source->position = at;
	return 0;
}

static bool
source_stopped(void *ctx, size_t octets)
{
	const struct folder_source *source = ctx;

	return maildir_stopped(source->folder->home.md, octets);
}

void
folder_source_init(struct folder_source *source, struct maildir_folder *folder, uint32_t uid)
{
	*source = (struct folder_source){
	    .source = {source, source_read, source_seek, source_stopped},
	    .folder = folder,
	    .uid = uid,
	};
}

uint64_t
folder_source_file_size(const struct folder_source *source)
{
	return reader_file_size(source->reader);
}

void
folder_source_close(struct folder_source *source)
{
	int saved = errno;

	maildir_reader_close(&source->reader);
	errno = saved;
}

int
maildir_mime(struct maildir_folder *folder, uint32_t uid, struct mime **mime_r)
{
	struct folder_source source;
	int r;

	folder_source_init(&source, folder, uid);
	r = mime_read(&source.source, mime_r);
	folder_source_close(&source);
	return r;
}

int
maildir_search(
    struct maildir_folder *folder, uint32_t uid, struct search_question *matches, size_t count)
{
	struct folder_source source;
	int r;

	folder_source_init(&source, folder, uid);
	r = search_message(&source.source, matches, count);
	folder_source_close(&source);
	return r;
}
