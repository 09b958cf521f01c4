/*
 * selftest.c: handshakes with every certificate before master accepts connections.
 * Runs as: worker_user, in a confined child of the outer spawner.
 */
#include <stdlib.h>
#include <unistd.h>

#include "server/confine.h"
#include "server/log.h"
#include "server/process.h"
#include "server/spawner/selftest.h"
#include "server/worker/key_ask.h"
#include "tls/tls.h"

/* A self-test needs no tickets. */
static ssize_t
no_ticket(void *ctx, const unsigned char *in, size_t len, unsigned char *out, size_t size)
{
	(void)ctx, (void)in, (void)len, (void)out, (void)size;
	return -1;
}

_Noreturn void
selftest_main(struct tls_server *tls, int key_fd, int64_t memory)
{
	const struct key_link link = {.channel = key_fd, .client = -1};
	struct tls_key_service service = key_ask_service(&link);
	struct tls_error error;

	service.seal = service.open = no_ticket;
	process_enter("self-test", &key_fd, 1);
	confine_worker(memory);
	if (tls_process_init() == -1)
		fatalx("self-test", "TLS library");
	if (tls_server_selftest(tls, &service, &error) == 0)
		_exit(EXIT_SUCCESS);
	log_event(LOG_ERROR, "self-test", "failed", "error", error.text);
	_exit(EXIT_FAILURE);
}
