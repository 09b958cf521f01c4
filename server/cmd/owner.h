/*
 * owner.h: a Maildir opened by its owner.
 */
#ifndef SERVER_CMD_OWNER_H
#define SERVER_CMD_OWNER_H

#include <stdbool.h>

struct maildir;

/*
 * Opens the Maildir at path after this process became its owner for good, and confines the process as a reader is.
 * enter: for root the Maildir becomes the root directory as well; without it the process can see, but not open, what
 * links lead to.  Standard input becomes /dev/null, so that nothing can be typed into the terminal of whoever called.
 * An owner whose mail is not served (uid 0, below min_uid) is refused.  Call it before the first output.  NULL: after a
 * message to standard error.
 */
struct maildir *owner_open(const char *path, bool enter);
/* Prints a notice, for maildir_on_notice. */
void owner_notice(void *ctx, const char *text);

#endif
