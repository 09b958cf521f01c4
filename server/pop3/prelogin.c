/*
 * prelogin.c: POP3 from the greeting to the login.
 * Runs as: worker.
 *
 * Nothing that was learnt in the clear lives on after STLS: see forget().
 */
#include <string.h>

#include "server/conf.h"
#include "server/pop3/pop3.h"
#include "server/worker/dialogue.h"
#include "server/worker/worker.h"

struct session {
	struct worker *worker;
	struct channel *channel;
	char name[AUTH_NAME_MAX + 1]; /* of USER; "" before */
	bool named;		      /* USER came, also with an impossible name */
	bool utf8;
	unsigned nonsense;
};

static enum command_result
say(struct session *s, const char *text)
{
	channel_puts(s->channel, text);
	return COMMAND_ANSWERED;
}

static enum command_result
end(struct session *s, const char *text, const char *reason)
{
	channel_puts(s->channel, text);
	s->worker->reason = reason;
	return COMMAND_END;
}

static enum command_result
run_capa(struct session *s, struct args *args)
{
	const struct pop3_state state = {
	    .tls = s->channel->tls != NULL,
	    .may_login = worker_may_login(s->worker),
	    .login_delay = s->worker->start.conf->pop3_login_delay / 1000,
	};

	(void)args;
	pop3_capa(s->channel, &state);
	return COMMAND_ANSWERED;
}

static void
forget(struct session *s)
{
	explicit_bzero(s->name, sizeof(s->name));
	s->named = s->utf8 = false;
}

static enum command_result
run_stls(struct session *s, struct args *args)
{
	(void)args;
	if (s->utf8)
		return say(s, "-ERR STLS must come before UTF8\r\n"); /* RFC 6856 section 2.1 */
	/*
	 * RFC 2595 section 4, and every STARTTLS injection since: octets that came in the clear after STLS
	 * are somebody else's.  They are neither answered nor kept.
	 */
	if (channel_input_waits(s->channel))
		return end(s, "-ERR Nothing may follow STLS before TLS is active\r\n",
		    "commands after STLS");
	channel_puts(s->channel, "+OK Begin TLS\r\n");
	forget(s);
	if (!channel_flush(s->channel) || !worker_start_tls(s->worker))
		return COMMAND_END;
	return COMMAND_ANSWERED;
}

static enum command_result
run_user(struct session *s, struct args *args)
{
	/* An impossible name becomes "", the name of no account; the answer does not tell. */
	s->name[0] = '\0';
	if (auth_name_valid(args->argument, strlen(args->argument)))
		memcpy(s->name, args->argument, strlen(args->argument) + 1);
	s->named = true;
	return say(s, "+OK Password?\r\n");
}

/* After a login that has failed. */
static enum command_result
failed(struct session *s)
{
	return worker_exhausted(s->worker) ? end(s, "", "too many failures") : COMMAND_ANSWERED;
}

/* Asks for a login, and tells the client how it ended. */
static enum command_result
login(struct session *s, const char *name, const char *password)
{
	static const char *const answers[] = {
	    [IPC_ACCEPTED] = "+OK Logged in\r\n",
	    [IPC_DENIED] = "-ERR [AUTH] Wrong name or password\r\n",
	    [IPC_UNAVAILABLE] = "-ERR [SYS/TEMP] Logins do not work at the moment\r\n",
	    [IPC_BROKEN] = "-ERR [SYS/PERM] The mailbox cannot be opened\r\n",
	    [IPC_IN_USE] = "-ERR [IN-USE] Another session has this mailbox open\r\n",
	    [IPC_TOO_MANY] = "-ERR [SYS/TEMP] Too many connections of this user\r\n",
	    [IPC_TOO_SOON] = "-ERR [LOGIN-DELAY] Too soon after the last login\r\n",
	};
	enum ipc_verdict verdict = worker_login(s->worker, name, password);

	if (s->channel->end == CHANNEL_STOPPED) /* and that is what the client hears */
		return COMMAND_END;
	channel_puts(s->channel, answers[verdict]);
	if (verdict != IPC_ACCEPTED)
		return failed(s);
	return channel_flush(s->channel) ? COMMAND_LOGGED_IN : COMMAND_END;
}

static enum command_result
run_pass(struct session *s, struct args *args)
{
	char *password = args->argument;
	enum command_result result;

	if (!s->named)
		return say(s, "-ERR USER first\r\n");
	/* Cut and try a password that is too long for any account, so that it costs as much as a wrong one. */
	if (strlen(password) > AUTH_PASSWORD_MAX) {
		password[AUTH_PASSWORD_MAX] = '\0';
		s->name[0] = '\0';
	}
	result = login(s, s->name, password);
	explicit_bzero(password, strlen(password));
	forget(s);
	return result;
}

static enum command_result
run_auth(struct session *s, struct args *args)
{
	struct sasl sasl;
	enum command_result result = COMMAND_ANSWERED;
	char *initial;

	if (args->argument == NULL) /* not in RFC 5034, but old clients ask for the list so */
		return say(s, "+OK Mechanisms follow\r\nPLAIN\r\nLOGIN\r\n.\r\n");
	initial = strchr(args->argument, ' ');
	if (initial != NULL)
		*initial++ = '\0';
	if (sasl_start(&sasl, args->argument) == -1)
		return say(s, "-ERR There is no such mechanism\r\n");
	switch (dialogue_sasl(
	    s->channel, &sasl, POP3_LINE_MAX, initial, initial != NULL ? strlen(initial) : 0)) {
	case SASL_DONE:
		result = login(s, sasl.name, sasl.password);
		break;
	case SASL_CANCEL:
		channel_puts(s->channel, "-ERR Authentication cancelled\r\n");
		break;
	default:
		channel_puts(s->channel, "-ERR [AUTH] Malformed authentication\r\n");
		s->worker->failures++;
		result = failed(s);
		break;
	}
	sasl_clear(&sasl);
	forget(s);
	return result;
}

static enum command_result
run_apop(struct session *s, struct args *args)
{
	(void)args;
	return say(s, "-ERR No APOP here: use TLS with USER and PASS, or AUTH\r\n");
}

static enum command_result
run_utf8(struct session *s, struct args *args)
{
	(void)args;
	s->utf8 = true;
	return say(s, "+OK UTF8 enabled\r\n");
}

static enum command_result
run_lang(struct session *s, struct args *args)
{
	pop3_lang(s->channel, args->argument);
	return COMMAND_ANSWERED;
}

static enum command_result
run_quit(struct session *s, struct args *args)
{
	(void)args;
	return end(s, "+OK Bye\r\n", "quit");
}

static enum command_result
run_unknown(struct session *s, struct args *args)
{
	(void)args;
	if (++s->nonsense >= POP3_NONSENSE_MAX)
		return end(s, "-ERR Too many unknown commands\r\n", "nonsense");
	return say(s, "-ERR Unknown command before login\r\n");
}

static const struct command commands[] = {
    {"CAPA", IN_ANY, 0, COMMAND_ALONE, run_capa},
    {"STLS", IN_CLEAR, 0, COMMAND_ALONE, run_stls},
    {"USER", IN_ANY, LOGS_IN, COMMAND_ARGUMENTS, run_user},
    {"PASS", IN_ANY, LOGS_IN, COMMAND_ARGUMENTS, run_pass},
    {"AUTH", IN_ANY, LOGS_IN, COMMAND_OPTIONAL, run_auth},
    {"APOP", IN_ANY, 0, COMMAND_OPTIONAL, run_apop},
    {"UTF8", IN_ANY, 0, COMMAND_ALONE, run_utf8},
    {"LANG", IN_ANY, 0, COMMAND_OPTIONAL, run_lang},
    {"QUIT", IN_ANY, 0, COMMAND_ALONE, run_quit},
    {NULL, IN_ANY, 0, COMMAND_OPTIONAL, run_unknown},
};

static enum command_result
run(struct session *s, char *line, size_t len)
{
	const struct command *command;
	struct args args;

	pop3_parse(line, len, &args);
	command = command_find(commands, args.verb, strlen(args.verb));
	if ((command->states & (s->channel->tls != NULL ? IN_TLS : IN_CLEAR)) == 0)
		return say(s, "-ERR TLS is active already\r\n");
	if ((command->flags & LOGS_IN) != 0 && !worker_login_begins(s->worker))
		return say(s, "-ERR No login in the clear: STLS first\r\n");
	if (!command_fits(command, args.argument != NULL))
		return say(s, "-ERR Wrong arguments\r\n");
	return command->run(s, &args);
}

bool
pop3_prelogin(struct worker *worker)
{
	struct session s = {.worker = worker, .channel = &worker->channel};
	enum command_result result = COMMAND_ANSWERED;
	char *line;
	size_t len;

	channel_puts(s.channel, "+OK sallyport ready\r\n");
	while (result == COMMAND_ANSWERED && channel_line(s.channel, POP3_LINE_MAX, &line, &len))
		result = run(&s, line, len);
	forget(&s);
	if (s.channel->end == CHANNEL_TOO_LONG) {
		s.channel->end = CHANNEL_OPEN;
		worker->reason = channel_end_text(CHANNEL_TOO_LONG);
		channel_puts(s.channel, "-ERR Line too long\r\n");
	}
	return result == COMMAND_LOGGED_IN;
}
