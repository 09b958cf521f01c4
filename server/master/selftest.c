/*
 * selftest.c: handshakes with every certificate before master accepts connections.
 * Runs as: root (master); then as worker_user, in a confined child.
 */
#include <stdlib.h>
#include <unistd.h>

#include "server/confine.h"
#include "server/log.h"
#include "server/master/selftest.h"
#include "server/privdrop.h"
#include "server/process.h"
#include "server/worker/key_ask.h"
#include "tls/tls.h"

static ssize_t
sign(void *ctx, const struct tls_sign_request *request, unsigned char *out, size_t size)
{
	struct selftest_channels *channels = ctx;
	struct tls_key_service service;

	if (channels->next == channels->len)
		return -1;
	service = key_ask_service(&channels->list[channels->next++]);
	return service.sign(service.ctx, request, out, size);
}

/* A self-test needs no tickets. */
static ssize_t
no_ticket(void *ctx, const unsigned char *in, size_t len, unsigned char *out, size_t size)
{
	(void)ctx, (void)in, (void)len, (void)out, (void)size;
	return -1;
}

_Noreturn static void
test_main(const struct conf *conf, const struct service_users *users, struct tls_server *tls,
    struct selftest_channels *channels)
{
	const struct tls_key_service service = {channels, sign, no_ticket, no_ticket};
	struct tls_error error;

	process_title("self-test");
	privdrop_chroot(conf->empty_dir);
	privdrop_become(users->worker_uid, users->worker_gid);
	confine_worker(conf->memory);
	if (tls_process_init() == -1)
		fatalx("self-test", "TLS library");
	if (tls_server_selftest(tls, &service, &error) == 0)
		_exit(EXIT_SUCCESS);
	log_event(LOG_ERROR, "self-test", "failed", "error", error.text);
	_exit(EXIT_FAILURE);
}

pid_t
selftest_start(const struct conf *conf, const struct service_users *users, struct tls_server *tls,
    struct selftest_channels *channels)
{
	pid_t pid = fork();
	size_t i;

	if (pid == 0)
		test_main(conf, users, tls, channels);
	for (i = 0; i < channels->len; i++)
		close(channels->list[i]);
	return pid;
}
