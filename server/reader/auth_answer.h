/*
 * auth_answer.h: the privileged side answers a login.  The other end is auth_ask.h.
 */
#ifndef SERVER_READER_AUTH_ANSWER_H
#define SERVER_READER_AUTH_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/account.h"
#include "server/ipc.h"

struct conf;
struct service_users;

/* IPC_AUTH_PASSWORD as a worker sent it: nothing but its bounds and terminators is checked. */
struct auth_request {
	char name[AUTH_NAME_MAX + 1];
	char password[AUTH_PASSWORD_MAX + 1];
	char tls_version[16], cipher[64], sni[254];
	unsigned bits;
	bool resumed;
};

/* Reads a request, and wipes the message.  Returns false if it is malformed. */
bool auth_answer_parse(struct ipc_message *message, struct auth_request *request_r);

/*
 * Has the credentials checked by a child process, so that this process never sees a password file, and wipes the
 * password.  That child looks the user up as root; a child of it, which is a worker_user with nothing else, computes
 * the hash.  If there is no verdict at the moment until, it is AUTH_BROKEN.  If the verdict is not AUTH_OK,
 * *reason_r says why, for the log only.
 */
enum auth_verdict auth_answer_password(const struct conf *conf, const struct service_users *users,
    int64_t until, struct auth_request *request, struct auth_account *account_r,
    const char **reason_r);

/* Sends the worker its answer.  Returns 0 or -1. */
int auth_answer_result(int worker, enum ipc_verdict verdict);

#endif
