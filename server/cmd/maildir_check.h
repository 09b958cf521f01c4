/*
 * maildir_check.h: sallyport maildir check, sallyport maildir index.
 */
#ifndef SERVER_CMD_MAILDIR_CHECK_H
#define SERVER_CMD_MAILDIR_CHECK_H

#include <stdbool.h>

enum {
	EXIT_ODD = 1,
	EXIT_USAGE = 2, /* a wrong command line, or a Maildir that cannot be looked at */
};

/* Both print what they find or do, and return the process's exit status. */
int maildir_check_run(const char *path, bool repair);
int maildir_index_run(const char *path);

#endif
