/*
 * spawner.c: forks workers or readers for master, passes signals on to them, and reports their ends.
 * Runs as: worker_user in the empty directory (outer spawner), root (inner spawner).
 *
 * A spawner obeys master, and reads nothing that a client or a child wrote.  Only it signals its children: they are
 * named by the connection's id, so that no number of a process can be reused meanwhile.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "maildir/base/array.h"
#include "maildir/message/charset.h"
#include "server/clock.h"
#include "server/conf.h"
#include "server/confine.h"
#include "server/ipc.h"
#include "server/log.h"
#include "server/privdrop.h"
#include "server/process.h"
#include "server/reader/reader.h"
#include "server/reader/users_file.h"
#include "server/spawner/selftest.h"
#include "server/spawner/spawner.h"
#include "server/worker/worker.h"
#include "tls/tls.h"

struct child {
	pid_t pid;
	uint32_t id; /* of the connection; 0: of none */
};

struct spawner {
	const struct conf *conf;
	const struct service_users *users;
	int control, signals;
	struct tls_server *tls; /* outer spawner: the certificates */
	struct child *child;
	size_t len, room;
};

/* --- children --- */

static void
report_end(const struct spawner *s, uint32_t id, uint32_t status)
{
	struct ipc_message message;

	ipc_begin(&message, IPC_SPAWN_ENDED);
	ipc_put_u32(&message, id);
	ipc_put_u32(&message, status);
	if (ipc_send(s->control, &message, -1) == -1)
		_exit(EXIT_SUCCESS); /* master has gone */
}

/* Forks a child for that connection; 0 in the child, which must renew its canary first and never return. */
static pid_t
fork_child(struct spawner *s, uint32_t id)
{
	struct child *list = array_grow(s->child, s->len, &s->room, sizeof(*list));
	pid_t pid = -1;

	if (list != NULL) {
		s->child = list;
		pid = fork();
	}
	if (pid > 0)
		s->child[s->len++] = (struct child){pid, id};
	else if (pid == -1)
		report_end(s, id, SPAWN_FAILED);
	return pid;
}

static void
reap(struct spawner *s)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	(void)!read(s->signals, &info, sizeof(info));
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < s->len; i++) {
			struct child ended = s->child[i];

			if (ended.pid != pid)
				continue;
			s->child[i] = s->child[--s->len];
			report_end(s, ended.id, (uint32_t)status);
			break;
		}
}

static void
signal_child(const struct spawner *s, struct ipc_message *message)
{
	uint32_t id = ipc_get_u32(message);
	int number = ipc_get_u8(message);

	for (size_t i = 0; ipc_done(message) && i < s->len; i++)
		if (id == 0 ? s->child[i].id != 0 : s->child[i].id == id)
			(void)kill(s->child[i].pid, number);
}

/* --- what master asks --- */

/* The beginning of a request: whose connection it is. */
struct client {
	uint32_t id;
	const struct protocol *protocol;
};

static void
get_client(struct ipc_message *message, struct client *client_r)
{
	static const struct protocol *const protocols[] = {&protocol_pop3, &protocol_imap};
	char name[16];

	client_r->id = ipc_get_u32(message);
	ipc_get_string(message, name, sizeof(name));
	client_r->protocol = NULL;
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (strcmp(protocols[i]->name, name) == 0)
			client_r->protocol = protocols[i];
}

static void
spawn_worker(struct spawner *s, struct ipc_message *message, const int fds[])
{
	struct worker_start start = {.conf = s->conf, .tls_server = s->tls};
	struct client client;

	get_client(message, &client);
	start.protocol = client.protocol;
	start.tls = ipc_get_u8(message) != 0;
	start.loopback = ipc_get_u8(message) != 0;
	start.deadline = clock_in(ipc_get_u32(message));
	start.client_fd = fds[0];
	start.reader_fd = fds[1];
	start.key_fd = fds[2];
	if (!ipc_done(message) || client.protocol == NULL || fds[2] == -1) {
		report_end(s, client.id, SPAWN_FAILED);
		return;
	}
	if (fork_child(s, client.id) == 0) {
		process_renew_guards();
		log_use_channel(fds[3]); /* its own channel, or -1 */
		worker_main(&start);
	}
}

static void
spawn_reader(struct spawner *s, struct ipc_message *message, const int fds[])
{
	struct reader_start start = {.conf = s->conf, .users = s->users};
	struct client client;

	get_client(message, &client);
	start.protocol = client.protocol;
	start.suspect = ipc_get_u8(message) != 0;
	start.answer_by = clock_in(ipc_get_u32(message));
	start.worker_fd = fds[0];
	start.master_fd = fds[1];
	if (!ipc_done(message) || client.protocol == NULL || fds[1] == -1) {
		report_end(s, client.id, SPAWN_FAILED);
		return;
	}
	if (fork_child(s, client.id) == 0) {
		process_renew_canary(); /* its pointer guard is that of the converters of charsets */
		log_use_channel(fds[2]);
		reader_main(&start);
	}
}

static void
obey(struct spawner *s, struct ipc_message *message, const int fds[])
{
	switch (ipc_open(message)) {
	case IPC_SPAWN_WORKER:
		spawn_worker(s, message, fds);
		break;
	case IPC_SPAWN_READER:
		spawn_reader(s, message, fds);
		break;
	case IPC_SPAWN_SIGNAL:
		signal_child(s, message);
		break;
	case IPC_SPAWN_SELFTEST:
		if (fork_child(s, 0) == 0) {
			process_renew_guards();
			selftest_main(s->tls, fds[0], s->conf->memory);
		}
		break;
	case IPC_SPAWN_USERS:
		if (fork_child(s, 0) == 0) {
			process_renew_guards();
			users_file_main(s->conf);
		}
		break;
	case IPC_SPAWN_REPORT:
		spawner_report(s->tls, ipc_get_u8(message) != 0);
		break;
	default:
		bug("a spawner got a message that is not for it");
	}
}

_Noreturn static void
loop(struct spawner *s)
{
	struct pollfd wait[2] = {
	    {.fd = s->control, .events = POLLIN}, {.fd = s->signals, .events = POLLIN}};
	struct ipc_message message;
	int fds[IPC_FDS_MAX];

	for (;;) {
		if (poll(wait, 2, -1) == -1 && errno != EINTR)
			fatal("spawner", "poll");
		if (wait[1].revents != 0)
			reap(s);
		if (wait[0].revents == 0)
			continue;
		if (ipc_recv_fds(s->control, &message, 0, fds, IPC_FDS_MAX) == 0)
			obey(s, &message, fds);
		else if (errno != ETIMEDOUT && errno != EINTR)
			_exit(EXIT_SUCCESS); /* master has ended, or needs this spawner no more */
		for (size_t i = 0; i < IPC_FDS_MAX; i++)
			if (fds[i] != -1)
				close(fds[i]);
	}
}

/* --- the beginning --- */

void
spawner_report(struct tls_server *tls, bool first)
{
	struct tls_findings findings;
	char text[LOG_VALUE_MAX];

	for (size_t i = 0; first && i < tls_server_count(tls); i++)
		if (tls_server_describe(tls, i, text, sizeof(text)) == 0)
			log_event(LOG_NOTE, "master", "certificate", "is", text);
	for (size_t i = 0; i < tls_server_count(tls); i++) {
		tls_server_findings(tls, i, time(NULL), &findings);
		for (size_t k = 0; k < findings.len; k++)
			log_event(findings.list[k].wrong ? LOG_ERROR : LOG_WARN, "master",
			    "certificate-problem", "what", findings.list[k].text);
	}
}

/* Loads all certificate chains.  Returns what is wrong, or "". */
static const char *
load_certificates(struct spawner *s)
{
	static struct tls_error error = {.text = "out of memory"};

	s->tls = tls_server_new();
	if (s->tls == NULL)
		return error.text;
	for (size_t i = 0; i < s->conf->certificates_len; i++)
		if (tls_server_add(s->tls, s->conf->certificates[i].chain, &error) == -1)
			return error.text;
	return tls_server_ready(s->tls, &error) == 0 ? "" : error.text;
}

_Noreturn static void
begin(struct spawner *s, const char *wrong)
{
	struct ipc_message message;
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	s->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	/*
	 * systemd signals all processes at once; a spawner ends after its children, when master ends.  Blocked, not ignored:
	 * a child that is signalled before it has taken its first steps must not miss that.
	 */
	sigaddset(&mask, SIGTERM);
	if (s->signals == -1 || sigprocmask(SIG_BLOCK, &mask, NULL) == -1)
		fatal("spawner", "signals");
	ipc_begin(&message, IPC_READY);
	ipc_put_string(&message, wrong);
	if (ipc_send(s->control, &message, -1) == -1 || *wrong != '\0')
		_exit(EXIT_FAILURE);
	loop(s);
}

_Noreturn void
spawner_outer_main(const struct conf *conf, const struct service_users *users, int control)
{
	static struct spawner spawner;
	const char *wrong;

	spawner = (struct spawner){.conf = conf, .control = control};
	process_enter("outer spawner", &control, 1);
	wrong = load_certificates(&spawner);
	privdrop_chroot(conf->empty_dir);
	privdrop_become(users->worker_uid, users->worker_gid);
	process_follow_parent();
	confine_spawner(conf->memory);
	begin(&spawner, wrong);
}

_Noreturn void
spawner_inner_main(const struct conf *conf, const struct service_users *users, int control)
{
	static struct spawner spawner;

	spawner = (struct spawner){.conf = conf, .users = users, .control = control};
	process_enter("inner spawner", &control, 1);
	confine_undumpable();
	charset_load(); /* for the readers, which cannot load anything */
	begin(&spawner, "");
}
