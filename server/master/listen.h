/*
 * listen.h: master's listening sockets.
 */
#ifndef SERVER_MASTER_LISTEN_H
#define SERVER_MASTER_LISTEN_H

#include "server/conf.h"

struct listeners {
	size_t len;
	struct {
		struct conf_listener what;
		int fd;
	} list[CONF_LISTENERS_MAX];
};

/*
 * Takes the listening sockets that a service manager has opened for this process (LISTEN_FDS, see sd_listen_fds(3)), so
 * that listeners_set finds them open.  master then needs no right to open any.
 */
void listeners_inherit(struct listeners *listeners);

/*
 * Opens the sockets that conf names, and closes the others.  A socket that is open already stays, with its
 * backlog.  Returns how many could not be opened (each is logged).
 */
size_t listeners_set(struct listeners *listeners, const struct conf *conf);

void listeners_close(struct listeners *listeners);

#endif
