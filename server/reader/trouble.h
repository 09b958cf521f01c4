/*
 * trouble.h: logs a failure in a Maildir: path, owner, mode, and a command that may help.
 */
#ifndef SERVER_READER_TROUBLE_H
#define SERVER_READER_TROUBLE_H

#include <stddef.h>
#include <stdint.h>

struct auth_account;
struct maildir;
struct maildir_folder;

/* Whose mail it is, and the failures that a session has logged: each thing is logged once with each error. */
struct trouble {
	const char *protocol; /* its name; borrowed, as all here */
	const struct auth_account *account;
	const char *path;	 /* of the Maildir, by the configuration */
	const char *inside;	 /* the same, as this process sees it */
	struct maildir *maildir; /* NULL: it is not open yet */
	struct {
		const char *what; /* a literal */
		int error;
	} logged[16]; /* more kinds than a session meets */
	size_t count;
};

/* Logs that what (a literal) failed, with its errno.  Keeps errno. */
void trouble_log(struct trouble *trouble, const char *what, int error);
/* The same for that many messages; uid is that of one. */
void trouble_messages(struct trouble *trouble, const char *what, int error,
    struct maildir_folder *folder, uint32_t uid, size_t messages);
/* Logs that the Maildir itself cannot be made or opened. */
void trouble_maildir(const struct trouble *trouble, const char *what, int error);

#endif
