/*
 * role.c: `sallyport --role ROLE`: a process that master has started by exec begins.
 * Runs as: root, or the user of a demo, until the role changes it.
 *
 * Only master can start a role: it needs a socket as descriptor 3, over which it gets its configuration.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "server/cmd/cmd.h"
#include "server/conf.h"
#include "server/ipc.h"
#include "server/key/key.h"
#include "server/log.h"
#include "server/logger/logger.h"
#include "server/privdrop.h"
#include "server/process.h"
#include "server/spawner/spawner.h"

enum { START_TIMEOUT = 10 * 1000 }; /* ms; master sends the configuration at once */

static const struct {
	const char *name;
	void (*run)(const struct conf *conf, const struct service_users *users, int control);
} roles[] = {
    {"log", logger_main},
    {"key", key_main},
    {"outer", spawner_outer_main},
    {"inner", spawner_inner_main},
};

/* Receives IPC_START.  Returns the configuration, or ends the process. */
static struct conf *
receive_start(struct service_users *users_r, bool is_log)
{
	struct conf_complaints complaints;
	struct ipc_message message;
	struct conf *conf;
	int fds[2]; /* the configuration's text, the log channel */

	if (ipc_recv_fds(PROCESS_CONTROL, &message, START_TIMEOUT, fds, 2) == -1 ||
	    ipc_open(&message) != IPC_START)
		_exit(EXIT_FAILURE);
	users_r->worker_uid = ipc_get_u32(&message);
	users_r->worker_gid = ipc_get_u32(&message);
	users_r->key_uid = ipc_get_u32(&message);
	users_r->key_gid = ipc_get_u32(&message);
	if (!ipc_done(&message) || fds[0] == -1)
		_exit(EXIT_FAILURE);
	/* The log process writes what it has to say itself. */
	if (!is_log)
		log_use_channel(fds[1]);
	conf = conf_load_text(fds[0], &complaints);
	if (conf == NULL)
		fatalx("role", complaints.list[0].text);
	return conf;
}

int
cmd_role(int argc, char **argv)
{
	struct service_users users;
	struct stat st;

	if (argc != 2 || fstat(PROCESS_CONTROL, &st) == -1 || !S_ISSOCK(st.st_mode) ||
	    fcntl(PROCESS_CONTROL, F_SETFD, FD_CLOEXEC) == -1) {
		fprintf(stderr, "sallyport: only `sallyport run` starts a role\n");
		return CMD_USAGE;
	}
	tzset(); /* for localtime_r in an empty root directory */
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcmp(roles[i].name, argv[1]) == 0)
			roles[i].run(receive_start(&users, roles[i].run == logger_main), &users,
			    PROCESS_CONTROL);
	return CMD_USAGE;
}
