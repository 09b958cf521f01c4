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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
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
	KEY_PROCESSES_MAX =
	    4, /* that sign by RSA: more would take the processors from those who serve */
	/* Questions of a network that may wait: an RSA-4096 signature takes some 10 ms, so the last has its answer within
	 * a second.  The channels of all others of that network are closed. */
	KEY_WAITING_MAX = 64,
	KEY_NETWORKS = 4096,  /* places for what networks have had; two in one place share it */
	KEY_HALVED = 1 << 10, /* ms in which what a network has had counts half */
};

/* The time in microseconds that a network has had of late. */
struct key_share {
	int64_t at; /* ms, when it was last halved */
	uint64_t used;
};

struct key {
	struct tls_keys *keys;
	struct tls_tickets *tickets;
	size_t len; /* channels; poll[0] is control, channel i is poll[i + 1] */
	struct pollfd poll[KEY_CHANNELS_MAX + 1];
	struct key_quota quota[KEY_CHANNELS_MAX];
	struct key_share share[KEY_NETWORKS];
	unsigned waiting[KEY_NETWORKS]; /* channels that wait, in one round */
};

static bool is_helper; /* not the process that master has started */
static volatile sig_atomic_t helper_died;
static sigset_t while_waiting; /* the signals that are blocked in ppoll: none */

static int64_t
microseconds(void)
{
	struct timespec ts;

	return clock_gettime(CLOCK_MONOTONIC, &ts) == 0
		   ? ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000
		   : 0;
}

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
	uint32_t connection;
	uint64_t network;
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
	network = (uint64_t)ipc_get_u32(&message) << 32;
	network |= ipc_get_u32(&message);
	connection = ipc_get_u32(&message);
	if (type != IPC_KEY_CHANNEL || !ipc_done(&message) || key->len == KEY_CHANNELS_MAX) {
		close(fd);
		return;
	}
	key->quota[key->len] = (struct key_quota)KEY_QUOTA;
	key->quota[key->len].signatures = signatures;
	key->quota[key->len].network = network;
	key->quota[key->len].connection = connection;
	key->poll[key->len + 1] = (struct pollfd){.fd = fd, .events = POLLIN};
	key->len++;
}

/*
 * Tells master of a signature, before the worker gets it: master logs those that no login follows.  After a reload control
 * is closed; then the line is written here.
 */
static void
tell_signed(const struct key *key, uint32_t connection)
{
	struct ipc_message message;
	char id[16];

	ipc_begin(&message, IPC_KEY_SIGNED);
	ipc_put_u32(&message, connection);
	if (connection == 0 || ipc_post(key->poll[0].fd, &message, NULL, 0) == 0)
		return;
	snprintf(id, sizeof(id), "%08x", (unsigned)connection);
	log_event(LOG_NOTE, "key", "signed", "connection", id);
}

static void
serve_channel(struct key *key, size_t i)
{
	struct key_quota *quota = &key->quota[i];
	const uint8_t signatures = quota->signatures;
	struct ipc_message message;
	int fd = key->poll[i + 1].fd;
	const char *wrong;

	if (ipc_recv(fd, &message, 0, NULL) == -1) {
		drop(key, i);
		return;
	}
	wrong = key_answer(key->keys, key->tickets, clock_now() / 1000, quota, &message);
	if (wrong == NULL && quota->signatures < signatures)
		tell_signed(key, quota->connection);
	if (wrong != NULL)
		log_event(LOG_WARN, "key", "refused", "reason", wrong);
	if (wrong != NULL || ipc_send(fd, &message, -1) == -1)
		drop(key, i);
	ipc_wipe(&message);
}

/* --- whose turn it is --- */

static size_t
place_of(const struct key *key, size_t i)
{
	return key->quota[i].network % KEY_NETWORKS;
}

static struct key_share *
share_of(struct key *key, size_t i, int64_t now)
{
	struct key_share *share = &key->share[place_of(key, i)];

	for (; share->used > 0 && now - share->at >= KEY_HALVED; share->at += KEY_HALVED)
		share->used /= 2;
	if (share->used == 0)
		share->at = now;
	return share;
}

/* The first round over the channels: those whose worker has gone, and those that are too many of one network, go. */
static void
drop_those_in_vain(struct key *key)
{
	memset(key->waiting, 0, sizeof(key->waiting));
	/* Backwards, since drop() moves the last channel into the gap. */
	for (size_t i = key->len; i-- > 0;) {
		short events = key->poll[i + 1].revents;

		if ((events & (POLLHUP | POLLERR)) != 0 ||
		    ((events & POLLIN) != 0 && key->waiting[place_of(key, i)]++ >= KEY_WAITING_MAX))
			drop(key, i);
	}
}

/* Answers one question, of the network that has had least of late.  Returns false if none waits. */
static bool
serve_next(struct key *key)
{
	int64_t now = clock_now(), began;
	uint64_t least = UINT64_MAX;
	size_t next = key->len;
	struct key_share *share;

	for (size_t i = 0; i < key->len; i++)
		if ((key->poll[i + 1].revents & POLLIN) != 0 &&
		    share_of(key, i, now)->used < least) {
			least = share_of(key, i, now)->used;
			next = i;
		}
	if (next == key->len)
		return false;
	share = share_of(key, next, now);
	began = microseconds();
	serve_channel(key, next);
	share->used += (uint64_t)(microseconds() - began) + 1;
	return true;
}

/* A helper that ends well has nothing left to do, since control was closed. */
static void
on_child(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	if (info->si_code != CLD_EXITED || info->si_status != EXIT_SUCCESS)
		helper_died = 1;
}

/* SIGCHLD arrives only while the process waits, so that none comes between a look at helper_died and the wait. */
static void
watch_helpers(void)
{
	struct sigaction action = {.sa_flags = SA_SIGINFO | SA_NOCLDSTOP | SA_NOCLDWAIT};
	sigset_t blocked;

	action.sa_sigaction = on_child;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	if (sigaction(SIGCHLD, &action, NULL) == -1 ||
	    sigprocmask(SIG_BLOCK, &blocked, &while_waiting) == -1)
		fatal("key", "signals");
}

_Noreturn static void
loop(struct key *key)
{
	static const struct timespec at_once = {0, 0};

	while (key->poll[0].fd != -1 || key->len > 0) {
		int n = ppoll(key->poll, key->len + 1, NULL, &while_waiting);

		if (n == -1 && errno != EINTR)
			fatal("key", "ppoll");
		/* A wait that finds work at once delivers no signal; a wait for nothing does. */
		(void)ppoll(NULL, 0, &at_once, &while_waiting);
		/* All end, and master starts others: a helper that is forked now would have keys that have signed. */
		if (helper_died)
			fatalx("key", "a process that signs has died");
		if (n == -1)
			continue;
		drop_those_in_vain(key);
		/* One signature, and another look: meanwhile workers may have gone, or others have come. */
		(void)serve_next(key);
		if (key->poll[0].fd != -1 && key->poll[0].revents != 0)
			serve_control(key);
	}
	tls_keys_free(&key->keys);
	tls_tickets_free(&key->tickets);
	_exit(EXIT_SUCCESS);
}

/*
 * An RSA signature takes a processor for milliseconds: then there is a process for each, up to a few.  They share the
 * control socket, so that an idle one takes the next channel, and have the same keys at any time.  Forked before the
 * first signature, since a key that has signed carries numbers that must not be used twice.
 */
static void
fork_helpers(const struct key *key)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (!tls_keys_have_rsa(key->keys))
		return;
	for (long i = 1; i < processors && i < KEY_PROCESSES_MAX; i++)
		if (fork() == 0) {
			is_helper = true;
			return;
		}
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
	watch_helpers();
	if (*wrong == '\0')
		fork_helpers(&key);
	if (is_helper)
		process_renew_guards(); /* here, since this function never returns */
	privdrop_chroot(conf->empty_dir);
	privdrop_become(users->key_uid, users->key_gid);
	process_follow_parent();
	confine_key(KEY_MEMORY);
	if (!is_helper) {
		ipc_begin(&message, IPC_READY);
		ipc_put_string(&message, wrong);
		if (ipc_send(control, &message, -1) == -1 || *wrong != '\0')
			_exit(EXIT_FAILURE);
	}
	key.poll[0] = (struct pollfd){.fd = control, .events = POLLIN};
	loop(&key);
}
