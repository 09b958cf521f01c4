/*
 * trouble.h: logs a failure in a Maildir: path, owner, mode, and a command that may help.
 */
#ifndef SERVER_READER_TROUBLE_H
#define SERVER_READER_TROUBLE_H

#include <stddef.h>
#include <stdint.h>

struct maildir_folder;
struct reader;

/* The failures that a session has logged: each thing is logged once with each error. */
struct trouble {
	struct {
		const char *what; /* a literal */
		int error;
	} told[16]; /* more kinds than a session meets */
	size_t count;
};

/* Logs that what (a literal) failed, with its errno.  Keeps errno. */
void trouble(struct reader *reader, const char *what, int error);
/* The same for that many messages; uid is that of one. */
void trouble_messages(struct reader *reader, const char *what, int error,
    struct maildir_folder *folder, uint32_t uid, size_t messages);
/* Logs that the Maildir itself cannot be made or opened. */
void trouble_maildir(const struct reader *reader, const char *what, int error);

#endif
