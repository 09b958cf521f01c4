/*
 * prelogin.c: IMAP from the greeting to the login.
 * Runs as: worker.
 *
 * Nothing that was learnt in the clear lives on after STARTTLS, and octets that came in the clear after STARTTLS
 * end the connection.
 */
#include <string.h>

#include "server/conf.h"
#include "server/imap/imap.h"
#include "server/imap/input.h"
#include "server/worker/dialogue.h"
#include "server/worker/worker.h"

struct session {
	struct worker *worker;
	struct channel *channel;
	struct imap_input input;
	char tag[IMAP_TAG_MAX + 1];
	unsigned nonsense;
};

/* Says the capabilities of now, or those after the login, between two texts. */
static void
put_capabilities(struct session *s, bool logged_in, const char *before, const char *after)
{
	const struct imap_state state = {
	    .logged_in = logged_in,
	    .tls = s->channel->tls != NULL,
	    .may_login = worker_may_login(s->worker),
	    .append_limit = s->worker->start.conf->append_limit,
	};

	channel_puts(s->channel, before);
	imap_capabilities(s->channel, &state);
	channel_puts(s->channel, after);
}

/* The tagged answer, or an untagged one when the command had no tag. */
static enum command_result
say(struct session *s, const char *text)
{
	channel_puts(s->channel, s->tag[0] != '\0' ? s->tag : "*");
	channel_puts(s->channel, " ");
	channel_puts(s->channel, text);
	channel_puts(s->channel, "\r\n");
	return COMMAND_ANSWERED;
}

static enum command_result
bye(struct session *s, const char *text, const char *reason)
{
	channel_printf(s->channel, "* BYE %s\r\n", text);
	s->worker->reason = reason;
	return COMMAND_END;
}

/* BAD, and the end: a client that sends so much does not want to log in. */
static enum command_result
too_long(struct session *s, const char *what)
{
	channel_printf(s->channel, "%s BAD %s\r\n", s->tag[0] != '\0' ? s->tag : "*", what);
	return bye(s, what, what);
}

/* A line without a command.  answer: NULL for none. */
static enum command_result
nonsense(struct session *s, const char *answer)
{
	if (answer != NULL)
		say(s, answer);
	if (++s->nonsense >= IMAP_NONSENSE_MAX)
		return bye(s, "Too many unknown commands", "nonsense");
	return COMMAND_ANSWERED;
}

static enum command_result
run_capability(struct session *s, struct args *args)
{
	(void)args;
	put_capabilities(s, false, "* CAPABILITY ", "\r\n");
	return say(s, "OK Capabilities listed");
}

static enum command_result
run_noop(struct session *s, struct args *args)
{
	(void)args;
	return say(s, "OK Nothing done");
}

static enum command_result
run_logout(struct session *s, struct args *args)
{
	(void)args;
	(void)bye(s, "Good-bye", "logout");
	say(s, "OK Logged out");
	return COMMAND_END;
}

static enum command_result
run_id(struct session *s, struct args *args)
{
	struct imap_client client;

	if (!imap_id_arguments(args, &client))
		return say(s, "BAD ID wants a list of pairs, or NIL");
	imap_id(s->channel, false);
	return say(s, "OK Pleased to meet you");
}

static enum command_result
run_starttls(struct session *s, struct args *args)
{
	(void)args;
	/*
	 * RFC 9051 section 6.2.1, and every STARTTLS injection since: octets that came in the clear after it
	 * are somebody else's.  They are neither answered nor kept.
	 */
	if (channel_input_waits(s->channel)) {
		say(s, "BAD Nothing may follow STARTTLS before TLS is active");
		s->worker->reason = "commands after STARTTLS";
		return COMMAND_END;
	}
	say(s, "OK Begin TLS");
	if (!channel_flush(s->channel) || !worker_start_tls(s->worker))
		return COMMAND_END;
	s->nonsense = 0;
	return COMMAND_ANSWERED;
}

/* After a login that has failed. */
static enum command_result
failed(struct session *s)
{
	if (worker_exhausted(s->worker))
		return bye(s, "Too many failures", "too many failures");
	return COMMAND_ANSWERED;
}

/* Asks for a login, and tells the client how it ended. */
static enum command_result
login(struct session *s, const char *name, const char *password)
{
	static const char unavailable[] = "NO [UNAVAILABLE] Logins do not work at the moment";
	static const char *const answers[] = {
	    [IPC_DENIED] = "NO [AUTHENTICATIONFAILED] Wrong name or password",
	    [IPC_UNAVAILABLE] = unavailable,
	    [IPC_BROKEN] = "NO [CONTACTADMIN] The mailbox cannot be opened",
	    [IPC_IN_USE] = unavailable,
	    [IPC_TOO_MANY] = "NO [LIMIT] Too many connections of this user",
	    [IPC_TOO_SOON] = unavailable,
	};
	enum ipc_verdict verdict = worker_login(s->worker, name, password);

	if (s->channel->end == CHANNEL_STOPPED) /* and that is what the client hears */
		return COMMAND_END;
	if (verdict != IPC_ACCEPTED) {
		say(s, answers[verdict]);
		return failed(s);
	}
	channel_puts(s->channel, s->tag);
	put_capabilities(s, true, " OK [CAPABILITY ", "] Logged in\r\n");
	return channel_flush(s->channel) ? COMMAND_LOGGED_IN : COMMAND_END;
}

/*
 * A word as a C string.  A word that is too long for any account, or has a NUL inside, becomes "", which
 * is the name of no account.  Such a login costs as much as any wrong one.
 */
static void
take_word(struct word word, char *out_r, size_t max)
{
	out_r[0] = '\0';
	if (word.len > max || memchr(word.at, '\0', word.len) != NULL)
		return;
	memcpy(out_r, word.at, word.len);
	out_r[word.len] = '\0';
}

static const char no_login_in_clear[] =
    "NO [PRIVACYREQUIRED] No login in the clear: STARTTLS first";

static enum command_result
run_login(struct session *s, struct args *args)
{
	char name[AUTH_NAME_MAX + 1], password[AUTH_PASSWORD_MAX + 1];
	struct word user, secret;
	enum command_result result;

	if (!args_astring(args, &user) || !args_space(args) || !args_astring(args, &secret) ||
	    !args_end(args))
		return say(s, "BAD LOGIN wants a name and a password");
	if (user.len > IMAP_PRELOGIN_WORD_MAX || secret.len > IMAP_PRELOGIN_WORD_MAX)
		return too_long(s, "An argument is too long");
	take_word(user, name, AUTH_NAME_MAX);
	take_word(secret, password, AUTH_PASSWORD_MAX);
	if (!auth_name_valid(name, strlen(name)))
		name[0] = '\0';
	result = login(s, name, password);
	explicit_bzero(name, sizeof(name));
	explicit_bzero(password, sizeof(password));
	return result;
}

static enum command_result
run_authenticate(struct session *s, struct args *args)
{
	struct word mechanism, initial = {NULL, 0}; /* with SASL-IR: RFC 4959 */
	struct sasl sasl;
	char name[32]; /* no mechanism's name is longer than 20: RFC 4422 */
	enum command_result result = COMMAND_ANSWERED;

	/* "+", "/" and "=" are base64's, and ATOM-CHARs. */
	if (!args_atom(args, NULL, &mechanism) ||
	    (args_space(args) && !args_end(args) && !args_atom(args, NULL, &initial)) ||
	    !args_end(args))
		return say(s, "BAD AUTHENTICATE wants a mechanism");
	take_word(mechanism, name, sizeof(name) - 1);
	if (sasl_start(&sasl, name) == -1)
		return say(s, "NO [CANNOT] There is no such mechanism");
	switch (dialogue_sasl(s->channel, &sasl, SASL_LINE_MAX, initial.at, initial.len)) {
	case SASL_DONE:
		result = login(s, sasl.name, sasl.password);
		break;
	case SASL_CANCEL:
		say(s, "BAD Authentication cancelled");
		break;
	default:
		if (s->channel->end == CHANNEL_TOO_LONG) {
			s->channel->end = CHANNEL_OPEN;
			result = too_long(s, "The line is too long");
			break;
		}
		if (s->channel->end != CHANNEL_OPEN)
			break;
		say(s, "BAD Malformed authentication");
		s->worker->failures++;
		result = failed(s);
		break;
	}
	sasl_clear(&sasl);
	return result;
}

static enum command_result
run_unknown(struct session *s, struct args *args)
{
	(void)args;
	return nonsense(s, "BAD Unknown command before login");
}

static const struct command commands[] = {
    {"CAPABILITY", IN_ANY, 0, COMMAND_ALONE, run_capability},
    {"NOOP", IN_ANY, 0, COMMAND_ALONE, run_noop},
    {"LOGOUT", IN_ANY, 0, COMMAND_ALONE, run_logout},
    {"ID", IN_ANY, 0, COMMAND_ARGUMENTS, run_id},
    {"STARTTLS", IN_CLEAR, 0, COMMAND_ALONE, run_starttls},
    {"LOGIN", IN_ANY, LOGS_IN, COMMAND_ARGUMENTS, run_login},
    {"AUTHENTICATE", IN_ANY, LOGS_IN, COMMAND_ARGUMENTS, run_authenticate},
    {NULL, IN_ANY, 0, COMMAND_OPTIONAL, run_unknown},
};

static enum command_result
run(struct session *s)
{
	struct args args = imap_args(&s->input);
	const struct command *command;

	/* Clients send empty lines between commands, and expect no answer. */
	if (args_end(&args))
		return nonsense(s, NULL);
	if (!imap_tag(&args, s->tag))
		return nonsense(s, "BAD A command begins with a tag and a blank");
	command = imap_command(commands, &args);
	if ((command->states & (s->channel->tls != NULL ? IN_TLS : IN_CLEAR)) == 0)
		return say(s, "BAD TLS is active already");
	if ((command->flags & LOGS_IN) != 0 && !worker_login_begins(s->worker))
		return say(s, no_login_in_clear);
	if (!imap_arguments(command, &args))
		return say(s, "BAD Wrong arguments");
	return command->run(s, &args);
}

/* Whether the announced literal would be a name or password in the clear. */
static bool
is_login_in_clear(const struct session *s)
{
	struct args args = imap_args(&s->input);
	char tag[IMAP_TAG_MAX + 1];

	return imap_tag(&args, tag) && (imap_command(commands, &args)->flags & LOGS_IN) != 0 &&
	       !worker_login_begins(s->worker);
}

/* Asks for a literal only when a login could need it. */
static enum command_result
on_literal(struct session *s)
{
	const struct imap_literal *literal = &s->input.literal;
	bool in_clear = is_login_in_clear(s);

	imap_tag_of_part(&s->input, s->tag);
	if (!in_clear && !literal->binary && literal->size <= IMAP_PRELOGIN_LITERAL_MAX &&
	    s->input.literals <= IMAP_PRELOGIN_LITERALS &&
	    literal->size < IMAP_PRELOGIN_MAX - s->input.len) {
		imap_input_accept(&s->input);
		if (!literal->plus)
			channel_puts(s->channel, "+ Go on\r\n");
		return COMMAND_ANSWERED;
	}
	say(s, in_clear ? no_login_in_clear : "BAD [TOOBIG] The literal is too large");
	/* If the client does not wait, the octets are on their way: they are no commands. */
	if (imap_input_refuse(&s->input))
		return bye(s, "The literal is refused", "literal refused");
	imap_input_next(&s->input);
	return nonsense(s, NULL);
}

static enum command_result
on_event(struct session *s, enum imap_input_event event)
{
	enum command_result result;

	switch (event) {
	case IMAP_INPUT_MORE:
		return COMMAND_ANSWERED;
	case IMAP_INPUT_LITERAL:
		return on_literal(s);
	case IMAP_INPUT_DONE:
		result = run(s);
		imap_input_next(&s->input);
		return result;
	default:
		imap_tag_of_part(&s->input, s->tag);
		return too_long(s, "The command is too long");
	}
}

bool
imap_prelogin(struct worker *worker)
{
	static char text[IMAP_PRELOGIN_MAX]; /* one connection in this process */
	static struct session s;
	enum imap_input_event event;
	enum command_result result = COMMAND_ANSWERED;
	size_t len;
	char *at;

	s = (struct session){.worker = worker, .channel = &worker->channel};
	imap_input_init(&s.input, text, sizeof(text));
	put_capabilities(&s, false, "* OK [CAPABILITY ", "] sallyport ready\r\n");
	while (result == COMMAND_ANSWERED && channel_input(s.channel, &at, &len)) {
		len = imap_input_feed(&s.input, at, len, &event);
		explicit_bzero(at, len); /* they may be a password, and are in the command now */
		channel_take(s.channel, len);
		result = on_event(&s, event);
	}
	imap_input_clear(&s.input);
	if (s.channel->end == CHANNEL_DEADLINE) {
		worker->reason = channel_end_text(s.channel->end);
		s.channel->end = CHANNEL_OPEN;
		channel_printf(s.channel, "* BYE %s\r\n", worker->reason);
	}
	return result == COMMAND_LOGGED_IN;
}
