/*
 * auth_answer.h: a login is answered, on the privileged side; the other end is auth_ask.h.
 */
#ifndef SERVER_READER_AUTH_ANSWER_H
#define SERVER_READER_AUTH_ANSWER_H

#include <stdbool.h>

#include "auth/account.h"
#include "server/ipc.h"

struct conf;

/* What a worker said in IPC_AUTH_PASSWORD; bounds and characters are checked, nothing else is. */
struct auth_request {
	char name[AUTH_NAME_MAX + 1];
	char password[AUTH_PASSWORD_MAX + 1];
	char tls_version[16], cipher[64], sni[254];
	unsigned bits;
	bool resumed;
};

/* Takes a message to pieces: false when it is malformed. The message is wiped. */
bool auth_answer_parse(struct ipc_message *message, struct auth_request *request_r);

/*
 * Has the credentials checked in a child of its own, so that this process never sees a password
 * file, and wipes the password.  Unless it is AUTH_OK *reason_r says why, for the log only.
 */
enum auth_verdict auth_answer_password(const struct conf *conf, struct auth_request *request,
    struct auth_account *account_r, const char **reason_r);

/* The answer to the worker.  0 or -1. */
int auth_answer_result(int worker, enum ipc_verdict verdict);

#endif
