/*
 * prelogin.h: everything that a protocol does before login, in a worker, including TLS.  fuzz_pop3_prelogin.c
 * and fuzz_imap_prelogin.c use it.
 *
 * The functions below replace those of the C library and play the client's socket: octets arrive in pieces,
 * calls are interrupted, writes are short, the connection is reset.  The first octets of the input steer
 * that, and the answers of the reader's end; the rest is what the client sends.  Nothing ever waits.  In the
 * clear, every answer must be lines of printable ASCII, whatever the client sent.
 */
#ifndef TESTS_FUZZ_PRELOGIN_H
#define TESTS_FUZZ_PRELOGIN_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "server/conf.h"
#include "server/worker/key_ask.h"
#include "server/worker/worker.h"
#include "tests/fuzz/no_exit.h"
#include "tls/cert.h"

enum { STEERING = 8, INPUT_MAX = 16384, ANSWERS = 3 };

/* --- the client --- */

enum arrival { AT_ONCE, BY_OCTET, BY_LINE, AT_RANDOM };

static struct client {
	int fd; /* a descriptor for the worker to have; -1: none is played */
	const uint8_t *sent;
	size_t len, arrived, taken;
	enum arrival arrival;
	bool interrupts, short_writes, reset;
	size_t reads_most; /* octets of output before it is gone */
	uint32_t random;
	bool tls;     /* what it gets is TLS from now on */
	uint8_t last; /* octet that it got */
} client = {.fd = -1};

/* xorshift; 0 to n - 1. */
static uint32_t
chance(uint32_t n)
{
	client.random ^= client.random << 13;
	client.random ^= client.random >> 17;
	client.random ^= client.random << 5;
	return client.random % n;
}

static void
arrive(void)
{
	size_t left = client.len - client.arrived;
	const uint8_t *from = client.sent + client.arrived, *end;

	if (left == 0)
		return;
	end = client.arrival == BY_LINE ? memchr(from, '\n', left) : NULL;
	if (client.arrival == BY_OCTET)
		left = 1;
	else if (end != NULL)
		left = (size_t)(end - from) + 1;
	else if (client.arrival == AT_RANDOM)
		left = 1 + chance((uint32_t)left);
	client.arrived += left;
}

static ssize_t
fail_with(int error)
{
	errno = error;
	return -1;
}

static ssize_t
take(void *out, size_t size, bool peek)
{
	size_t left = client.arrived - client.taken;

	if (client.interrupts && chance(8) == 0)
		return fail_with(EINTR);
	if (left == 0 && client.arrived < client.len)
		return fail_with(EAGAIN);
	if (left == 0)
		return client.reset ? fail_with(ECONNRESET) : 0;
	if (left > size)
		left = size;
	memcpy(out, client.sent + client.taken, left);
	client.taken += peek ? 0 : left;
	return (ssize_t)left;
}

/* Answers in the clear: lines that end in CRLF; a TLS record begins with a content type below SP. */
static void
look_at_answer(const uint8_t *octets, size_t len)
{
	for (size_t i = 0; i < len && !client.tls; i++) {
		uint8_t c = octets[i];

		client.tls = client.last == '\n' && c >= 0x14 && c <= 0x17;
		if (!client.tls && ((c == '\n') != (client.last == '\r') ||
				       ((c < 0x20 || c > 0x7e) && c != '\r' && c != '\n')))
			abort();
		client.last = c;
	}
}

static ssize_t
give(const void *octets, size_t len)
{
	if (client.interrupts && chance(8) == 0)
		return fail_with(EINTR);
	if (client.reads_most == 0)
		return fail_with(client.reset ? ECONNRESET : EPIPE);
	if (client.short_writes && chance(4) == 0)
		return fail_with(EAGAIN);
	if (client.short_writes)
		len = 1 + chance((uint32_t)len);
	if (len > client.reads_most)
		len = client.reads_most;
	client.reads_most -= len;
	look_at_answer(octets, len);
	return (ssize_t)len;
}

ssize_t
read(int fd, void *out, size_t size)
{
	return fd == client.fd ? take(out, size, false) : syscall(SYS_read, fd, out, size);
}

ssize_t
recv(int fd, void *out, size_t size, int flags)
{
	return fd == client.fd ? take(out, size, (flags & MSG_PEEK) != 0)
			       : syscall(SYS_recvfrom, fd, out, size, flags, NULL, NULL);
}

ssize_t
write(int fd, const void *octets, size_t len)
{
	return fd == client.fd && len > 0 ? give(octets, len) : syscall(SYS_write, fd, octets, len);
}

ssize_t
send(int fd, const void *octets, size_t len, int flags)
{
	return fd == client.fd && len > 0 ? give(octets, len)
					  : syscall(SYS_sendto, fd, octets, len, flags, NULL, 0);
}

/* The worker waits for its client only: something comes, or it may write. */
int
ppoll(struct pollfd *fds, nfds_t len, const struct timespec *timeout, const sigset_t *mask)
{
	(void)timeout, (void)mask;
	if (len != 1 || fds[0].fd != client.fd)
		abort();
	if (client.interrupts && chance(8) == 0)
		return (int)fail_with(EINTR);
	if ((fds[0].events & POLLIN) != 0)
		arrive();
	fds[0].revents = fds[0].events;
	return 1;
}

/* --- the worker --- */

static struct conf *
settings(void)
{
	char text[] = "certificate = /c /k\nlogin_in_clear = loopback\n";
	struct conf_complaints complaints;

	return conf_parse(text, sizeof(text) - 1, &complaints);
}

/* Behind STLS a handshake needs a certificate; its key is with nobody. */
static struct tls_server *
certificate(void)
{
	static const char *const names[] = {"localhost"};
	char dir[] = "/tmp/fuzz_cert.XXXXXX", cert[64], key[64];
	struct tls_server *server = tls_server_new();
	struct tls_cert_order order = {.names = names, .names_len = 1, .days = 2};
	struct tls_error error;

	if (server == NULL || mkdtemp(dir) == NULL)
		abort();
	snprintf(cert, sizeof(cert), "%s/c", dir);
	snprintf(key, sizeof(key), "%s/k", dir);
	order.cert_path = cert;
	order.key_path = key;
	if (tls_cert_make(TLS_CERT_SERVER, &order, &error) == -1 ||
	    tls_server_add(server, cert, &error) == -1 || tls_server_ready(server, &error) == -1 ||
	    tls_process_init() == -1)
		abort();
	unlink(cert);
	unlink(key);
	rmdir(dir);
	return server;
}

/* Verdicts, some of which are none, some in messages of another type, some cut. */
static void
answer_logins(int fd, const uint8_t verdicts[ANSWERS])
{
	struct ipc_message message;
	size_t i;

	for (i = 0; i < ANSWERS; i++) {
		ipc_begin(&message,
		    verdicts[i] < 0xf0 ? IPC_AUTH_RESULT : (enum ipc_type)(verdicts[i] & 0xf));
		if (verdicts[i] != 0xef)
			ipc_put_u8(&message, verdicts[i] % 9);
		if (ipc_send_record(fd, &message, -1) == -1)
			abort();
	}
	(void)shutdown(fd, SHUT_WR);
}

static void
steer(const uint8_t *data, size_t size)
{
	client = (struct client){.fd = open("/dev/null", O_RDWR | O_CLOEXEC),
	    .sent = data + STEERING,
	    .len = size - STEERING,
	    .arrival = (enum arrival)(data[0] & 3),
	    .interrupts = (data[0] & 4) != 0,
	    .short_writes = (data[0] & 8) != 0,
	    .reset = (data[0] & 16) != 0,
	    .reads_most = (data[0] & 32) != 0 ? (size_t)data[1] * 8 : SIZE_MAX,
	    .random = (uint32_t)data[2] << 8 | data[3] | 0x10000,
	    .last = '\n'};
	if (client.fd == -1)
		abort();
	arrive();
}

/* One connection from its first octet to its login or its end. */
static void
run(const struct protocol *protocol, const uint8_t *data, int reader)
{
	static struct conf *conf;
	static struct tls_server *server;
	static struct worker worker;
	bool in;

	if (conf == NULL) {
		conf = settings();
		server = certificate();
		(void)signal(SIGPIPE, SIG_IGN);
	}
	memset(&worker, 0, offsetof(struct worker, channel.in));
	worker.start = (struct worker_start){.conf = conf,
	    .protocol = protocol,
	    .loopback = (data[0] & 64) == 0,
	    .client_fd = client.fd,
	    .reader_fd = reader,
	    .key_fd = -1,
	    .tls_server = server};
	worker.link = (struct key_link){-1, -1};
	worker.keys = key_ask_service(&worker.link);
	channel_init(&worker.channel, client.fd, CLOCK_NEVER, CLOCK_NEVER);
	in = protocol->prelogin(&worker);
	if (in && (worker.channel.end != CHANNEL_OPEN ||
		      (worker.channel.tls == NULL && !worker.start.loopback)))
		abort();
	if (!in)
		(void)channel_flush(&worker.channel);
	channel_clear(&worker.channel);
}

static int
prelogin_run(const struct protocol *protocol, const uint8_t *data, size_t size)
{
	int reader[2];

	if (size < STEERING || size > INPUT_MAX)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, reader) == -1)
		abort();
	answer_logins(reader[1], data + 4);
	steer(data, size);
	in_target = true;
	run(protocol, data, reader[0]);
	in_target = false;
	client.fd = -1;
	close(reader[0]);
	close(reader[1]);
	return 0;
}

#endif
