/*
 * users.c: the users file is looked at when it is new or has changed.
 * Runs as: root (master).  A child of the inner spawner reads the file.
 */
#include "server/conf.h"
#include "server/ipc.h"
#include "server/master/files.h"
#include "server/master/master_state.h"

void
users_tick(struct master *m, int64_t now)
{
	struct ipc_message message;
	uint64_t print;

	if (now < m->users_look_at || m->conf->accounts != CONF_ACCOUNTS_FILE || m->readers == -1)
		return;
	m->users_look_at = now + MASTER_LOOK;
	print = files_print(FILES_PRINT, m->conf->users_file);
	if (print == m->users_print)
		return;
	ipc_begin(&message, IPC_SPAWN_USERS);
	m->users_print = spawner_post(m, m->readers, &message, NULL, 0) == 0 ? print : 0;
}
