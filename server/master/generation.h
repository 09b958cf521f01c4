/*
 * generation.h: certificates and their key process, which come and go together.  Master's.
 *
 * A generation begins with a fork of a key process, which reads the keys, while master reads the
 * certificates; then a self-test in a process of its own proves that signatures come from there; then
 * it is ready and replaces the one before.  Nothing here waits: master calls on when a descriptor is
 * readable or a child has ended.
 */
#ifndef SERVER_MASTER_GENERATION_H
#define SERVER_MASTER_GENERATION_H

#include <stdbool.h>
#include <sys/types.h>

struct conf;
struct roles;
struct tls_server;

enum generation_state {
	GENERATION_LOADING, /* the key process reads */
	GENERATION_TESTING,
	GENERATION_READY,
	GENERATION_FAILED, /* logged; to be freed */
};

struct generation {
	enum generation_state state;
	struct tls_server *tls;
	int control; /* to the key process; readable once: IPC_KEY_READY */
	pid_t key, test;
	unsigned long long print; /* of the files as they were read */
};

/* Begins one, or one that has failed already.  NULL: no memory. */
struct generation *generation_new(const struct conf *conf, const struct roles *roles);

/* The key process keeps serving the channels it has, and ends with the last. */
void generation_free(struct generation **generation);

/* control is readable. */
void generation_on_control(
    struct generation *generation, const struct conf *conf, const struct roles *roles);

/* A child ended: whether it was one of ours (then state tells what that meant). */
bool generation_on_exit(struct generation *generation, pid_t pid, int status);

/* A channel to the key process for a new worker, or -1. */
int generation_channel(const struct generation *generation);

/* Whether a certificate or key file was changed since it was read. */
bool generation_stale(const struct generation *generation, const struct conf *conf);

#endif
