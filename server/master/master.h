/*
 * master.h: the process that accepts, forks and reaps.
 */
#ifndef SERVER_MASTER_MASTER_H
#define SERVER_MASTER_MASTER_H

#include <stdbool.h>

struct conf;

/*
 * Serves until SIGTERM or SIGINT, and reads path again at SIGHUP.  Takes conf over.  to_stderr: log
 * there whatever the configuration says.  Returns the program's exit status.
 */
int master_run(const char *path, struct conf *conf, bool to_stderr);

#endif
