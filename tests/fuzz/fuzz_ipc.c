/*
 * fuzz_ipc.c: messages between processes, as the privileged sides parse them: the login record of a worker,
 * questions to the key process, and each kind of field.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/account.h"
#include "server/ipc.h"
#include "server/key/key_answer.h"
#include "server/reader/auth_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
take(struct ipc_message *message, const uint8_t *data, size_t size)
{
	memset(message, 0, sizeof(*message));
	message->len = size < sizeof(message->data) ? size : sizeof(message->data);
	memcpy(message->data, data, message->len);
}

/* Gets in the order that the data itself asks for. */
static void
get_fields(const uint8_t *data, size_t size)
{
	struct ipc_message message;
	char text[64];
	size_t i;

	take(&message, data, size);
	(void)ipc_open(&message);
	for (i = 0; i < size && !message.bad && !ipc_done(&message); i++) {
		switch (data[size - 1 - i] % 5) {
		case 0:
			(void)ipc_get_u8(&message);
			break;
		case 1:
			(void)ipc_get_u16(&message);
			break;
		case 2:
			(void)ipc_get_u32(&message);
			break;
		case 3:
			if (ipc_get_bytes(&message, text, sizeof(text)) > sizeof(text))
				abort();
			break;
		default:
			ipc_get_string(&message, text, sizeof(text));
			if (strnlen(text, sizeof(text)) == sizeof(text))
				abort();
			break;
		}
		if (message.at > message.len)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tls_keys *keys;
	static struct tls_tickets *tickets;
	struct key_quota quota = KEY_QUOTA;
	struct auth_request request;
	struct ipc_message message;

	if (keys == NULL) {
		keys = tls_keys_new();
		tickets = tls_tickets_new(TLS_TICKET_LIFETIME, 0);
	}
	get_fields(data, size);
	take(&message, data, size);
	if (auth_answer_parse(&message, &request) &&
	    (strnlen(request.name, sizeof(request.name)) == sizeof(request.name) ||
		strnlen(request.password, sizeof(request.password)) == sizeof(request.password)))
		abort();
	take(&message, data, size);
	(void)key_answer(keys, tickets, 1, &quota, &message);
	if (ipc_open(&message) != IPC_KEY_RESULT)
		abort();
	return 0;
}
