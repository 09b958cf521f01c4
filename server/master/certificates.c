/*
 * certificates.c: certificates and their key process.
 * Runs as: root (master); the self-test in a confined child as worker_user.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/conf.h"
#include "server/confine.h"
#include "server/ipc.h"
#include "server/key/key.h"
#include "server/log.h"
#include "server/master/certificates.h"
#include "server/privdrop.h"
#include "server/process.h"
#include "server/roles.h"
#include "server/worker/key_ask.h"
#include "tls/tls.h"

static void
mix(unsigned long long *print, unsigned long long value)
{
	*print = (*print ^ value) * 1099511628211ULL; /* FNV-1a */
}

/* One number for the state of all files: it differs when one was changed or replaced. */
static unsigned long long
fingerprint(const struct conf *conf)
{
	unsigned long long print = 14695981039346656037ULL;
	struct stat st;
	size_t i, which;

	for (i = 0; i < conf->certificates_len; i++)
		for (which = 0; which < 2; which++) {
			const struct conf_certificate *c = &conf->certificates[i];

			if (stat(which == 0 ? c->chain : c->key, &st) == -1)
				memset(&st, 0, sizeof(st));
			mix(&print, (unsigned long long)st.st_ino);
			mix(&print, (unsigned long long)st.st_size);
			mix(&print, (unsigned long long)st.st_mtim.tv_sec);
			mix(&print, (unsigned long long)st.st_mtim.tv_nsec);
			mix(&print, (unsigned long long)st.st_ctim.tv_sec);
			mix(&print, (unsigned long long)st.st_ctim.tv_nsec);
		}
	return print;
}

bool
certificates_stale(const struct certificates *certificates, const struct conf *conf)
{
	return certificates->print != fingerprint(conf);
}

static int
load_certificates(struct certificates *g, const struct conf *conf)
{
	struct tls_error error;
	size_t i;

	g->tls = tls_server_new();
	if (g->tls == NULL)
		return -1;
	for (i = 0; i < conf->certificates_len; i++)
		if (tls_server_add(g->tls, conf->certificates[i].chain, &error) == -1)
			goto wrong;
	if (tls_server_ready(g->tls, &error) == 0)
		return 0;
wrong:
	log_event(LOG_ERROR, "master", "certificate-wrong", "error", error.text);
	return -1;
}

/* The key process is forked first, so that it inherits as little as can be. */
static int
fork_key(struct certificates *g, const struct conf *conf, const struct roles *roles)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	g->key = fork();
	if (g->key == 0)
		key_main(conf, roles, pair[1]);
	close(pair[1]);
	g->control = pair[0];
	return g->key == -1 ? -1 : 0;
}

struct certificates *
certificates_new(const struct conf *conf, const struct roles *roles)
{
	struct certificates *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->control = -1;
	g->key = g->test = -1;
	g->print = fingerprint(conf);
	if (fork_key(g, conf, roles) == -1) {
		log_event(LOG_ERROR, "master", "no-key-process", "error", strerror(errno));
		g->state = CERTIFICATES_FAILED;
	} else if (load_certificates(g, conf) == -1)
		g->state = CERTIFICATES_FAILED;
	return g;
}

void
certificates_free(struct certificates **certificates)
{
	struct certificates *g = *certificates;

	if (g == NULL)
		return;
	if (g->control != -1)
		close(g->control);
	if (g->test != -1)
		(void)kill(g->test, SIGKILL);
	if (g->tls != NULL)
		tls_server_free(&g->tls);
	free(g);
	*certificates = NULL;
}

int
certificates_channel(const struct certificates *certificates)
{
	struct ipc_message message;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	ipc_begin(&message, IPC_KEY_CHANNEL);
	if (ipc_send(certificates->control, &message, pair[1]) == -1) {
		close(pair[0]);
		pair[0] = -1;
	}
	close(pair[1]);
	return pair[0];
}

/*
 * Handshakes with every certificate as a worker would, confined as one.  The quota of a channel is
 * one signature, so the service takes a new channel for each from a stock made before.
 */
struct stock {
	int channels[2 * CONF_CERTIFICATES_MAX];
	size_t len, next;
};

static ssize_t
stock_sign(void *ctx, const struct tls_sign_request *request, unsigned char *out, size_t size)
{
	struct stock *stock = ctx;
	struct tls_key_service service;

	if (stock->next == stock->len)
		return -1;
	service = key_ask_service(&stock->channels[stock->next++]);
	return service.sign(service.ctx, request, out, size);
}

static ssize_t
stock_nothing(void *ctx, const unsigned char *in, size_t len, unsigned char *out, size_t size)
{
	(void)ctx, (void)in, (void)len, (void)out, (void)size;
	return -1; /* a self-test needs no tickets */
}

_Noreturn static void
test_main(const struct certificates *g, const struct conf *conf, const struct roles *roles,
    struct stock *stock)
{
	const struct tls_key_service service = {stock, stock_sign, stock_nothing, stock_nothing};
	struct tls_error error;

	process_title("self-test");
	privdrop_chroot(conf->empty_dir);
	privdrop_become(roles->worker_uid, roles->worker_gid);
	confine_worker(conf->memory);
	if (tls_process_init() == -1)
		fatalx("self-test", "TLS library");
	if (tls_server_selftest(g->tls, &service, &error) == 0)
		_exit(EXIT_SUCCESS);
	log_event(LOG_ERROR, "self-test", "failed", "error", error.text);
	_exit(EXIT_FAILURE);
}

static void
begin_test(struct certificates *g, const struct conf *conf, const struct roles *roles)
{
	struct stock stock = {.len = 0};
	size_t i;

	for (i = 0; i < 2 * tls_server_count(g->tls); i++) {
		int channel = certificates_channel(g);

		if (channel != -1)
			stock.channels[stock.len++] = channel;
	}
	g->test = fork();
	if (g->test == 0)
		test_main(g, conf, roles, &stock);
	for (i = 0; i < stock.len; i++)
		close(stock.channels[i]);
	g->state = g->test == -1 ? CERTIFICATES_FAILED : CERTIFICATES_TESTING;
}

void
certificates_on_control(struct certificates *g, const struct conf *conf, const struct roles *roles)
{
	struct ipc_message message;
	char wrong[512] = "the key process ended without a word";

	if (g->state != CERTIFICATES_LOADING)
		return;
	if (ipc_recv(g->control, &message, 0, NULL) == 0 && ipc_open(&message) == IPC_KEY_READY) {
		ipc_get_string(&message, wrong, sizeof(wrong));
		if (ipc_done(&message) && wrong[0] == '\0') {
			begin_test(g, conf, roles);
			return;
		}
	}
	log_event(LOG_ERROR, "master", "key-wrong", "error", wrong);
	g->state = CERTIFICATES_FAILED;
}

bool
certificates_on_exit(struct certificates *g, pid_t pid, int status)
{
	if (pid == g->test) {
		g->test = -1;
		if (g->state != CERTIFICATES_TESTING)
			return true;
		g->state = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? CERTIFICATES_READY
									 : CERTIFICATES_FAILED;
		if (g->state == CERTIFICATES_FAILED)
			log_event(LOG_ERROR, "master", "self-test-failed", "error",
			    "signatures do not come from the key process");
		return true;
	}
	if (pid == g->key) {
		g->key = -1;
		/* While loading, its last words are still in control. */
		if (g->state != CERTIFICATES_LOADING)
			g->state = CERTIFICATES_FAILED;
		return true;
	}
	return false;
}
