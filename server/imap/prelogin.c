/*
 * prelogin.c: IMAP from the greeting to the login.
 * Runs as: worker.
 *
 * A row of the table at the end is a command; the loop turns what a handler returns into the next
 * step.  Nothing that was learnt in the clear lives on behind STARTTLS, and what came behind it in the
 * clear ends the connection.
 */
#include <string.h>

#include "auth/sasl.h"
#include "server/conf.h"
#include "server/imap/input.h"
#include "server/imap/imap.h"
#include "server/imap/session.h"
#include "server/worker/worker.h"

enum step { STEP_NEXT, STEP_LOGGED_IN, STEP_END };

struct dialogue {
	struct worker *worker;
	struct channel *channel;
	struct imap_input input;
	char tag[IMAP_TAG_MAX + 1];
	unsigned nonsense;
};

struct row {
	const char *name;
	enum step (*run)(struct dialogue *dialogue, struct args *args);
};

static struct imap_state
state_of(const struct dialogue *d)
{
	return (struct imap_state){
	    .tls = d->channel->tls != NULL,
	    .may_login = worker_may_login(d->worker),
	};
}

/* The tagged answer, or an untagged one when the command had no tag. */
static enum step
say(struct dialogue *d, const char *text)
{
	channel_puts(d->channel, d->tag[0] != '\0' ? d->tag : "*");
	channel_puts(d->channel, " ");
	channel_puts(d->channel, text);
	channel_puts(d->channel, "\r\n");
	return STEP_NEXT;
}

static enum step
bye(struct dialogue *d, const char *text, const char *reason)
{
	channel_printf(d->channel, "* BYE %s\r\n", text);
	d->worker->reason = reason;
	return STEP_END;
}

/* BAD, and the end: who sends so much before login wants no login. */
static enum step
too_long(struct dialogue *d, const char *what)
{
	channel_printf(d->channel, "%s BAD %s\r\n", d->tag[0] != '\0' ? d->tag : "*", what);
	return bye(d, what, what);
}

/* "[CAPABILITY ...] " is part of an answer; see RFC 9051 section 7.1. */
static void
put_capability_code(struct dialogue *d, const struct imap_state *state)
{
	channel_puts(d->channel, "[CAPABILITY ");
	imap_capabilities(d->channel, state);
	channel_puts(d->channel, "] ");
}

/* answer: NULL for none. */
static enum step
nonsense(struct dialogue *d, const char *answer)
{
	if (answer != NULL)
		say(d, answer);
	if (++d->nonsense >= IMAP_NONSENSE_MAX)
		return bye(d, "Too many unknown commands", "nonsense");
	return STEP_NEXT;
}

static enum step
run_capability(struct dialogue *d, struct args *args)
{
	struct imap_state state = state_of(d);

	if (!args_end(args))
		return say(d, "BAD CAPABILITY has no arguments");
	channel_puts(d->channel, "* CAPABILITY ");
	imap_capabilities(d->channel, &state);
	channel_puts(d->channel, "\r\n");
	return say(d, "OK Capabilities listed");
}

static enum step
run_noop(struct dialogue *d, struct args *args)
{
	return say(d, args_end(args) ? "OK Nothing done" : "BAD NOOP has no arguments");
}

static enum step
run_logout(struct dialogue *d, struct args *args)
{
	if (!args_end(args))
		return say(d, "BAD LOGOUT has no arguments");
	(void)bye(d, "Good-bye", "logout");
	say(d, "OK Logged out");
	return STEP_END;
}

static enum step
run_id(struct dialogue *d, struct args *args)
{
	struct imap_client client;

	if (!args_space(args) || !imap_id_arguments(args, &client))
		return say(d, "BAD ID wants a list of pairs, or NIL");
	imap_id(d->channel, false);
	return say(d, "OK Pleased to meet you");
}

static enum step
run_starttls(struct dialogue *d, struct args *args)
{
	if (!args_end(args))
		return say(d, "BAD STARTTLS has no arguments");
	if (d->channel->tls != NULL)
		return say(d, "BAD TLS is active already");
	/*
	 * RFC 9051 section 6.2.1, and every STARTTLS injection since: what came behind it in the clear
	 * is somebody else's; neither answered nor kept.
	 */
	if (channel_input_waits(d->channel)) {
		say(d, "BAD Nothing may follow STARTTLS before TLS is active");
		d->worker->reason = "commands behind STARTTLS";
		return STEP_END;
	}
	say(d, "OK Begin TLS");
	if (!channel_flush(d->channel) || !worker_start_tls(d->worker))
		return STEP_END;
	d->nonsense = 0;
	return STEP_NEXT;
}

/* What a login that ended well or ill is answered. */
static enum step
login(struct dialogue *d, const char *name, const char *password)
{
	const struct imap_state state = {
	    .logged_in = true,
	    .tls = d->channel->tls != NULL,
	    .append_limit = d->worker->start.conf->append_limit,
	};

	switch (worker_login(d->worker, name, password)) {
	case IPC_ACCEPTED:
		channel_printf(d->channel, "%s OK ", d->tag);
		put_capability_code(d, &state);
		channel_puts(d->channel, "Logged in\r\n");
		return channel_flush(d->channel) ? STEP_LOGGED_IN : STEP_END;
	case IPC_DENIED:
		say(d, "NO [AUTHENTICATIONFAILED] Wrong name or password");
		break;
	case IPC_TOO_MANY:
		say(d, "NO [LIMIT] Too many connections of this user");
		break;
	case IPC_BROKEN:
		say(d, "NO [CONTACTADMIN] The mailbox cannot be opened");
		break;
	case IPC_IN_USE:
	case IPC_TOO_SOON:
	case IPC_UNAVAILABLE:
	default:
		say(d, "NO [UNAVAILABLE] Logins do not work at the moment");
		break;
	}
	if (worker_exhausted(d->worker))
		return bye(d, "Too many failures", "too many failures");
	return STEP_NEXT;
}

/*
 * A word as a C string.  One that is too long for any account, or has a NUL inside, becomes "", which
 * is nobody's: it costs what a wrong one costs.
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

static enum step
run_login(struct dialogue *d, struct args *args)
{
	char name[AUTH_NAME_MAX + 1], password[AUTH_PASSWORD_MAX + 1];
	struct word user, secret;
	enum step step;

	if (!worker_login_begins(d->worker))
		return say(d, no_login_in_clear);
	if (!args_space(args) || !args_astring(args, &user) || !args_space(args) ||
	    !args_astring(args, &secret) || !args_end(args))
		return say(d, "BAD LOGIN wants a name and a password");
	if (user.len > IMAP_PRELOGIN_WORD_MAX || secret.len > IMAP_PRELOGIN_WORD_MAX)
		return too_long(d, "An argument is too long");
	take_word(user, name, AUTH_NAME_MAX);
	take_word(secret, password, AUTH_PASSWORD_MAX);
	if (!auth_name_valid(name, strlen(name)))
		name[0] = '\0';
	step = login(d, name, password);
	explicit_bzero(name, sizeof(name));
	explicit_bzero(password, sizeof(password));
	return step;
}

/* The dialogue of a SASL mechanism: RFC 9051 section 6.2.2, RFC 4959. */
static enum sasl_result
exchange(struct dialogue *d, struct sasl *sasl, const struct word *initial)
{
	enum sasl_result result;
	char *line;
	size_t len;

	result = initial->at != NULL ? sasl_feed(sasl, initial->at, initial->len, true)
				     : sasl_begin(sasl);
	while (result == SASL_MORE) {
		channel_printf(d->channel, "+ %s\r\n", sasl->challenge);
		if (!channel_line(d->channel, SASL_LINE_MAX, &line, &len))
			return SASL_WRONG;
		result = sasl_feed(sasl, line, len, false);
		explicit_bzero(line, len);
	}
	return result;
}

/* "PLAIN", and with SASL-IR a response behind it; terminates the mechanism's name. */
static bool
authenticate_arguments(struct args *args, struct word *mechanism_r, struct word *initial_r)
{
	initial_r->at = NULL;
	if (!args_space(args) || !args_atom(args, NULL, mechanism_r))
		return false;
	if (!args_end(args)) {
		/* "+" and "/" and "=" are base64's, and all are ATOM-CHARs. */
		if (!args_space(args) || !args_atom(args, NULL, initial_r) || !args_end(args))
			return false;
	}
	return true;
}

static enum step
run_authenticate(struct dialogue *d, struct args *args)
{
	struct word mechanism, initial;
	struct sasl sasl;
	char name[32]; /* no mechanism's name is longer than 20: RFC 4422 */
	enum step step = STEP_NEXT;

	if (!worker_login_begins(d->worker))
		return say(d, no_login_in_clear);
	if (!authenticate_arguments(args, &mechanism, &initial))
		return say(d, "BAD AUTHENTICATE wants a mechanism");
	take_word(mechanism, name, sizeof(name) - 1);
	if (sasl_start(&sasl, name) == -1)
		return say(d, "NO [CANNOT] There is no such mechanism");
	switch (exchange(d, &sasl, &initial)) {
	case SASL_DONE:
		step = login(d, sasl.name, sasl.password);
		break;
	case SASL_CANCEL:
		say(d, "BAD Authentication cancelled");
		break;
	default:
		if (d->channel->end == CHANNEL_TOO_LONG) {
			d->channel->end = CHANNEL_OPEN;
			step = too_long(d, "The line is too long");
			break;
		}
		if (d->channel->end != CHANNEL_OPEN)
			break;
		say(d, "BAD Malformed authentication");
		d->worker->failures++;
		if (worker_exhausted(d->worker))
			step = bye(d, "Too many failures", "too many failures");
		break;
	}
	sasl_clear(&sasl);
	return step;
}

static const struct row rows[] = {
    {"CAPABILITY", run_capability},
    {"NOOP", run_noop},
    {"LOGOUT", run_logout},
    {"ID", run_id},
    {"STARTTLS", run_starttls},
    {"LOGIN", run_login},
    {"AUTHENTICATE", run_authenticate},
};

static enum step
run(struct dialogue *d)
{
	struct args args = {
	    .at = d->input.text,
	    .end = d->input.text + d->input.len,
	    .utf8 = true, /* passwords have been seen with umlauts */
	};
	struct word name;
	size_t i;

	/* Clients send empty lines between commands, and expect no answer. */
	if (args_end(&args))
		return nonsense(d, NULL);
	if (!imap_tag(&args, d->tag))
		return nonsense(d, "BAD A command begins with a tag and a blank");
	if (!args_atom(&args, NULL, &name))
		return nonsense(d, "BAD There is no command behind the tag");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (word_is(name, rows[i].name))
			return rows[i].run(d, &args);
	return nonsense(d, "BAD Unknown command before login");
}

/* The tag of a command that is not whole, for its refusal. */
static void
tag_of_part(struct dialogue *d)
{
	struct args args = {.at = d->input.text, .end = d->input.text + d->input.len};

	if (!imap_tag(&args, d->tag))
		d->tag[0] = '\0';
}

/* Whether the announced literal is a name or password that must not come in the clear. */
static bool
is_login_in_clear(const struct dialogue *d)
{
	struct args args = {.at = d->input.text, .end = d->input.text + d->input.len};
	char tag[IMAP_TAG_MAX + 1];
	struct word name;

	return imap_tag(&args, tag) && args_atom(&args, NULL, &name) && word_is(name, "LOGIN") &&
	       !worker_login_begins(d->worker);
}

/* A literal is asked for only when a login could need it. */
static enum step
on_literal(struct dialogue *d)
{
	const struct imap_literal *literal = &d->input.literal;
	bool in_clear = is_login_in_clear(d);

	tag_of_part(d);
	if (!in_clear && !literal->binary && literal->size <= IMAP_PRELOGIN_LITERAL_MAX &&
	    d->input.literals <= IMAP_PRELOGIN_LITERALS &&
	    literal->size < IMAP_PRELOGIN_MAX - d->input.len) {
		imap_input_accept(&d->input);
		if (!literal->plus)
			channel_puts(d->channel, "+ Go on\r\n");
		return STEP_NEXT;
	}
	say(d, in_clear ? no_login_in_clear : "BAD [TOOBIG] The literal is too large");
	/* One that does not wait for us is on its way: its octets are nobody's commands. */
	if (imap_input_refuse(&d->input))
		return bye(d, "The literal is refused", "literal refused");
	imap_input_next(&d->input);
	if (++d->nonsense >= IMAP_NONSENSE_MAX)
		return bye(d, "Too many unknown commands", "nonsense");
	return STEP_NEXT;
}

static enum step
on_event(struct dialogue *d, enum imap_input_event event)
{
	enum step step;

	switch (event) {
	case IMAP_INPUT_MORE:
		return STEP_NEXT;
	case IMAP_INPUT_LITERAL:
		return on_literal(d);
	case IMAP_INPUT_DONE:
		step = run(d);
		imap_input_next(&d->input);
		return step;
	default:
		tag_of_part(d);
		return too_long(d, "The command is too long");
	}
}

static void
greet(struct dialogue *d)
{
	struct imap_state state = state_of(d);

	channel_puts(d->channel, "* OK ");
	put_capability_code(d, &state);
	channel_puts(d->channel, "sallyport ready\r\n");
}

bool
imap_prelogin(struct worker *worker)
{
	static char text[IMAP_PRELOGIN_MAX]; /* one connection in this process */
	static struct dialogue d;
	enum imap_input_event event;
	enum step step = STEP_NEXT;
	size_t len;
	char *at;

	d = (struct dialogue){.worker = worker, .channel = &worker->channel};
	imap_input_init(&d.input, text, sizeof(text));
	greet(&d);
	while (step == STEP_NEXT && channel_input(d.channel, &at, &len)) {
		len = imap_input_feed(&d.input, at, len, &event);
		explicit_bzero(at, len); /* it may be a password, and the command has it now */
		channel_take(d.channel, len);
		step = on_event(&d, event);
	}
	imap_input_clear(&d.input);
	if (d.channel->end == CHANNEL_DEADLINE) {
		worker->reason = channel_end_text(d.channel->end);
		d.channel->end = CHANNEL_OPEN;
		channel_printf(d.channel, "* BYE %s\r\n", worker->reason);
	}
	return step == STEP_LOGGED_IN;
}

void
imap_refuse(struct worker *worker, enum refusal why)
{
	static const char *const words[] = {
	    [REFUSE_FULL] = "Too many connections; try again later",
	    [REFUSE_ADDRESS] = "Too many connections from your address",
	    [REFUSE_EVICTED] = "Too busy; log in faster or try again later",
	    [REFUSE_SHUTDOWN] = "Shutting down",
	};

	channel_printf(&worker->channel, "* BYE [UNAVAILABLE] %s\r\n", words[why]);
}
