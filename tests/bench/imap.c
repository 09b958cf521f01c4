/*
 * imap.c: IMAP for the benchmark's client.  It reads every line, but only as far as it must.
 * Runs as: whoever measures.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/speak.h"

enum { COMMAND_MAX = 1024 /* octets of a command but for a message */ };

static const struct {
	const char *word;
	enum imap_word is;
} WORDS[] = {
    {"FETCH ", FETCH},
    {"EXISTS", EXISTS},
    {"EXPUNGE", EXPUNGE},
    {"SEARCH", SEARCH},
    {"STATUS ", STATUS},
    {"VANISHED ", VANISHED},
};

static bool
begins(const char *at, const char *end, const char *word)
{
	size_t len = strlen(word);

	return (size_t)(end - at) >= len && memcmp(at, word, len) == 0;
}

/* The sum of the numbers that follow key in the line.  Lines end in LF, so strtoull stops there. */
static uint64_t
behind(const char *at, const char *end, const char *key)
{
	size_t len = strlen(key);
	uint64_t sum = 0;

	while ((at = memmem(at, (size_t)(end - at), key, len)) != NULL) {
		at += len;
		sum += strtoull(at, NULL, 10);
	}
	return sum;
}

static void
count_untagged(struct imap *s, const char *at, const char *end)
{
	struct imap_count *c = &s->count;
	uint64_t number = strtoull(at, NULL, 10), n;
	enum imap_word is = OTHER;
	const char *word = at;

	while (*word >= '0' && *word <= '9')
		word++;
	word += *word == ' ';
	for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]) && is == OTHER; i++)
		if (begins(word, end, WORDS[i].word))
			is = WORDS[i].is;
	c->lines[is]++;
	if (is == EXISTS)
		c->exists = number;
	if (is == SEARCH)
		for (at = word; at < end; at++)
			c->numbers += *at == ' ' && at[1] >= '0' && at[1] <= '9';
	if (is != OTHER)
		return;
	if ((n = behind(at, end, "[UIDVALIDITY ")) != 0)
		c->uidvalidity = n;
	if ((n = behind(at, end, "[HIGHESTMODSEQ ")) != 0)
		c->modseq = n;
	if (memmem(at, (size_t)(end - at), "LITERAL+", 8) != NULL)
		s->literal_plus = true;
	if (s->word != NULL && memmem(at, (size_t)(end - at), s->word, strlen(s->word)) != NULL)
		s->has = true;
}

static void
tagged(struct imap *s, const char *at, const char *end)
{
	char *word;

	if (strtoull(at, &word, 10) != ++s->answered || !begins(word, end, " OK"))
		bad("command %u of %u: %.*s", s->answered, s->sent,
		    (int)(end - at > 200 ? 200 : end - at - 2), at);
	if (memmem(at, (size_t)(end - at), "LITERAL+", 8) != NULL)
		s->literal_plus = true;
	if (memmem(at, (size_t)(end - at), "[HIGHESTMODSEQ ", 15) != NULL)
		s->count.modseq = behind(at, end, "[HIGHESTMODSEQ ");
}

/* Returns true if the line ends in {n}: n octets follow that are no lines. */
static bool
announces(struct imap *s, const char *at, const char *end)
{
	const char *brace = end - 3;

	if (end - at < 5 || *brace != '}')
		return false;
	while (brace > at && brace[-1] >= '0' && brace[-1] <= '9')
		brace--;
	if (brace == at || brace[-1] != '{')
		return false;
	s->literal = strtoull(brace, NULL, 10);
	s->count.literals += s->literal;
	return true;
}

/* A line with its CRLF: a response, or the rest of a response after a literal. */
static void
line(struct imap *s, const char *at, const char *end)
{
	bool goes_on = s->inside;

	if (end - at < 2 || end[-2] != '\r')
		bad("a line without CR");
	s->inside = announces(s, at, end);
	if (s->key != NULL && (goes_on || *at == '*'))
		s->count.sum += behind(at, end, s->key);
	if (goes_on)
		return;
	if (*at == '*' && at[1] == ' ')
		count_untagged(s, at + 2, end);
	else if (*at == '+' && s->plus)
		s->went_on = true;
	else
		tagged(s, at, end);
}

static size_t
take(void *ctx, const char *data, size_t len, bool *done)
{
	struct imap *s = ctx;
	const char *at = data, *end = data + len, *lf;
	size_t n;

	while (at < end) {
		if (s->literal > 0) {
			n = (size_t)(end - at) < s->literal ? (size_t)(end - at) : s->literal;
			s->literal -= n;
			at += n;
			continue;
		}
		lf = memchr(at, '\n', (size_t)(end - at));
		if (lf == NULL)
			break;
		line(s, at, lf + 1);
		at = lf + 1;
	}
	*done = s->answered == s->sent || s->went_on;
	return (size_t)(at - data);
}

static void
talk(struct imap *s, const char *out, size_t len)
{
	s->went_on = false;
	conn_talk(&s->conn, out, len, take, s);
}

void
imap_ask(struct imap *s, const char *command)
{
	char text[COMMAND_MAX];
	int n = snprintf(text, sizeof(text), "%u %s\r\n", ++s->sent, command);

	if (n < 0 || (size_t)n >= sizeof(text))
		bad("too long a command");
	talk(s, text, (size_t)n);
}

void
imap_each(struct imap *s, const char *command, unsigned from, unsigned to)
{
	const char *mark = strchr(command, '%');
	size_t len = 0, size = (strlen(command) + 32) * (to - from + 1);
	char *text = malloc(size);

	if (text == NULL || mark == NULL)
		bad("no memory, or no %% in %s", command);
	for (unsigned i = from; i <= to; i++)
		len += (size_t)snprintf(text + len, size - len, "%u %.*s%u%s\r\n", ++s->sent,
		    (int)(mark - command), command, i, mark + 1);
	talk(s, text, len);
	free(text);
}

/* The greeting has no tag: the wait for it ends with any line. */
static size_t
take_greeting(void *ctx, const char *data, size_t len, bool *done)
{
	struct imap *s = ctx;
	const char *lf = memchr(data, '\n', len);

	if (lf == NULL)
		return 0;
	if (!begins(data, lf, "* OK"))
		bad("greeting: %.*s", (int)(lf - data), data);
	count_untagged(s, data + 2, lf + 1);
	*done = true;
	return (size_t)(lf + 1 - data);
}

void
imap_open(struct imap *s, struct target *target, const char *user, const char *password)
{
	char command[COMMAND_MAX];

	*s = (struct imap){0};
	conn_open(&s->conn, target);
	conn_talk(&s->conn, NULL, 0, take_greeting, s);
	snprintf(command, sizeof(command), "LOGIN %s %s", user, password);
	imap_ask(s, command);
}

/* Sends all at once with LITERAL+ (RFC 7888), otherwise the message when the server asks for it. */
void
imap_append(struct imap *s, const char *mailbox, const char *message, size_t len)
{
	size_t size = len + COMMAND_MAX;
	char *text = malloc(size);
	int head;

	if (text == NULL)
		bad("no memory");
	head = snprintf(text, COMMAND_MAX, "%u APPEND %s (\\Seen) {%zu%s}\r\n", ++s->sent, mailbox,
	    len, s->literal_plus ? "+" : "");
	if (!s->literal_plus) {
		s->plus = true;
		talk(s, text, (size_t)head);
		s->plus = false;
		head = 0;
	}
	memcpy(text + head, message, len);
	memcpy(text + head + len, "\r\n", 2);
	talk(s, text, (size_t)head + len + 2);
	free(text);
}

void
imap_idle(struct imap *s)
{
	s->plus = true;
	imap_ask(s, "IDLE");
	s->plus = false;
}

void
imap_idle_look(struct imap *s)
{
	s->went_on = false;
	conn_look(&s->conn, take, s);
}

void
imap_done(struct imap *s)
{
	talk(s, "DONE\r\n", 6);
}

void
imap_logout(struct imap *s)
{
	imap_ask(s, "LOGOUT");
	conn_end(&s->conn);
}
