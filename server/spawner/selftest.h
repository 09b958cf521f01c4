/*
 * selftest.h: proves that signatures come from the key process, before a connection depends on it.
 */
#ifndef SERVER_SPAWNER_SELFTEST_H
#define SERVER_SPAWNER_SELFTEST_H

#include <stdint.h>

struct tls_server;

/*
 * The whole life of a process that does a handshake with every certificate as a worker would, confined as a worker, with
 * memory octets at most.  key_fd is a channel to the key process with signatures enough.  The exit status tells the
 * outcome.
 */
_Noreturn void selftest_main(struct tls_server *tls, int key_fd, int64_t memory);

#endif
