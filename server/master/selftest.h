/*
 * selftest.h: proves that signatures come from the key process, before a connection depends on it.
 */
#ifndef SERVER_MASTER_SELFTEST_H
#define SERVER_MASTER_SELFTEST_H

#include <stddef.h>
#include <sys/types.h>

#include "server/conf.h"

struct service_users;
struct tls_server;

/* Channels to the key process: one for each handshake, since a channel gives one signature. */
struct selftest_channels {
	int list[2 * CONF_CERTIFICATES_MAX];
	size_t len, next;
};

/*
 * Forks a process that does a handshake with every certificate as a worker would, confined as one; its exit
 * status tells the outcome.  Closes the channels here.  Returns its pid, or -1.
 */
pid_t selftest_start(const struct conf *conf, const struct service_users *users,
    struct tls_server *tls, struct selftest_channels *channels);

#endif
