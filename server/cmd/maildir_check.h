/*
 * maildir_check.h: sallyport maildir check, sallyport maildir index.
 */
#ifndef SERVER_CMD_MAILDIR_CHECK_H
#define SERVER_CMD_MAILDIR_CHECK_H

#include <stdbool.h>

/* Exit status when something is odd; CMD_USAGE: the Maildir cannot be looked at. */
enum { EXIT_ODD = 1 };

/* Both print what they find or do, and return the process's exit status. */
int maildir_check_run(const char *path, bool repair);
int maildir_index_run(const char *path);

#endif
