/*
 * pop3.h: what both halves of POP3 share: a command line taken apart, numbers, capabilities; and the
 * functions of protocol_pop3.
 * RFC 1939, 2449 (CAPA), 2595 (STLS), 3206 and 2449 (response codes), 5034 (AUTH), 6856 (UTF8, LANG).
 */
#ifndef SERVER_POP3_POP3_H
#define SERVER_POP3_POP3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/channel.h"
#include "server/command.h"
#include "server/protocol.h"

enum {
	/* Octets of a command.  RFC 2449 section 4 asks for 255, AUTH's base64 needs more. */
	POP3_LINE_MAX = 2048,
	POP3_VERB_MAX = 4, /* all of our commands have three or four letters */
	/* Unknown commands before the login; then a browser or a spammer's probe is cut off. */
	POP3_NONSENSE_MAX = 10,
};

/* A command line.  argument: what stands after one blank; or NULL. */
struct args {
	char verb[POP3_VERB_MAX + 1]; /* upper case; "" when it cannot be a command */
	char *argument;
};

/*
 * Takes a line of len octets (terminated) apart.  A line with a NUL inside is no command: a NUL must
 * not hide what stands after it.
 */
void pop3_parse(char *line, size_t len, struct args *args_r);

/*
 * A number: 1 to 10 digits, below 2^32.  Nothing may follow it; or a blank and more where rest_r is not NULL, which
 * then points after the blank, or is NULL.  false: malformed.
 */
bool pop3_number(const char *text, uint32_t *number_r, const char **rest_r);

/* Decides what CAPA says. */
struct pop3_state {
	bool logged_in, tls, may_login;
	int64_t login_delay; /* seconds; 0: none */
};

void pop3_capa(struct channel *channel, const struct pop3_state *state);

/* LANG, in both states: RFC 6856 section 3. */
void pop3_lang(struct channel *channel, const char *range);

/* --- for protocol_pop3 --- */

bool pop3_prelogin(struct worker *worker);	   /* prelogin.c */
enum ipc_verdict pop3_open(struct reader *reader); /* commands.c */
void pop3_serve(struct reader *reader);		   /* commands.c */

#endif
