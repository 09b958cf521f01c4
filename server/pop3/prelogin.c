/*
 * prelogin.c: POP3 from the greeting to the login.
 * Runs as: worker.
 *
 * A row of the table at the end is a command; the loop turns what a handler returns into the next
 * step.  Nothing learnt in the clear lives on behind STLS: see forget().
 */
#include <string.h>

#include "auth/sasl.h"
#include "server/conf.h"
#include "server/pop3/pop3.h"
#include "server/pop3/session.h"
#include "server/worker/worker.h"

enum step { STEP_NEXT, STEP_LOGGED_IN, STEP_END };

struct dialogue {
	struct worker *worker;
	struct channel *channel;
	char name[AUTH_NAME_MAX + 1]; /* of USER; "" none yet */
	bool named;		      /* USER was said (also with a name that cannot be one) */
	bool utf8;
	unsigned nonsense;
};

struct command {
	const char *verb;
	enum pop3_arguments arguments;
	enum step (*run)(struct dialogue *dialogue, char *argument);
};

static struct pop3_state
state_of(const struct dialogue *d)
{
	return (struct pop3_state){
	    .tls = d->channel->tls != NULL,
	    .may_login = worker_may_login(d->worker),
	    .login_delay = d->worker->start.conf->pop3_login_delay / 1000,
	};
}

static enum step
say(struct dialogue *d, const char *text)
{
	channel_puts(d->channel, text);
	return STEP_NEXT;
}

static enum step
end(struct dialogue *d, const char *text, const char *reason)
{
	channel_puts(d->channel, text);
	d->worker->reason = reason;
	return STEP_END;
}

static enum step
run_capa(struct dialogue *d, char *argument)
{
	struct pop3_state state = state_of(d);

	(void)argument;
	pop3_capa(d->channel, &state);
	return STEP_NEXT;
}

static void
forget(struct dialogue *d)
{
	explicit_bzero(d->name, sizeof(d->name));
	d->named = d->utf8 = false;
}

static enum step
run_stls(struct dialogue *d, char *argument)
{
	(void)argument;
	if (d->channel->tls != NULL)
		return say(d, "-ERR TLS is active already\r\n");
	if (d->utf8)
		return say(d, "-ERR STLS must come before UTF8\r\n"); /* RFC 6856 section 2.1 */
	/*
	 * RFC 2595 section 4, and every STARTTLS injection since: what came behind STLS in the clear
	 * is somebody else's; neither answered nor kept.
	 */
	if (channel_input_waits(d->channel))
		return end(d, "-ERR Nothing may follow STLS before TLS is active\r\n",
		    "commands behind STLS");
	channel_puts(d->channel, "+OK Begin TLS\r\n");
	forget(d);
	if (!channel_flush(d->channel) || !worker_start_tls(d->worker))
		return STEP_END;
	return STEP_NEXT;
}

static enum step
run_user(struct dialogue *d, char *argument)
{
	if (!worker_login_begins(d->worker))
		return say(d, "-ERR No login in the clear: STLS first\r\n");
	/* A name that cannot be one stays "", which is nobody; the answer tells nothing. */
	d->name[0] = '\0';
	if (auth_name_valid(argument, strlen(argument)))
		memcpy(d->name, argument, strlen(argument) + 1);
	d->named = true;
	return say(d, "+OK Password?\r\n");
}

static enum step
login(struct dialogue *d, const char *name, const char *password)
{
	switch (worker_login(d->worker, name, password)) {
	case IPC_ACCEPTED:
		channel_puts(d->channel, "+OK Logged in\r\n");
		return channel_flush(d->channel) ? STEP_LOGGED_IN : STEP_END;
	case IPC_DENIED:
		channel_puts(d->channel, "-ERR [AUTH] Wrong name or password\r\n");
		break;
	case IPC_IN_USE:
		channel_puts(d->channel, "-ERR [IN-USE] Another session has this mailbox open\r\n");
		break;
	case IPC_TOO_MANY:
		channel_puts(d->channel, "-ERR [SYS/TEMP] Too many connections of this user\r\n");
		break;
	case IPC_TOO_SOON:
		channel_puts(d->channel, "-ERR [LOGIN-DELAY] Too soon after the last login\r\n");
		break;
	case IPC_BROKEN:
		channel_puts(d->channel, "-ERR [SYS/PERM] The mailbox cannot be opened\r\n");
		break;
	case IPC_UNAVAILABLE:
	default:
		channel_puts(d->channel, "-ERR [SYS/TEMP] Logins do not work at the moment\r\n");
		break;
	}
	if (worker_exhausted(d->worker))
		return end(d, "", "too many failures");
	return STEP_NEXT;
}

static enum step
run_pass(struct dialogue *d, char *argument)
{
	enum step step;

	if (!worker_login_begins(d->worker))
		return say(d, "-ERR No login in the clear: STLS first\r\n");
	if (!d->named)
		return say(d, "-ERR USER first\r\n");
	/* One too long for any account is sent on cut, so that it costs what a wrong one costs. */
	if (strlen(argument) > AUTH_PASSWORD_MAX) {
		argument[AUTH_PASSWORD_MAX] = '\0';
		d->name[0] = '\0';
	}
	step = login(d, d->name, argument);
	explicit_bzero(argument, strlen(argument));
	forget(d);
	return step;
}

/* The dialogue of a SASL mechanism: RFC 5034. */
static enum sasl_result
exchange(struct dialogue *d, struct sasl *sasl, const char *initial)
{
	enum sasl_result result;
	char *line;
	size_t len;

	if (initial != NULL)
		result = sasl_feed(sasl, initial, strlen(initial), true);
	else
		result = sasl_begin(sasl);
	while (result == SASL_MORE) {
		channel_printf(d->channel, "+ %s\r\n", sasl->challenge);
		if (!channel_line(d->channel, POP3_LINE_MAX, &line, &len))
			return SASL_WRONG;
		result = sasl_feed(sasl, line, len, false);
		explicit_bzero(line, len);
	}
	return result;
}

static enum step
run_auth(struct dialogue *d, char *argument)
{
	struct sasl sasl;
	enum step step = STEP_NEXT;
	char *initial;

	if (!worker_login_begins(d->worker))
		return say(d, "-ERR No login in the clear: STLS first\r\n");
	if (argument == NULL) /* not in RFC 5034, but old clients ask so for the list */
		return say(d, "+OK Mechanisms follow\r\nPLAIN\r\nLOGIN\r\n.\r\n");
	initial = strchr(argument, ' ');
	if (initial != NULL)
		*initial++ = '\0';
	if (sasl_start(&sasl, argument) == -1)
		return say(d, "-ERR There is no such mechanism\r\n");
	switch (exchange(d, &sasl, initial)) {
	case SASL_DONE:
		step = login(d, sasl.name, sasl.password);
		break;
	case SASL_CANCEL:
		channel_puts(d->channel, "-ERR Authentication cancelled\r\n");
		break;
	default:
		channel_puts(d->channel, "-ERR [AUTH] Malformed authentication\r\n");
		d->worker->failures++;
		if (worker_exhausted(d->worker))
			step = end(d, "", "too many failures");
		break;
	}
	sasl_clear(&sasl);
	forget(d);
	return step;
}

static enum step
run_apop(struct dialogue *d, char *argument)
{
	(void)argument;
	return say(d, "-ERR No APOP here: use TLS with USER and PASS, or AUTH\r\n");
}

static enum step
run_utf8(struct dialogue *d, char *argument)
{
	(void)argument;
	d->utf8 = true;
	return say(d, "+OK UTF8 enabled\r\n");
}

static enum step
run_lang(struct dialogue *d, char *argument)
{
	pop3_lang(d->channel, argument);
	return STEP_NEXT;
}

static enum step
run_quit(struct dialogue *d, char *argument)
{
	(void)argument;
	return end(d, "+OK Bye\r\n", "quit");
}

static const struct command commands[] = {
    {"CAPA", POP3_NONE, run_capa},
    {"STLS", POP3_NONE, run_stls},
    {"USER", POP3_ONE, run_user},
    {"PASS", POP3_ONE, run_pass},
    {"AUTH", POP3_MAYBE, run_auth},
    {"APOP", POP3_MAYBE, run_apop},
    {"UTF8", POP3_NONE, run_utf8},
    {"LANG", POP3_MAYBE, run_lang},
    {"QUIT", POP3_NONE, run_quit},
};

static enum step
run(struct dialogue *d, char *text, size_t len)
{
	struct pop3_line line;
	size_t i;

	pop3_parse(text, len, &line);
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].verb, line.verb) != 0)
			continue;
		if (!pop3_fits(&line, commands[i].arguments))
			return say(d, "-ERR Wrong arguments\r\n");
		return commands[i].run(d, line.argument);
	}
	if (++d->nonsense >= POP3_NONSENSE_MAX)
		return end(d, "-ERR Too many unknown commands\r\n", "nonsense");
	return say(d, "-ERR Unknown command before login\r\n");
}

bool
pop3_prelogin(struct worker *worker)
{
	struct dialogue d = {.worker = worker, .channel = &worker->channel};
	enum step step = STEP_NEXT;
	char *line;
	size_t len;

	channel_puts(d.channel, "+OK sallyport ready\r\n");
	while (step == STEP_NEXT && channel_line(d.channel, POP3_LINE_MAX, &line, &len))
		step = run(&d, line, len);
	forget(&d);
	if (d.channel->end == CHANNEL_TOO_LONG) {
		d.channel->end = CHANNEL_OPEN;
		worker->reason = channel_end_text(CHANNEL_TOO_LONG);
		channel_puts(d.channel, "-ERR Line too long\r\n");
	}
	return step == STEP_LOGGED_IN;
}

void
pop3_refuse(struct worker *worker, enum refusal why)
{
	static const char *const words[] = {
	    [REFUSE_FULL] = "Too many connections; try again later",
	    [REFUSE_ADDRESS] = "Too many connections from your address",
	    [REFUSE_EVICTED] = "Too busy; log in faster or try again later",
	    [REFUSE_SHUTDOWN] = "Shutting down",
	};

	channel_printf(&worker->channel, "-ERR [SYS/TEMP] %s\r\n", words[why]);
}
