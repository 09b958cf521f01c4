/*
 * worker.c: the outer door.  There is a process for each connection: TLS, the dialogue before login, and then a relay
 * between the client and the reader.
 * Runs as: worker_user in an empty root directory, as its spawner.
 */
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/conf.h"
#include "server/confine.h"
#include "server/log.h"
#include "server/process.h"
#include "server/worker/auth_ask.h"
#include "server/worker/key_ask.h"
#include "server/worker/relay.h"
#include "server/worker/worker.h"

enum { RECORD_ROOM = 16 * 1024 }; /* octets that TLS allocates for a record, at least */

bool
worker_may_login(const struct worker *worker)
{
	return worker->channel.tls != NULL ||
	       (worker->start.conf->login_in_clear == CONF_CLEAR_LOOPBACK &&
		   worker->start.loopback);
}

bool
worker_login_begins(struct worker *worker)
{
	bool may = worker_may_login(worker);

	if (!may && !worker->in_clear)
		log_event(LOG_NOTE, worker->start.protocol->name, "refused", "reason",
		    "login without TLS");
	worker->in_clear = worker->in_clear || !may;
	return may;
}

static void
log_handshake(const struct worker *worker, const char *event, const char *error)
{
	struct tls_info info;
	struct log_line line;

	if (worker->start.conf->log_tls != CONF_LOG_TLS_FULL)
		return;
	log_begin(&line, LOG_NOTE, "tls", event);
	if (error != NULL) {
		log_text(&line, "error", error);
	} else {
		tls_stream_info(worker->channel.tls, &info);
		log_text(&line, "tls", info.version);
		log_text(&line, "cipher", info.cipher);
		log_number(&line, "bits", info.bits);
		log_text(&line, "resumed", info.resumed ? "yes" : "no");
		log_client(&line, "sni", info.sni);
		log_client(&line, "alpn", info.alpn);
	}
	log_end(&line);
}

/*
 * Gives the room for TLS records a mapping of its own, of which only touched pages take memory.  Most connections
 * fill little of it.  Room from the heap would be cleared, and so touched, by calloc.
 */
static void
spare_memory(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, RECORD_ROOM);
	(void)mallopt(M_TOP_PAD, RECORD_ROOM / 2);
	(void)malloc_trim(0);
}

bool
worker_start_tls(struct worker *worker)
{
	struct channel *channel = &worker->channel;
	struct tls_stream *tls;
	enum tls_result result;

	if (worker->confined)
		confine_no_passing(); /* only a connection in the clear is handed over */
	spare_memory();
	tls = tls_stream_new(
	    worker->start.tls_server, channel->fd, worker->start.protocol->alpn, &worker->keys);
	if (tls == NULL)
		fatalx("worker", "no memory for TLS");
	while ((result = tls_handshake(tls)) != TLS_OK) {
		if ((result == TLS_WANT_READ && channel_wait(channel, POLLIN)) ||
		    (result == TLS_WANT_WRITE && channel_wait(channel, POLLOUT)))
			continue;
		if (channel->end == CHANNEL_OPEN)
			channel->end = CHANNEL_FAILED;
		break;
	}
	if (result == TLS_OK) {
		channel->tls = tls;
		log_handshake(worker, "handshake", NULL);
	} else {
		worker->reason = tls_stream_alert(tls);
		if (worker->reason == NULL)
			worker->reason = "handshake failed";
		log_handshake(worker, "handshake-failed", tls_stream_error(tls));
		tls_stream_free(&tls);
	}
	/* This connection needs the key process for one handshake only. */
	if (worker->link.channel != -1)
		close(worker->link.channel);
	worker->link.channel = -1;
	return result == TLS_OK;
}

enum ipc_verdict
worker_login(struct worker *worker, const char *name, const char *password)
{
	enum ipc_verdict verdict;

	if (!channel_flush(&worker->channel))
		return IPC_UNAVAILABLE;
	verdict = auth_ask_password(worker->start.reader_fd, &worker->channel, name, password);
	if (verdict != IPC_ACCEPTED)
		worker->failures++;
	return verdict;
}

bool
worker_exhausted(const struct worker *worker)
{
	return worker->failures >= worker->start.conf->login_failures;
}

static void
log_end_before_login(const struct worker *worker)
{
	const struct channel *channel = &worker->channel;
	const char *reason = worker->reason;
	struct log_line line;

	/* Some clients verify the certificate after the handshake, and then alert. */
	if (reason == NULL && channel->tls != NULL)
		reason = tls_stream_alert(channel->tls);
	log_begin(&line, LOG_NOTE, worker->start.protocol->name, "end");
	log_text(&line, "reason", reason != NULL ? reason : channel_end_text(channel->end));
	log_number(&line, "in", (long long)channel->octets_in);
	log_number(&line, "out", (long long)channel->octets_out);
	log_end(&line);
}

/* All from the first octet to the login.  false: there was no login. */
static bool
before_login(struct worker *worker)
{
	const struct worker_start *start = &worker->start;

	if (start->tls && !worker_start_tls(worker))
		return false;
	if (start->protocol->prelogin(worker))
		return true;
	if (worker->channel.end == CHANNEL_STOPPED) {
		worker->channel.end = CHANNEL_OPEN;
		channel_stop = 0;
		worker->reason = "made room or shut down";
		channel_puts(&worker->channel, start->protocol->refusals[REFUSE_EVICTED]);
	}
	channel_flush(&worker->channel);
	return false;
}

static void
after_login(struct worker *worker)
{
	struct channel *channel = &worker->channel;

	if (channel->tls != NULL) {
		relay_run(channel, worker->start.reader_fd);
		return;
	}
	if (auth_ask_hand_over(worker->start.reader_fd, channel) == -1)
		log_event(LOG_WARN, "worker", "no-handover", "error", strerror(errno));
	close(channel->fd); /* without a shutdown: the connection is the reader's now */
	channel->fd = -1;
}

static void
lock_in(const struct worker_start *start)
{
	const int keep[] = {start->client_fd, start->reader_fd, start->key_fd};

	process_enter("worker", keep, 3);
	channel_on_sigterm();
	confine_worker(start->conf->memory);
}

_Noreturn void
worker_main(const struct worker_start *start)
{
	static struct worker worker; /* 20 KiB, and just one */

	worker.start = *start;
	lock_in(start);
	worker.confined = true;
	channel_init(&worker.channel, start->client_fd, start->deadline, CLOCK_NEVER);
	worker.link = (struct key_link){.channel = start->key_fd, .client = start->client_fd};
	worker.keys = key_ask_service(&worker.link);
	if (tls_process_init() == -1)
		fatalx("worker", "TLS library");
	if (before_login(&worker))
		after_login(&worker);
	else
		log_end_before_login(&worker);
	channel_clear(&worker.channel);
	_exit(EXIT_SUCCESS);
}
