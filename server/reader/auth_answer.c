/*
 * auth_answer.c: the privileged end of a login: reads the request, and has it checked by a child process.
 * Runs as: root (the reader before it becomes the mail user, and the child that looks up), worker_user (the child that
 * computes the hash).
 *
 * Everything in the request is hostile.  The child's answer is bounded like everything that crosses a process,
 * although the child is ours.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/conf.h"
#include "server/confine.h"
#include "server/log.h"
#include "server/privdrop.h"
#include "server/process.h"
#include "server/reader/auth_answer.h"

enum {
	CHECK_TIMEOUT = 60 * 1000, /* ms; the parent ends before, at the login's deadline */
	HASH_SENT_MAX = 1024, /* octets; a hash of crypt(3) has at most 384, a plain password 511 */
};

bool
auth_answer_parse(struct ipc_message *message, struct auth_request *request_r)
{
	bool well;

	memset(request_r, 0, sizeof(*request_r));
	well = ipc_open(message) == IPC_AUTH_PASSWORD;
	ipc_get_string(message, request_r->name, sizeof(request_r->name));
	ipc_get_string(message, request_r->password, sizeof(request_r->password));
	ipc_get_string(message, request_r->tls_version, sizeof(request_r->tls_version));
	ipc_get_string(message, request_r->cipher, sizeof(request_r->cipher));
	request_r->bits = ipc_get_u16(message);
	request_r->resumed = ipc_get_u8(message) != 0;
	ipc_get_string(message, request_r->sni, sizeof(request_r->sni));
	well = well && ipc_done(message);
	ipc_wipe(message);
	return well;
}

static void
put_checked(struct ipc_message *message, enum auth_verdict verdict, const char *reason,
    const struct auth_account *account)
{
	ipc_begin(message, IPC_AUTH_CHECKED);
	ipc_put_u8(message, (uint8_t)verdict);
	ipc_put_string(message, reason);
	ipc_put_string(message, account->name);
	ipc_put_u32(message, account->uid);
	ipc_put_u32(message, account->gid);
	ipc_put_string(message, account->home);
}

/* --- the hash --- */

/*
 * The process that works on a stranger's password and a hash.  It was forked before its parent read a password file, and
 * lives for one answer.
 */
_Noreturn static void
hash_main(const struct conf *conf, const struct service_users *users, int question)
{
	char hash[IPC_MAX], password[AUTH_PASSWORD_MAX + 1], fallback[IPC_MAX];
	struct ipc_message message;
	enum scheme_result result;
	bool plain;

	process_renew_guards();
	process_enter("hashing", &question, 1);
	privdrop_chroot(conf->empty_dir);
	privdrop_become(users->worker_uid, users->worker_gid);
	process_follow_parent();
	confine_hash();
	/* It has nothing to say, and in the wrong hands could name any user in the lines of its login. */
	if (log_fd() != -1)
		close(log_fd());
	log_use_channel(-1);
	if (ipc_recv(question, &message, CHECK_TIMEOUT, NULL) == -1 ||
	    ipc_open(&message) != IPC_AUTH_HASH)
		_exit(EXIT_FAILURE);
	ipc_get_string(&message, hash, sizeof(hash));
	ipc_get_string(&message, password, sizeof(password));
	plain = ipc_get_u8(&message) != 0;
	ipc_get_string(&message, fallback, sizeof(fallback));
	if (!ipc_done(&message))
		_exit(EXIT_FAILURE);
	result = scheme_verify(hash, password, plain, fallback);
	ipc_begin(&message, IPC_AUTH_HASHED);
	ipc_put_u8(&message, (uint8_t)result);
	(void)ipc_send(question, &message, -1);
	_exit(EXIT_SUCCESS); /* and what it knew goes with its memory */
}

/* An auth_verify that asks the process above; ctx is the descriptor. */
static enum scheme_result
ask_hash(void *ctx, const char *hash, const char *password, bool allow_plain, const char *fallback)
{
	const int *question = ctx;
	enum scheme_result result = SCHEME_FAILED;
	struct ipc_message message;

	ipc_begin(&message, IPC_AUTH_HASH);
	/* No hash that crypt(3) can compute is as long as that. */
	ipc_put_string(&message, strlen(hash) < HASH_SENT_MAX ? hash : "!");
	ipc_put_string(&message, password);
	ipc_put_u8(&message, allow_plain);
	ipc_put_string(&message, strlen(fallback) < HASH_SENT_MAX ? fallback : "");
	if (ipc_send(*question, &message, -1) == 0 &&
	    ipc_recv(*question, &message, CHECK_TIMEOUT, NULL) == 0 &&
	    ipc_open(&message) == IPC_AUTH_HASHED) {
		result = ipc_get_u8(&message);
		if (!ipc_done(&message) || result > SCHEME_FAILED)
			result = SCHEME_FAILED;
	}
	ipc_wipe(&message);
	return result;
}

/* --- the look-up --- */

/* The child, the only process that reads password files.  It lives for one answer. */
_Noreturn static void
check_main(const struct conf *conf, const struct service_users *users, struct auth_request *request,
    int answer)
{
	struct auth_source source = {
	    .kind = conf->accounts == CONF_ACCOUNTS_FILE ? AUTH_FILE : AUTH_SYSTEM,
	    .users_file = conf->users_file,
	    .allow_plain = conf->allow_plain_passwords,
	    .min_uid = (uid_t)conf->min_uid,
	};
	struct auth_account account = {.uid = 0};
	const char *reason = "";
	struct ipc_message message;
	enum auth_verdict verdict;
	int question;
	pid_t hasher;

	process_renew_guards();
	process_enter("checking", &answer, 1);
	confine_undumpable();
	hasher = process_fork(SOCK_SEQPACKET, &question);
	if (hasher == 0)
		hash_main(conf, users, question);
	if (hasher == -1)
		_exit(EXIT_FAILURE);
	verdict = auth_check(
	    &source, request->name, request->password, ask_hash, &question, &account, &reason);
	explicit_bzero(request, sizeof(*request));
	put_checked(&message, verdict, reason == NULL ? "" : reason, &account);
	_exit(ipc_send(answer, &message, -1) == -1 ? EXIT_FAILURE : EXIT_SUCCESS);
}

static enum auth_verdict
take_checked(struct ipc_message *message, struct auth_account *account_r, const char **reason_r)
{
	static char reason[256];
	enum auth_verdict verdict;

	if (ipc_open(message) != IPC_AUTH_CHECKED)
		return AUTH_BROKEN;
	verdict = ipc_get_u8(message);
	ipc_get_string(message, reason, sizeof(reason));
	ipc_get_string(message, account_r->name, sizeof(account_r->name));
	account_r->uid = ipc_get_u32(message);
	account_r->gid = ipc_get_u32(message);
	ipc_get_string(message, account_r->home, sizeof(account_r->home));
	*reason_r = reason;
	return ipc_done(message) ? verdict : AUTH_BROKEN;
}

/* The child's verdict.  A child that gives none was killed, by a limit for instance, or hangs. */
static enum auth_verdict
wait_for_child(
    pid_t pid, int answer, int64_t until, struct auth_account *account_r, const char **reason_r)
{
	enum auth_verdict verdict = AUTH_BROKEN;
	struct ipc_message message;

	*reason_r = "the check ended without an answer: was it killed for want of memory?";
	if (ipc_recv(answer, &message, clock_left(until), NULL) == 0)
		verdict = take_checked(&message, account_r, reason_r);
	else if (errno == ETIMEDOUT)
		*reason_r =
		    "the check gave no answer within login_timeout: does a directory service hang?";
	(void)kill(
	    pid, SIGKILL); /* waitpid must not wait for a child that hangs in a directory service */
	(void)waitpid(pid, NULL, 0);
	return verdict;
}

enum auth_verdict
auth_answer_password(const struct conf *conf, const struct service_users *users, int64_t until,
    struct auth_request *request, struct auth_account *account_r, const char **reason_r)
{
	enum auth_verdict verdict = AUTH_BROKEN;
	pid_t pid;
	int end;

	memset(account_r, 0, sizeof(*account_r));
	*reason_r = "no process for the check can be made: see the limits for processes and files";
	if (!auth_name_valid(request->name, strlen(request->name)))
		explicit_bzero(request->name,
		    sizeof(request->name)); /* nobody is ""; the check costs the same */
	pid = process_fork(SOCK_SEQPACKET, &end);
	if (pid == 0)
		check_main(conf, users, request, end);
	explicit_bzero(request->password, sizeof(request->password));
	if (pid != -1)
		verdict = wait_for_child(pid, end, until, account_r, reason_r);
	close(end);
	return verdict;
}

int
auth_answer_result(int worker, enum ipc_verdict verdict)
{
	struct ipc_message message;

	ipc_begin(&message, IPC_AUTH_RESULT);
	ipc_put_u8(&message, (uint8_t)verdict);
	return ipc_send_record(worker, &message, -1);
}
