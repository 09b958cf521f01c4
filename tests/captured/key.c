/*
 * key.c: a captured worker sends an attack on to the key process, which has the hole, too.
 * Runs as: worker, key_user.
 *
 * The linker has each caller of ipc_recv call __wrap_ipc_recv.  A message of the type CAPTURED is an attack; its answer
 * is a packet for each line.  The key process closes the channel after it, so a connection has one such attack.
 *
 * Another attack asks for a signature, as the worker's own code does.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "server/ipc.h"
#include "server/worker/key_ask.h"
#include "server/worker/worker.h"
#include "tests/captured/captured.h"
#include "tests/unit/signed.h"

enum { CAPTURED = 0xca }; /* far above the types of ipc.h */

int __real_ipc_recv(int fd, struct ipc_message *message_r, int timeout_ms, int *fd_r);
int __wrap_ipc_recv(int fd, struct ipc_message *message_r, int timeout_ms, int *fd_r);

int
__wrap_ipc_recv(int fd, struct ipc_message *message_r, int timeout_ms, int *fd_r)
{
	static struct channel channel;
	char line[CHANNEL_IN];
	int r = __real_ipc_recv(fd, message_r, timeout_ms, fd_r);

	if (r == -1 || ipc_open(message_r) != CAPTURED) {
		message_r->at = 0;
		return r;
	}
	ipc_get_string(message_r, line, sizeof(line));
	channel_init(&channel, fd, CLOCK_NEVER, CLOCK_NEVER);
	captured_run(&channel, line);
	return -1;
}

/* key ATTACK ARGUMENTS: as long as the connection is in the clear, since the channel ends with the handshake. */
static void
pass_on(struct channel *channel, char *attack)
{
	int fd = captured_worker(channel)->link.channel;
	struct ipc_message message;
	char line[CHANNEL_IN];
	ssize_t n;

	ipc_begin(&message, (enum ipc_type)CAPTURED);
	ipc_put_string(&message, attack);
	if (ipc_send(fd, &message, -1) == -1) {
		captured_say_result(channel, "send", -1);
		return;
	}
	while ((n = recv(fd, line, sizeof(line) - 1, 0)) > 0 && line[0] != '.') {
		line[n] = '\0';
		line[strcspn(line, "\r\n")] = '\0';
		captured_say(channel, "key: %s", line);
	}
	if (n <= 0)
		captured_say(channel, "key: dead");
}
CAPTURED_ATTACK("key", pass_on)

/* sign handshake: what a handshake asks for.  sign digest: a digest of something else, for SHA-256. */
static void
sign(struct channel *channel, char *what)
{
	struct tls_key_service service = key_ask_service(&captured_worker(channel)->link);
	struct tls_sign_request request =
	    signed_key_exchange(0, MBEDTLS_MD_SHA256, SIGNED_P256, 65);
	unsigned char signature[TLS_SIGNATURE_MAX];

	if (strcmp(what, "digest") == 0)
		request.len = 32;
	captured_say(channel, "sign: %s",
	    service.sign(service.ctx, &request, signature, sizeof(signature)) > 0 ? "done"
										  : "refused");
}
CAPTURED_ATTACK("sign", sign)
