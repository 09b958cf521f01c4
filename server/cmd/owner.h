/*
 * owner.h: a Maildir opened by its owner.
 */
#ifndef SERVER_CMD_OWNER_H
#define SERVER_CMD_OWNER_H

#include <stdbool.h>

struct maildir;

/*
 * The first step of a process that will call owner_open: standard input becomes /dev/null, and all descriptors but output
 * and error are closed, since whoever called may have left files open that the owner must not read.  Returns 0, or -1
 * after a message.
 */
int owner_begin(void);

/*
 * Opens the Maildir at path after this process became its owner for good, and confines the process as a reader is.
 * enter: for root the Maildir becomes the root directory as well; without it the process can see, but not open, what
 * links lead to.  Without Landlock it always enters.  The process cannot read its output, so that a terminal does not tell
 * it what is typed there.  An owner whose mail is not served (uid 0, below min_uid) is refused.  Call it before the first
 * output.  NULL: after a message to standard error.
 */
struct maildir *owner_open(const char *path, bool enter);
/* Prints a notice, for maildir_on_notice. */
void owner_notice(void *ctx, const char *text);

#endif
