/*
 * index_head.h: the first octets of sallyport.log and sallyport.texts, and how such a file is opened and made.  A
 * process that has the folder's lock makes the file under another name and moves it to its place.
 */
#ifndef MAILDIR_INDEX_INDEX_HEAD_H
#define MAILDIR_INDEX_INDEX_HEAD_H

#include <stdint.h>

struct maildir;

/* The files of an index, and the name of each while it is made. */
#define SNAPSHOT_NAME  "sallyport.index"
#define SNAPSHOT_TMP   "sallyport.index.tmp"
#define LOG_NAME       "sallyport.log"
#define LOG_TMP	       "sallyport.log.tmp"
#define SUMMARIES_NAME "sallyport.texts"
#define SUMMARIES_TMP  "sallyport.texts.tmp"

struct index_head {
	char magic[8];
	uint32_t version, byte_order;
	uint64_t id;	/* of the snapshot that it belongs to, or that the snapshot names */
	uint64_t check; /* of the octets before it */
};

struct index_kind {
	const char *name, *tmp;
	char magic[8];
	uint32_t version;
};

/* Opens the file for reading and, if possible, writing; returns its descriptor.  *size_r is its size in octets.  -1:
 * ENOENT, or EINVAL if its id is not that one or its head is damaged. */
int index_file_open(int dirfd, const struct index_kind *kind, uint64_t id, uint64_t *size_r);

/* Makes an empty file with that id in place of any other; returns its descriptor, or -1. */
int index_file_create(struct maildir *md, int dirfd, const struct index_kind *kind, uint64_t id);

#endif
