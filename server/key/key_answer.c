/*
 * key_answer.c: signs, seals and opens for a worker, which may be hostile.
 * Runs as: key.
 */
#include <string.h>

#include "server/key/key_answer.h"

#define MALFORMED "a worker sent a malformed question"

static ssize_t
answer_sign(struct tls_keys *keys, struct ipc_message *message, unsigned char *out, size_t size)
{
	struct tls_sign_request request;

	memset(&request, 0, sizeof(request));
	request.key = ipc_get_u8(message);
	request.md = ipc_get_u8(message);
	request.len = (uint8_t)ipc_get_bytes(message, request.content, sizeof(request.content));
	return ipc_done(message) ? tls_keys_sign(keys, &request, out, size) : -1;
}

static bool
spend(uint8_t *left)
{
	if (*left == 0)
		return false;
	--*left;
	return true;
}

const char *
key_answer(struct tls_keys *keys, struct tls_tickets *tickets, int64_t now, struct key_quota *quota,
    struct ipc_message *message)
{
	unsigned char in[TLS_TICKET_MAX + TLS_SEAL_OVERHEAD],
	    out[TLS_TICKET_MAX + TLS_SEAL_OVERHEAD];
	unsigned type = ipc_open(message);
	size_t len = 0;
	ssize_t n = -1;
	const char *wrong = "a worker asked beyond its quota";

	_Static_assert(sizeof(out) >= TLS_SIGNATURE_MAX, "a signature needs room");
	if (type == IPC_KEY_SIGN && spend(&quota->signatures)) {
		n = answer_sign(keys, message, out, sizeof(out));
		wrong = n > 0 ? NULL : "a worker asked for a signature that is not a handshake's";
	} else if (type == IPC_KEY_SEAL && spend(&quota->seals)) {
		len = ipc_get_bytes(message, in, TLS_TICKET_MAX);
		wrong = ipc_done(message) ? NULL : MALFORMED;
		if (wrong == NULL)
			n = tls_tickets_seal(
			    tickets, now, quota->network, in, len, out, sizeof(out));
	} else if (type == IPC_KEY_OPEN && spend(&quota->opens)) {
		len = ipc_get_bytes(message, in, sizeof(in));
		wrong = ipc_done(message) ? NULL : MALFORMED;
		if (wrong == NULL)
			n = tls_tickets_open(
			    tickets, now, quota->network, in, len, out, sizeof(out));
	}
	ipc_begin(message, IPC_KEY_RESULT);
	ipc_put_bytes(message, out, n > 0 ? (size_t)n : 0);
	explicit_bzero(in, sizeof(in));
	explicit_bzero(out, sizeof(out));
	return wrong;
}
