/*
 * pop3.c: POP3 for the benchmark's client.
 * Runs as: whoever measures.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/speak.h"

enum { COMMAND_MAX = 512 };

/* A line with its CRLF: the first line of an answer, or a line of its body. */
static void
line(struct pop3 *s, const char *at, size_t len)
{
	if (!s->body) {
		if (len < 3 || memcmp(at, "+OK", 3) != 0)
			bad("%.*s", (int)(len > 200 ? 200 : len - 2), at);
		s->stat = at[3] == ' ' ? (unsigned)strtoul(at + 4, NULL, 10) : 0;
		s->body = s->multi;
		s->left -= !s->multi;
		return;
	}
	if (len == 3 && *at == '.') {
		s->body = false;
		s->left--;
		return;
	}
	s->lines++;
	s->octets += len - (*at == '.');
}

static size_t
take(void *ctx, const char *data, size_t len, bool *done)
{
	struct pop3 *s = ctx;
	const char *at = data, *end = data + len, *lf;

	while (at < end && s->left > 0 && (lf = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		line(s, at, (size_t)(lf + 1 - at));
		at = lf + 1;
	}
	*done = s->left == 0;
	if (*done && at < end)
		bad("more came than was asked for: %.*s", (int)(end - at > 100 ? 100 : end - at),
		    at);
	return (size_t)(at - data);
}

static void
talk(struct pop3 *s, const char *out, size_t len, unsigned answers, bool multi)
{
	s->left = answers;
	s->multi = multi;
	s->lines = s->octets = 0;
	conn_talk(&s->conn, out, len, take, s);
}

void
pop3_ask(struct pop3 *s, const char *command, bool multi)
{
	char text[COMMAND_MAX];
	int n = snprintf(text, sizeof(text), "%s\r\n", command);

	talk(s, text, (size_t)n, 1, multi);
}

void
pop3_open(struct pop3 *s, struct target *target, const char *user, const char *password)
{
	char command[COMMAND_MAX];

	*s = (struct pop3){0};
	conn_open(&s->conn, target);
	talk(s, NULL, 0, 1, false);
	snprintf(command, sizeof(command), "USER %s", user);
	pop3_ask(s, command, false);
	snprintf(command, sizeof(command), "PASS %s", password);
	pop3_ask(s, command, false);
}

void
pop3_retr(struct pop3 *s, unsigned count, uint64_t *octets_r)
{
	size_t len = 0, size = (size_t)count * 24 + 1;
	char *text = malloc(size);

	if (text == NULL)
		bad("no memory");
	for (unsigned i = 1; i <= count; i++)
		len += (size_t)snprintf(text + len, size - len, "RETR %u\r\n", i);
	talk(s, text, len, count, true);
	*octets_r = s->octets;
	free(text);
}

void
pop3_quit(struct pop3 *s)
{
	pop3_ask(s, "QUIT", false);
	conn_end(&s->conn);
}
