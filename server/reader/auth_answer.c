/*
 * auth_answer.c: the privileged end of a login: reads the request, and has it checked by a child process.
 * Runs as: root (the reader before it becomes the mail user, and the child).
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

#include "server/conf.h"
#include "server/confine.h"
#include "server/log.h"
#include "server/process.h"
#include "server/reader/auth_answer.h"

enum { CHECK_TIMEOUT = 60 * 1000 }; /* ms; a slow directory service, at the login's deadline */

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

/* The child, the only process that reads password files.  It lives for one answer. */
_Noreturn static void
check_main(const struct conf *conf, struct auth_request *request, int answer)
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

	process_enter("checking", &answer, 1);
	confine_undumpable();
	verdict = auth_check(&source, request->name, request->password, &account, &reason);
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
wait_for_child(pid_t pid, int answer, struct auth_account *account_r, const char **reason_r)
{
	enum auth_verdict verdict = AUTH_BROKEN;
	struct ipc_message message;

	*reason_r = "the check ended without an answer: was it killed for want of memory?";
	if (ipc_recv(answer, &message, CHECK_TIMEOUT, NULL) == 0)
		verdict = take_checked(&message, account_r, reason_r);
	else if (errno == ETIMEDOUT)
		*reason_r = "the check gave no answer in a minute: does a directory service hang?";
	(void)kill(
	    pid, SIGKILL); /* waitpid must not wait for a child that hangs in a directory service */
	(void)waitpid(pid, NULL, 0);
	return verdict;
}

enum auth_verdict
auth_answer_password(const struct conf *conf, struct auth_request *request,
    struct auth_account *account_r, const char **reason_r)
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
		check_main(conf, request, end);
	explicit_bzero(request->password, sizeof(request->password));
	if (pid != -1)
		verdict = wait_for_child(pid, end, account_r, reason_r);
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
