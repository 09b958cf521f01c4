/*
 * root.h: the open Maildir, as all rooms know it.
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
struct mdbuf;

/* Notices of unusable files in a session; more would only bury the log. */
#define NOTICED_MAX 16

/* Octets of one read(2); most messages have fewer. */
#define READ_SIZE (64 * 1024)

/*
 * The importer of what another server kept of a Maildir, which is a room above folder/.  folder is called once,
 * before a folder without dovecot-uidlist and without a record is synced, under the folder's lock and
 * dovecot-uidlist.lock: it returns 1 if it wrote a dovecot-uidlist, 0 if there is nothing to import.  subscriptions
 * writes what a missing file subscriptions would say, or nothing.
 */
struct maildir_import {
	int (*folder)(struct maildir_folder *folder);
	int (*subscriptions)(struct maildir *md, struct mdbuf *out);
};

struct maildir {
	int fd;
	char *path;	 /* as the caller gave it; inotify takes no descriptors of directories */
	char *known_as;	 /* see maildir_known_as; or NULL */
	char *host;	 /* with the pid it names this process to other programs */
	uint64_t unique; /* how many unique names this process has made */
	uint64_t seed;	 /* of hash tables */
	uint64_t noticed[NOTICED_MAX]; /* hashes of the files that file_notice has named */
	struct mddir *dirs;	       /* of the open folders: see mdlock_take */
	void (*notice)(void *ctx, const char *text);
	void *ctx;
	char *buffer; /* READ_SIZE octets, for a function that reads or writes one file */
	bool (*stop)(void *ctx); /* see maildir_on_stop */
	void *stop_ctx;
	size_t work; /* octets that were read since stop was last called */
	bool stopped;
	struct folder_list *aliases; /* folders whose directories are spelled in another way */
	const struct maildir_import *import; /* see courier_import; or NULL */
	unsigned hidden_told;		     /* how many notices told of hidden directories */
};

/* Gives the program that uses the library a line for its log (maildir_on_notice).  errno stays as it was. */
void root_notice(struct maildir *md, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
