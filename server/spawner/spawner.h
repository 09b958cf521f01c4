/*
 * spawner.h: the processes that fork workers and readers for master.
 *
 * Each is started by exec, so that the kinds of processes share no memory layout, and each child gets a stack
 * canary of its own.  Everything that its children have in common is done once, before the first of them is forked.
 */
#ifndef SERVER_SPAWNER_SPAWNER_H
#define SERVER_SPAWNER_SPAWNER_H

#include <stdbool.h>

struct conf;
struct service_users;
struct tls_server;

enum { SPAWN_FAILED = 0xffff }; /* in place of a status of wait(2): the child could not be forked */

/*
 * The whole life of a spawner.  It sends IPC_READY, obeys the IPC_SPAWN_... messages that come over control, and ends
 * when that is closed; its children then get SIGTERM.  The outer spawner makes workers and is a worker_user in the empty
 * directory; the inner one makes readers and stays root.
 */
_Noreturn void spawner_outer_main(
    const struct conf *conf, const struct service_users *users, int control);
_Noreturn void spawner_inner_main(
    const struct conf *conf, const struct service_users *users, int control);

/* Logs the problems of all certificates; first: also what each is. */
void spawner_report(struct tls_server *tls, bool first);

#endif
