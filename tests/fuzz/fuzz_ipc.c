/*
 * fuzz_ipc.c: messages between processes, as the privileged sides parse them: the login record of a worker,
 * questions to the key process, log lines, and each kind of field.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/account.h"
#include "server/ipc.h"
#include "server/key/key_answer.h"
#include "server/log.h"
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

/* Whatever a hostile process sends, its line begins with what master knows of it, and is printable. */
static void
format_lines(const uint8_t *data, size_t size)
{
	static const struct log_writer writers[] = {
	    {.role = "worker", .id = 1, .address = "192.0.2.7", .port = 5},
	    {.role = "reader", .names_user = true, .id = 1, .user = "anna", .address = "192.0.2.7"},
	};

	for (size_t i = 0; i < sizeof(writers) / sizeof(writers[0]); i++) {
		static const char *const before[] = {"00000001/worker ", "00000001/reader "};
		struct log_line line;
		struct log_text text;

		take(&line.message, data, size);
		if (!log_format(&line, &writers[i], &text))
			continue;
		if (text.len != strlen(text.text) || text.len >= sizeof(text.text) ||
		    strncmp(text.text, before[i], strlen(before[i])) != 0)
			abort();
		for (size_t k = 0; k < text.len; k++)
			if (text.text[k] < 0x20 || text.text[k] > 0x7e)
				abort();
		if (i == 1 && strstr(text.text, " user=anna rip=192.0.2.7 rport=0") == NULL)
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
	format_lines(data, size);
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
