/*
 * conn.h: connections of the benchmark's client, plain or over TLS, and how it gives up.
 *
 * A wrong answer ends the program with a line that says what is wrong: the figure of a server that
 * answers wrongly is worth nothing.
 */
#ifndef BENCH_CONN_H
#define BENCH_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

enum {
	CONN_BUFFER = 1 << 20, /* octets; a line of an answer must fit (SEARCH of 100,000) */
	CONN_TIMEOUT = 300,    /* seconds without an octet */
};

/* Where to connect to, and the TLS session that one connection leaves for the next. */
struct target {
	int port; /* of 127.0.0.1 */
	bool tls;
	bool resume;	      /* offer the last session again */
	SSL_SESSION *session; /* the last that the server gave */
	SSL_CTX *context;
};

struct conn {
	int fd;
	SSL *ssl;	 /* NULL: plain */
	char *buf;	 /* CONN_BUFFER octets */
	size_t from, to; /* octets that arrived and are not used yet */
	uint64_t octets; /* that arrived in all */
};

/* Uses as many of the len octets at data as it can and returns that number; sets *done at the end. */
typedef size_t conn_take(void *ctx, const char *data, size_t len, bool *done);

/* Connects, with the handshake, if any. */
void conn_open(struct conn *conn, struct target *target);
bool conn_resumed(const struct conn *conn);

/* Sends len octets and reads until take says that it is done, both at the same time. */
void conn_talk(struct conn *conn, const char *out, size_t len, conn_take *take, void *ctx);

/* Passes the octets that have arrived to take, without waiting. */
void conn_look(struct conn *conn, conn_take *take, void *ctx);

/* Reads until the server closes; nothing more may come.  Frees what the connection holds. */
void conn_end(struct conn *conn);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t conn_now(void);

_Noreturn void bad(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
