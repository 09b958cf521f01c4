/*
 * dialogue.h: what POP3 and IMAP share in their dialogues before the login.
 */
#ifndef SERVER_WORKER_DIALOGUE_H
#define SERVER_WORKER_DIALOGUE_H

#include <stddef.h>

#include "auth/sasl.h"
#include "server/channel.h"

/* States and flags of commands before the login: see server/command.h. */
enum { IN_CLEAR = 1 << 0, IN_TLS = 1 << 1, IN_ANY = IN_CLEAR | IN_TLS };
enum { LOGS_IN = 1 << 0 /* it leads to a password, which must not come in the clear */ };

/*
 * Exchanges the lines of a SASL mechanism, after sasl_start; each of the client's has at most max octets.
 * initial: the response of len octets that came with the command; or NULL.  SASL_WRONG also when the channel
 * has ended.
 */
enum sasl_result dialogue_sasl(
    struct channel *channel, struct sasl *sasl, size_t max, const char *initial, size_t len);

#endif
