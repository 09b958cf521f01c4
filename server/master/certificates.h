/*
 * certificates.h: certificates and their key process, which come and go together.  Master's.
 *
 * A generation begins with a fork of a key process, which reads the keys, while master reads the
 * certificates; then a self-test in a process of its own proves that signatures come from there; then
 * it is ready and replaces the one before.  Nothing here waits: master calls on when a descriptor is
 * readable or a child has ended.
 */
#ifndef SERVER_MASTER_CERTIFICATES_H
#define SERVER_MASTER_CERTIFICATES_H

#include <stdbool.h>
#include <sys/types.h>

struct conf;
struct roles;
struct tls_server;

enum certificates_state {
	CERTIFICATES_LOADING, /* the key process reads */
	CERTIFICATES_TESTING,
	CERTIFICATES_READY,
	CERTIFICATES_FAILED, /* logged; to be freed */
};

struct certificates {
	enum certificates_state state;
	struct tls_server *tls;
	int control; /* to the key process; readable once: IPC_KEY_READY */
	pid_t key, test;
	unsigned long long print; /* of the files as they were read */
};

/* Begins one, or one that has failed already.  NULL: no memory. */
struct certificates *certificates_new(const struct conf *conf, const struct roles *roles);

/* The key process keeps serving the channels it has, and ends with the last. */
void certificates_free(struct certificates **certificates);

/* control is readable. */
void certificates_on_control(
    struct certificates *certificates, const struct conf *conf, const struct roles *roles);

/* A child ended: whether it was one of ours (then state tells what that meant). */
bool certificates_on_exit(struct certificates *certificates, pid_t pid, int status);

/* A channel to the key process for a new worker, or -1. */
int certificates_channel(const struct certificates *certificates);

/* Whether a certificate or key file was changed since it was read. */
bool certificates_stale(const struct certificates *certificates, const struct conf *conf);

#endif
