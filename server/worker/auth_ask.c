/*
 * auth_ask.c: the worker's end of a login: asks the reader, and hands the socket over after it.
 * Runs as: worker.
 */
#include <poll.h>
#include <sys/socket.h>

#include "auth/account.h"
#include "server/worker/auth_ask.h"
#include "tls/tls.h"

enum { SIGNAL_COMES = 200 }; /* ms between the signals for a reader and for its worker, at most */

_Static_assert(
    AUTH_NAME_MAX + AUTH_PASSWORD_MAX + 64 + 253 + 64 < IPC_RECORD, "a login fits into a record");

static void
put_tls(struct ipc_message *message, const struct tls_stream *tls)
{
	struct tls_info info = {.version = "", .cipher = "", .sni = "", .alpn = ""};

	if (tls != NULL)
		tls_stream_info(tls, &info);
	ipc_put_string(message, info.version);
	ipc_put_string(message, info.cipher);
	ipc_put_u16(message, (uint16_t)info.bits);
	ipc_put_u8(message, info.resumed);
	ipc_put_string(message, info.sni);
}

/*
 * Waits for the verdict, which may take long: the first POP3 session reads all messages.  false: the client has
 * gone meanwhile.  A client that has closed only its side gets one more second.
 */
static bool
verdict_comes(int reader, struct channel *channel)
{
	struct pollfd wait[2] = {
	    {.fd = reader, .events = POLLIN},
	    {.fd = channel->fd, .events = POLLRDHUP},
	};

	if (poll(wait, 2, -1) > 0 && wait[0].revents == 0 && poll(wait, 1, CHANNEL_HALF) == 0)
		channel->end =
		    CHANNEL_CLOSED; /* a verdict that still comes must not answer another login */
	return channel->end == CHANNEL_OPEN;
}

enum ipc_verdict
auth_ask_password(int reader, struct channel *channel, const char *name, const char *password)
{
	struct ipc_message message;
	enum ipc_verdict verdict = IPC_UNAVAILABLE;
	bool answered = false;

	ipc_begin(&message, IPC_AUTH_PASSWORD);
	ipc_put_string(&message, name);
	ipc_put_string(&message, password);
	put_tls(&message, channel->tls);
	if (ipc_send_record(reader, &message, -1) == 0 && verdict_comes(reader, channel))
		answered = ipc_recv_record(reader, &message, -1, NULL) == 0;
	if (answered && ipc_open(&message) == IPC_AUTH_RESULT) {
		verdict = ipc_get_u8(&message);
		if (!ipc_done(&message) || verdict > IPC_TOO_SOON)
			verdict = IPC_UNAVAILABLE;
	}
	ipc_wipe(&message);
	/* Without an answer, master may be ending both the reader and this worker, by signals of two spawners. */
	if (!answered && channel->end == CHANNEL_OPEN)
		(void)poll(NULL, 0, SIGNAL_COMES);
	if (verdict == IPC_UNAVAILABLE)
		(void)channel_stopped(channel);
	return verdict;
}

int
auth_ask_hand_over(int reader, const struct channel *channel)
{
	const char *at = channel->in + channel->in_at;
	size_t left = channel->in_end - channel->in_at;
	struct ipc_message message;
	ssize_t n;

	ipc_begin(&message, IPC_AUTH_SOCKET);
	if (ipc_send_record(reader, &message, channel->fd) == -1)
		return -1;
	for (; left > 0; at += n, left -= (size_t)n)
		if ((n = send(reader, at, left, MSG_NOSIGNAL)) == -1)
			return -1;
	return 0;
}
