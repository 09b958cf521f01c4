/*
 * trouble.h: what the log tells of a failure in a Maildir: path, owner, mode, and what to type.
 */
#ifndef SERVER_READER_TROUBLE_H
#define SERVER_READER_TROUBLE_H

#include <stddef.h>
#include <stdint.h>

struct maildir_folder;
struct reader;

/* Failures that a session has logged: the same thing with the same error is logged once. */
struct trouble {
	struct {
		const char *what; /* a literal */
		int error;
	} told[16]; /* more kinds than a session meets */
	size_t count;
};

/* Logs that what has failed with the error.  errno is kept. */
void trouble(struct reader *reader, const char *what, int error);
/* The same of so many messages, one of which has that UID. */
void trouble_messages(struct reader *reader, const char *what, int error,
    struct maildir_folder *folder, uint32_t uid, size_t messages);
/* That the Maildir itself cannot be made or opened. */
void trouble_maildir(const struct reader *reader, const char *what, int error);

#endif
