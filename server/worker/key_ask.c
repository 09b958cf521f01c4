/*
 * key_ask.c: asks the key process for a signature, and to seal and open tickets.
 * Runs as: worker, self-test.
 */
#include <poll.h>
#include <stdint.h>

#include "server/ipc.h"
#include "server/worker/key_ask.h"

enum { KEY_ASK_TIMEOUT = 20 * 1000 }; /* ms; far beyond a queue of RSA signatures */

static ssize_t
ask(void *ctx, struct ipc_message *message, unsigned char *out, size_t size)
{
	const struct key_link *link = ctx;
	struct pollfd wait[2] = {
	    {.fd = link->channel, .events = POLLIN}, {.fd = link->client, .events = POLLRDHUP}};
	size_t len;

	if (link->channel == -1 || ipc_send(link->channel, message, -1) == -1 ||
	    poll(wait, 2, KEY_ASK_TIMEOUT) <= 0 || wait[0].revents == 0 ||
	    ipc_recv(link->channel, message, 0, NULL) == -1 || ipc_open(message) != IPC_KEY_RESULT)
		return -1;
	len = ipc_get_bytes(message, out, size);
	return !ipc_done(message) || len == 0 ? -1 : (ssize_t)len;
}

static ssize_t
ask_sign(void *ctx, const struct tls_sign_request *request, unsigned char *out, size_t size)
{
	struct ipc_message message;

	ipc_begin(&message, IPC_KEY_SIGN);
	ipc_put_u8(&message, request->key);
	ipc_put_u8(&message, request->md);
	ipc_put_bytes(&message, request->content, request->len);
	return ask(ctx, &message, out, size);
}

static ssize_t
ask_ticket(void *ctx, enum ipc_type type, const unsigned char *in, size_t len, unsigned char *out,
    size_t size)
{
	struct ipc_message message;
	ssize_t n;

	ipc_begin(&message, type);
	ipc_put_bytes(&message, in, len);
	n = ask(ctx, &message, out, size);
	ipc_wipe(&message);
	return n;
}

static ssize_t
ask_seal(void *ctx, const unsigned char *in, size_t len, unsigned char *out, size_t size)
{
	return ask_ticket(ctx, IPC_KEY_SEAL, in, len, out, size);
}

static ssize_t
ask_open(void *ctx, const unsigned char *in, size_t len, unsigned char *out, size_t size)
{
	return ask_ticket(ctx, IPC_KEY_OPEN, in, len, out, size);
}

struct tls_key_service
key_ask_service(const struct key_link *link)
{
	return (struct tls_key_service){(void *)(uintptr_t)link, ask_sign, ask_seal, ask_open};
}
