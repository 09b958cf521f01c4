/*
 * owner.h: a Maildir opened by its owner.
 */
#ifndef SERVER_CMD_OWNER_H
#define SERVER_CMD_OWNER_H

struct maildir;

/*
 * Opens the Maildir at path after this process became its owner for good, and lets the process open nothing else.
 * NULL: after a message to standard error.
 */
struct maildir *owner_open(const char *path);
/* Prints a notice, for maildir_on_notice. */
void owner_notice(void *ctx, const char *text);

#endif
