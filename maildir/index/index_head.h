/*
 * index_head.h: what sallyport.log and sallyport.texts begin with, and how such a file is made: by a process that
 * has the folder's lock, whole and in its place at once.
 */
#ifndef MAILDIR_INDEX_INDEX_HEAD_H
#define MAILDIR_INDEX_INDEX_HEAD_H

#include <stdbool.h>
#include <stdint.h>

struct maildir;

/* The files of an index, and what each is called until it is in its place. */
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
	uint64_t check; /* of what is before it */
};

struct index_kind {
	const char *name, *tmp;
	char magic[8];
	uint32_t version;
};

/* The one with that id, for reading and writing; *more_r: there is something behind its head.  -1: ENOENT, or
 * EINVAL: it is another's, or damaged. */
int index_file_open(int dirfd, const struct index_kind *kind, uint64_t id, bool *more_r);

/* An empty one with that id in place of any other; its descriptor, or -1. */
int index_file_create(struct maildir *md, int dirfd, const struct index_kind *kind, uint64_t id);

#endif
