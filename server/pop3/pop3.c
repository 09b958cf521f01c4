/*
 * pop3.c: command lines, numbers, CAPA and LANG; and what the processes need to know of POP3.
 * Runs as: worker, and mail user in the reader; master asks for the times.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "auth/sasl.h"
#include "maildir/base/number.h"
#include "server/conf.h"
#include "server/pop3/pop3.h"

void
pop3_parse(char *line, size_t len, struct args *args_r)
{
	size_t verb = strcspn(line, " "), i;

	args_r->verb[0] = '\0';
	args_r->argument = NULL;
	if (strlen(line) != len || verb > POP3_VERB_MAX)
		return;
	for (i = 0; i < verb; i++)
		args_r->verb[i] = (char)toupper((unsigned char)line[i]);
	args_r->verb[verb] = '\0';
	if (line[verb] == ' ' && line[verb + 1] != '\0')
		args_r->argument = line + verb + 1;
}

bool
pop3_number(const char *text, uint32_t *number_r, const char **rest_r)
{
	uint64_t n;
	size_t digits = number_read(text, strlen(text), UINT32_MAX, &n);

	if (digits < 1 || digits > 10)
		return false;
	text += digits;
	if (*text != '\0' && (rest_r == NULL || *text != ' '))
		return false;
	if (rest_r != NULL)
		*rest_r = *text == ' ' ? text + 1 : NULL;
	*number_r = (uint32_t)n;
	return true;
}

void
pop3_capa(struct channel *channel, const struct pop3_state *state)
{
	channel_puts(channel, "+OK Capability list follows\r\n"
			      "TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n"
			      "EXPIRE NEVER\r\nUTF8\r\nLANG\r\n");
	if (state->login_delay > 0)
		channel_printf(channel, "LOGIN-DELAY %lld\r\n", (long long)state->login_delay);
	if (!state->logged_in && !state->tls)
		channel_puts(channel, "STLS\r\n");
	/* Do not tempt a client to send its password in the clear.  After the login the list is the same:
	 * RFC 2449 section 5, RFC 5034 section 3. */
	if (state->logged_in || state->may_login)
		channel_printf(channel, "USER\r\nSASL %s\r\n", SASL_MECHANISMS);
	/* RFC 2449 section 6.9 allows it after the login only: a stranger does not need the version. */
	if (state->logged_in)
		channel_puts(channel, "IMPLEMENTATION sallyport-" SALLYPORT_VERSION "\r\n");
	channel_puts(channel, ".\r\n");
}

void
pop3_lang(struct channel *channel, const char *range)
{
	if (range == NULL)
		channel_puts(channel, "+OK Language listing follows\r\nen English\r\n.\r\n");
	else if (strcmp(range, "*") == 0 || strcasecmp(range, "en") == 0)
		channel_puts(channel, "+OK en Language is English\r\n");
	else
		channel_puts(channel, "-ERR There is no such language here\r\n");
}

static struct protocol_times
times(const struct conf *conf)
{
	return (struct protocol_times){conf->pop3_idle_timeout, conf->pop3_login_delay};
}

const struct protocol protocol_pop3 = {
    .name = "pop3",
    .alpn = "pop3",
    .times = times,
    .prelogin = pop3_prelogin,
    .refusals =
	{
	    [REFUSE_FULL] = "-ERR [SYS/TEMP] Too many connections; try again later\r\n",
	    [REFUSE_ADDRESS] = "-ERR [SYS/TEMP] Too many connections from your address\r\n",
	    [REFUSE_EVICTED] =
		"-ERR [SYS/TEMP] The server is full or shuts down; try again later\r\n",
	},
    .open = pop3_open,
    .serve = pop3_serve,
};
