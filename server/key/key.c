/*
 * key.c: the process that holds the private keys and the ticket keys.
 * Runs as: root while it reads the key files, then key_user in an empty root directory.
 *
 * It is started by exec and never takes another role.  master sends channels over control,
 * one for each connection.  The worker at the other end of a channel may be hostile, so a channel has a quota,
 * and the first malformed message closes it.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/conf.h"
#include "server/confine.h"
#include "server/ipc.h"
#include "server/key/key.h"
#include "server/key/key_answer.h"
#include "server/log.h"
#include "server/privdrop.h"
#include "server/process.h"

enum {
	KEY_CHANNELS_MAX = 8000, /* see CONFINE_KEY_FILES */
	KEY_MEMORY = 64 << 20,	 /* octets; keys and 8000 channels need far less */
};

struct key {
	struct tls_keys *keys;
	struct tls_tickets *tickets;
	size_t len; /* channels; poll[0] is control, channel i is poll[i + 1] */
	struct pollfd poll[KEY_CHANNELS_MAX + 1];
	struct key_quota quota[KEY_CHANNELS_MAX];
};

/* Reads all keys.  Returns what is wrong, or "". */
static const char *
load(struct key *key, const struct conf *conf)
{
	static struct tls_error error;
	size_t i;

	key->keys = tls_keys_new();
	key->tickets = tls_tickets_new(TLS_TICKET_LIFETIME, clock_now() / 1000);
	if (key->keys == NULL || key->tickets == NULL)
		return "out of memory";
	for (i = 0; i < conf->certificates_len; i++)
		if (tls_keys_add(key->keys, conf->certificates[i].chain, conf->certificates[i].key,
			&error) == -1)
			return error.text;
	return "";
}

static void
drop(struct key *key, size_t i)
{
	close(key->poll[i + 1].fd);
	key->len--;
	key->poll[i + 1] = key->poll[key->len + 1];
	key->quota[i] = key->quota[key->len];
}

/* Takes a new channel from master; control ends when master has ended or has another key process. */
static void
serve_control(struct key *key)
{
	struct ipc_message message;
	uint8_t signatures;
	unsigned type;
	int fd;

	if (ipc_recv(key->poll[0].fd, &message, 0, &fd) == -1) {
		if (errno == EPIPE || errno == ECONNRESET)
			key->poll[0].fd = -1;
		return;
	}
	if (fd == -1)
		return;
	type = ipc_open(&message);
	signatures = ipc_get_u8(&message);
	if (type != IPC_KEY_CHANNEL || !ipc_done(&message) || key->len == KEY_CHANNELS_MAX) {
		close(fd);
		return;
	}
	key->quota[key->len] = (struct key_quota)KEY_QUOTA;
	key->quota[key->len].signatures = signatures;
	key->poll[key->len + 1] = (struct pollfd){.fd = fd, .events = POLLIN};
	key->len++;
}

static void
serve_channel(struct key *key, size_t i)
{
	struct ipc_message message;
	int fd = key->poll[i + 1].fd;

	bool well;

	if (ipc_recv(fd, &message, 0, NULL) == -1) {
		drop(key, i);
		return;
	}
	well = key_answer(key->keys, key->tickets, clock_now() / 1000, &key->quota[i], &message);
	if (!well)
		log_event(LOG_WARN, "key", "refused", "reason", "a worker asked beyond its quota");
	if (!well || ipc_send(fd, &message, -1) == -1)
		drop(key, i);
	ipc_wipe(&message);
}

_Noreturn static void
loop(struct key *key)
{
	size_t i;

	while (key->poll[0].fd != -1 || key->len > 0) {
		if (poll(key->poll, key->len + 1, -1) == -1 && errno != EINTR)
			fatal("key", "poll");
		/* Backwards, since drop() moves the last channel into the gap. */
		for (i = key->len; i-- > 0;)
			if (key->poll[i + 1].revents != 0)
				serve_channel(key, i);
		if (key->poll[0].fd != -1 && key->poll[0].revents != 0)
			serve_control(key);
	}
	tls_keys_free(&key->keys);
	tls_tickets_free(&key->tickets);
	_exit(EXIT_SUCCESS);
}

_Noreturn void
key_main(const struct conf *conf, const struct service_users *users, int control)
{
	static struct key key; /* untouched pages cost nothing */
	struct ipc_message message;
	const char *wrong;

	process_enter("key", &control, 1);
	confine_undumpable();
	wrong = load(&key, conf);
	privdrop_chroot(conf->empty_dir);
	privdrop_become(users->key_uid, users->key_gid);
	process_follow_parent();
	confine_key(KEY_MEMORY);
	ipc_begin(&message, IPC_READY);
	ipc_put_string(&message, wrong);
	if (ipc_send(control, &message, -1) == -1 || *wrong != '\0')
		_exit(EXIT_FAILURE);
	key.poll[0] = (struct pollfd){.fd = control, .events = POLLIN};
	loop(&key);
}
