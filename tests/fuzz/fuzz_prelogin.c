/*
 * fuzz_prelogin.c: everything that POP3 does before login, in a worker without TLS, over sockets.
 *
 * The first octets steer: into how many pieces the rest is cut as it arrives, and which verdicts the
 * reader's end gives.  Everything is put into the sockets before, so that nothing waits.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/conf.h"
#include "server/key_ask.h"
#include "server/worker.h"
#include "tls/cert.h"

enum { STEERING = 4, INPUT_MAX = 16384, ANSWERS = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
	char dir[] = "/tmp/fuzz_prelogin.XXXXXX", cert[64], key[64];
	struct tls_server *server = tls_server_new();
	struct tls_cert_order order = {.names = names, .names_len = 1, .days = 2};
	struct tls_error error;

	if (server == NULL || mkdtemp(dir) == NULL)
		abort();
	snprintf(cert, sizeof(cert), "%s/c", dir);
	snprintf(key, sizeof(key), "%s/k", dir);
	order.cert_path = cert;
	order.key_path = key;
	if (tls_cert_make_server(&order, &error) == -1 ||
	    tls_server_add(server, cert, &error) == -1 || tls_server_ready(server, &error) == -1 ||
	    tls_process_init() == -1)
		abort();
	unlink(cert);
	unlink(key);
	rmdir(dir);
	return server;
}

/* Writes without waiting; what does not fit is lost, which is a short connection. */
static void
preload(int fd, const uint8_t *data, size_t size)
{
	(void)!send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
answer_logins(int fd, const uint8_t steering[STEERING])
{
	struct ipc_message message;
	size_t i;

	for (i = 0; i < ANSWERS; i++) {
		ipc_begin(
		    &message, steering[i] < 0xf0 ? IPC_AUTH_RESULT : (enum ipc_type)steering[i]);
		ipc_put_u8(&message, steering[i] % 9);
		(void)ipc_send_record(fd, &message, -1);
	}
	(void)shutdown(fd, SHUT_WR);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf *conf;
	static struct tls_server *server;
	static struct worker worker;
	int client[2], reader[2];
	bool in;

	if (conf == NULL) {
		conf = settings();
		server = certificate();
		(void)signal(SIGPIPE, SIG_IGN);
	}
	if (size < STEERING || size > INPUT_MAX)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, client) == -1 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, reader) == -1)
		abort();
	preload(client[1], data + STEERING, size - STEERING);
	if (data[3] % 2 == 0)
		(void)shutdown(client[1], SHUT_WR);
	else
		close(client[1]); /* the answers meet a reset */
	answer_logins(reader[1], data);
	memset(&worker, 0, sizeof(worker));
	worker.start = (struct worker_start){.conf = conf,
	    .protocol = &protocol_pop3,
	    .loopback = data[3] % 4 < 3,
	    .client_fd = client[0],
	    .reader_fd = reader[0],
	    .key_fd = -1,
	    .tls_server = server};
	worker.keys = key_ask_service(&worker.start.key_fd);
	channel_init(&worker.channel, client[0], CLOCK_NEVER, 1000);
	in = protocol_pop3.prelogin(&worker);
	if (in && worker.channel.end != CHANNEL_OPEN)
		abort();
	if (!in)
		(void)channel_flush(&worker.channel);
	channel_clear(&worker.channel);
	if (data[3] % 2 == 0)
		close(client[1]);
	close(reader[0]);
	close(reader[1]);
	return 0;
}
