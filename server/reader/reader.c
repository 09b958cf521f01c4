/*
 * reader.c: the inner door.  There is a process for each login: it has the credentials checked, becomes the mail user
 * for good, and serves the session.
 * Runs as: root until become_user, then the mail user, bound to one Maildir.
 *
 * As root it reads one record of the worker (auth_answer_parse) and asks master one question.  As the mail user
 * it reads everything else that comes from the network.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/courier/courier.h"
#include "maildir/maildir.h"
#include "server/conf.h"
#include "server/confine.h"
#include "server/log.h"
#include "server/privdrop.h"
#include "server/process.h"
#include "server/reader/auth_answer.h"
#include "server/reader/reader.h"

enum {
	RECORD_TIMEOUT = 5 * 1000, /* ms; a worker writes its record at once */
	MASTER_TIMEOUT = 10 * 1000,
	HOST_MAX = 256,
};

/* --- as root --- */

static void
log_denied(const struct reader *reader, const char *event, const char *reason)
{
	struct log_line line;

	log_begin(&line, LOG_NOTE, reader->start.protocol->name, event);
	if (reader->account.name[0] != '\0') /* an unknown name may be a password */
		log_text(&line, "user", reader->account.name);
	log_text(&line, "reason", reason);
	log_end(&line);
}

/* A process that only waits to say no must not be root. */
static void
drop_root(const struct reader *reader)
{
	if (!privdrop_possible())
		return;
	privdrop_chroot(reader->start.conf->empty_dir);
	privdrop_become(reader->start.users->worker_uid, reader->start.users->worker_gid);
	process_follow_parent();
}

/* Ends without a session, and tells the worker why. */
_Noreturn static void
refuse(const struct reader *reader, enum ipc_verdict verdict, enum reader_exit status)
{
	drop_root(reader);
	(void)auth_answer_result(reader->start.worker_fd, verdict);
	_exit(status);
}

/* Asks master a question about a name, whose answer must be of this type.  Returns whether it is. */
static bool
ask_master(const struct reader *reader, enum ipc_type question, const char *name,
    enum ipc_type answer, struct ipc_message *message_r)
{
	ipc_begin(message_r, question);
	ipc_put_string(message_r, name);
	return ipc_send(reader->start.master_fd, message_r, -1) == 0 &&
	       ipc_recv(reader->start.master_fd, message_r, MASTER_TIMEOUT, NULL) == 0 &&
	       ipc_open(message_r) == answer;
}

/* Asks master, which counts sessions, whether this user may have another one. */
static enum ipc_verdict
may_have_session(const struct reader *reader)
{
	struct ipc_message message;
	enum ipc_verdict verdict;

	if (!ask_master(reader, IPC_LOGIN, reader->account.name, IPC_LOGIN_RESULT, &message))
		return IPC_UNAVAILABLE;
	verdict = ipc_get_u8(&message);
	return ipc_done(&message) ? verdict : IPC_UNAVAILABLE;
}

/*
 * Waits for as long as master says: before a check, or until a failure may be answered.  If the worker goes during a
 * wait for the check, there is none.  But a failure keeps its place to the end, so that an attacker who leaves
 * early gains nothing.  Returns false if master did not answer.
 */
static bool
wait_as_told(const struct reader *reader, enum ipc_type question, const char *name)
{
	struct pollfd worker = {.fd = reader->start.worker_fd, .events = POLLRDHUP};
	struct ipc_message message;
	int64_t until;
	int left;

	if (!ask_master(reader, question, name, IPC_LOGIN_WAIT, &message))
		return false;
	until = clock_in(ipc_get_u32(&message));
	if (!ipc_done(&message))
		return false;
	while ((left = clock_left(until)) > 0)
		if (poll(&worker, question == IPC_LOGIN_TRY, left) > 0)
			_exit(READER_REFUSED);
	return true;
}

static void
log_login(const struct reader *reader, const struct auth_request *request)
{
	struct log_line line;

	log_begin(&line, LOG_NOTE, reader->start.protocol->name, "login");
	log_text(&line, "user", reader->account.name);
	if (request->tls_version[0] == '\0') {
		log_text(&line, "tls", "no");
	} else {
		log_client(&line, "tls", request->tls_version);
		log_client(&line, "cipher", request->cipher);
		log_number(&line, "bits", request->bits);
		log_text(&line, "resumed", request->resumed ? "yes" : "no");
		if (request->sni[0] != '\0')
			log_client(&line, "sni", request->sni);
	}
	log_end(&line);
}

/* The login.  Returns if it is right, with reader->account set; else the process ends here. */
static void
let_in(struct reader *reader, struct auth_request *request)
{
	struct ipc_message message;
	enum ipc_verdict verdict;
	const char *reason;

	if (ipc_recv_record(reader->start.worker_fd, &message, RECORD_TIMEOUT, NULL) == -1 ||
	    !auth_answer_parse(&message, request))
		_exit(READER_MALFORMED);
	if (reader->start.suspect && !wait_as_told(reader, IPC_LOGIN_TRY, request->name)) {
		log_denied(reader, "refused", "master did not answer");
		refuse(reader, IPC_UNAVAILABLE, READER_REFUSED);
	}
	switch (auth_answer_password(reader->start.conf, reader->start.users,
	    reader->start.answer_by, request, &reader->account, &reason)) {
	case AUTH_OK:
		break;
	case AUTH_DENIED:
		log_denied(reader, "denied", reason);
		drop_root(reader);
		verdict = wait_as_told(reader, IPC_LOGIN_FAILED, request->name) ? IPC_DENIED
										: IPC_UNAVAILABLE;
		refuse(reader, verdict, READER_DENIED);
	case AUTH_BROKEN:
	default:
		log_denied(reader, "accounts-broken", reason);
		refuse(reader, IPC_UNAVAILABLE, READER_REFUSED);
	}
	verdict = may_have_session(reader);
	if (verdict != IPC_ACCEPTED) {
		log_denied(reader, "refused",
		    verdict == IPC_TOO_SOON   ? "login delay"
		    : verdict == IPC_TOO_MANY ? "connections of this user"
					      : "master did not answer");
		refuse(reader, verdict, READER_REFUSED);
	}
	close(reader->start.master_fd);
	reader->start.master_fd = -1;
}

/* --- the mail user --- */

int
reader_maildir_path(
    const char *setting, const struct auth_account *account, char *out_r, size_t size)
{
	const char *name = account->name, *domain = strchrnul(name, '@'), *piece;
	size_t at = 0, len;

	for (const char *from = setting; *from != '\0'; from++) {
		piece = from;
		len = 1;
		if (from == setting && *from == '~') {
			piece = account->home;
			len = strlen(piece);
		} else if (*from == '%') {
			from++;
			if (*from != 'u' && *from != 'n' && *from != 'd')
				return -1;
			piece = *from != 'd' ? name : domain + (*domain == '@' ? 1 : 0);
			len = *from == 'n' ? (size_t)(domain - name) : strlen(piece);
		}
		if (len >= size - at)
			return -1;
		memcpy(out_r + at, piece, len);
		at += len;
	}
	out_r[at] = '\0';
	return 0;
}

static void
notice(void *ctx, const char *text)
{
	const struct reader *reader = ctx;

	log_event(LOG_WARN, "maildir", "notice", "user", reader->account.name, "text", text);
}

_Noreturn static void
no_mail(const struct reader *reader, const char *what, int error)
{
	trouble_maildir(&reader->trouble, what, error);
	refuse(
	    reader, error == ENOMEM || error == EIO ? IPC_UNAVAILABLE : IPC_BROKEN, READER_REFUSED);
}

static bool
is_gone(void *ctx)
{
	return channel_gone(ctx);
}

void
reader_stops_when_gone(struct reader *reader)
{
	maildir_on_stop(reader->maildir, is_gone, &reader->channel);
}

/* Takes on the account's identity for good, with the Maildir as the root directory; nothing after it needs root. */
static void
become_user(struct reader *reader)
{
	const struct conf *conf = reader->start.conf;
	char host[HOST_MAX] = "localhost";
	const char *inside;

	reader->trouble = (struct trouble){.protocol = reader->start.protocol->name,
	    .account = &reader->account,
	    .path = reader->maildir_path,
	    .inside = reader->maildir_path};
	(void)gethostname(host, sizeof(host) - 1);
	if (!privdrop_possible() && reader->account.uid != geteuid()) {
		log_event(LOG_ERROR, "reader", "not-root", "user", reader->account.name, "reason",
		    "only accounts of the user who runs sallyport can be served");
		refuse(reader, IPC_BROKEN, READER_REFUSED);
	}
	if (reader_maildir_path(conf->maildir, &reader->account, reader->maildir_path,
		sizeof(reader->maildir_path)) == -1)
		no_mail(reader, "maildir setting", EINVAL);
	privdrop_become_user(reader->account.uid, reader->account.gid);
	process_follow_parent();
	umask(077);
	if (maildir_create(reader->maildir_path) == -1)
		no_mail(reader, "create", errno);
	inside = privdrop_enter(reader->maildir_path);
	if (inside == NULL)
		no_mail(reader, "enter", errno);
	reader->trouble.inside = inside;
	process_title("reader");
	channel_on_sigterm();
	confine_reader(inside, conf->memory);
	if (maildir_open(inside, host, &reader->maildir) == -1 ||
	    maildir_known_as(reader->maildir, reader->maildir_path) == -1)
		no_mail(reader, "open", errno);
	courier_import(reader->maildir);
	reader->trouble.maildir = reader->maildir;
	maildir_on_notice(reader->maildir, notice, reader);
	/* No deadline: the worker goes when the client does. */
	channel_init(&reader->channel, reader->start.worker_fd, CLOCK_NEVER,
	    reader->start.protocol->times(conf).idle);
	reader_stops_when_gone(reader);
}

/* Without TLS the worker hands the client's socket over, and the input that came after the login. */
static void
take_socket(struct reader *reader)
{
	struct channel *channel = &reader->channel;
	struct pollfd wait = {.fd = reader->start.worker_fd, .events = POLLIN};
	struct ipc_message message;
	ssize_t n;
	int fd;

	if (ipc_recv_record(reader->start.worker_fd, &message, RECORD_TIMEOUT, &fd) == -1 ||
	    fd == -1 || ipc_open(&message) != IPC_AUTH_SOCKET)
		_exit(READER_MALFORMED);
	while (
	    channel->in_end < CHANNEL_IN && poll(&wait, 1, RECORD_TIMEOUT) == 1 &&
	    (n = recv(wait.fd, channel->in + channel->in_end, CHANNEL_IN - channel->in_end, 0)) > 0)
		channel->in_end += (size_t)n;
	close(reader->start.worker_fd);
	channel->fd = fd;
}

static void
begin_session(struct reader *reader, bool tls)
{
	if (auth_answer_result(reader->start.worker_fd, IPC_ACCEPTED) == -1)
		_exit(READER_MALFORMED);
	if (!tls)
		take_socket(reader);
	confine_no_passing();
}

static void
log_session_end(const struct reader *reader)
{
	const struct channel *channel = &reader->channel;
	struct log_line line;

	log_begin(&line, LOG_NOTE, reader->start.protocol->name, "end");
	log_text(&line, "user", reader->account.name);
	log_text(&line, "reason",
	    reader->reason != NULL ? reader->reason : channel_end_text(channel->end));
	log_number(&line, "messages", (long long)reader->messages);
	log_number(&line, "removed", (long long)reader->removed);
	log_number(&line, "in", (long long)channel->octets_in);
	log_number(&line, "out", (long long)channel->octets_out);
	log_end(&line);
}

_Noreturn void
reader_main(const struct reader_start *start)
{
	static struct reader reader;
	static struct auth_request request;
	const int keep[] = {start->worker_fd, start->master_fd};
	enum ipc_verdict verdict;

	reader.start = *start;
	process_enter("login", keep, 2);
	confine_undumpable();
	/* The session's channel; a client's socket that is handed over is already so. */
	if (fcntl(start->worker_fd, F_SETFL, O_NONBLOCK) == -1)
		fatal("reader", "fcntl");
	let_in(&reader, &request);
	become_user(&reader);
	verdict = start->protocol->open(&reader);
	if (verdict != IPC_ACCEPTED)
		refuse(&reader, verdict, READER_REFUSED);
	log_login(&reader, &request);
	begin_session(&reader, request.tls_version[0] != '\0');
	start->protocol->serve(&reader);
	channel_flush(&reader.channel);
	log_session_end(&reader);
	maildir_close(&reader.maildir);
	channel_clear(&reader.channel);
	_exit(READER_DONE);
}
