/*
 * root.h: the open Maildir as all rooms know it.
 */
#ifndef MAILDIR_BASE_ROOT_H
#define MAILDIR_BASE_ROOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct folder_list;
struct maildir;
struct maildir_folder;
struct mddir;
struct mdtext;

/* Files that a session's notices name as unusable; more would only bury the log. */
#define NOTICED_MAX 16

/* One read(2): large enough that a common message is one call. */
#define READ_SIZE (64 * 1024)

/*
 * What another server kept of a Maildir, as a room above folder/ imports it.  folder is called once, before a folder
 * without dovecot-uidlist and without a record is synced, under the folder's lock and dovecot-uidlist.lock: it returns 1
 * if it wrote a dovecot-uidlist, 0 if there is nothing to import.  subscriptions writes what a missing file
 * subscriptions would say, or nothing.
 */
struct maildir_import {
	int (*folder)(struct maildir_folder *folder);
	int (*subscriptions)(struct maildir *md, struct mdtext *out);
};

struct maildir {
	int fd;
	char *path;	 /* as the caller gave it; inotify takes no descriptors of directories */
	char *host;	 /* names this process to other programs, with its pid */
	uint64_t unique; /* counts the unique names that this process made */
	uint64_t seed;	 /* of hash tables */
	uint64_t noticed[NOTICED_MAX]; /* hashes of the files that file_notice has named */
	struct mddir *dirs; /* directories of the folders that are open: see mdlock_take */
	void (*notice)(void *ctx, const char *text);
	void *ctx;
	char *buffer;		 /* READ_SIZE octets, for whoever reads a file at a time */
	bool (*stop)(void *ctx); /* see maildir_on_stop */
	void *stop_ctx;
	size_t work; /* octets read since stop was asked */
	bool stopped;
	struct folder_list *aliases; /* folders whose directories are spelled in another way */
	const struct maildir_import *import; /* see courier_import; or NULL */
	unsigned hidden_told;		     /* notices of hidden directories that were given */
};

/* Gives the caller of the library a line for the log.  errno stays as it was. */
void root_notice(struct maildir *md, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
