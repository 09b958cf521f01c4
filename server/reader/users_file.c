/*
 * users_file.c: logs the wrong lines of the users file.
 * Runs as: root, in a child of the inner spawner that ends after it.
 *
 * Each login reads the file itself and passes over wrong lines in silence.  The file holds hashes, so no process
 * that lives longer reads it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/account.h"
#include "auth/usersfile.h"
#include "server/conf.h"
#include "server/confine.h"
#include "server/log.h"
#include "server/process.h"
#include "server/reader/users_file.h"

enum { LINES_LOGGED = 20 }; /* of one file; `sallyport check` prints all */

static void
log_line(void *ctx, unsigned number, const char *reason)
{
	unsigned *logged = ctx;
	struct log_line line;

	if (++*logged > LINES_LOGGED)
		return;
	log_begin(&line, LOG_WARN, "master", "users-file-wrong");
	log_number(&line, "line", number);
	log_text(&line, "what", reason);
	log_end(&line);
}

_Noreturn void
users_file_main(const struct conf *conf)
{
	const struct auth_source source = {
	    .allow_plain = conf->allow_plain_passwords, .min_uid = (uid_t)conf->min_uid};
	const char *reason = "it cannot be read: no memory";
	unsigned logged = 0;
	FILE *file = NULL;
	int fd;

	process_enter("users file", NULL, 0);
	confine_undumpable();
	fd = usersfile_open(conf->users_file, &reason);
	if (fd != -1)
		file = fdopen(fd, "r");
	if (file == NULL) {
		log_event(LOG_WARN, "master", "users-file-wrong", "what", reason);
		_exit(EXIT_FAILURE);
	}
	(void)usersfile_check(file, &source, log_line, &logged);
	if (logged > LINES_LOGGED)
		log_event(LOG_WARN, "master", "users-file-wrong", "what",
		    "more lines: `sallyport check` prints them");
	_exit(EXIT_SUCCESS);
}
