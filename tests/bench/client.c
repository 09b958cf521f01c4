/*
 * client.c: the benchmark's client.  It reads commands from its standard input, one a line, the words
 * between single spaces.  It answers each with a line: "ok" with figures as name=number, or "bad" with
 * the reason, and then exits.  ns is the wall time of the work.
 * Runs as: whoever measures.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/bench/speak.h"

enum {
	LINE_MAX_OCTETS = 4096,
	CROWD_MAX = 2000,  /* idling clients */
	TOLD_TIMEOUT = 40, /* seconds until all have the news; some servers look every 30 */
	EVENTS = 64,
};

static struct target target;
static char user[64], password[64];
static struct imap imap;
static struct pop3 pop3;
static struct imap *crowd; /* idling sessions */
static unsigned crowd_size;
static int crowd_epoll = -1;
static char *message; /* what append() stores */
static size_t message_len;

static unsigned
number(const char *word, unsigned max)
{
	char *end;
	unsigned long n = strtoul(word, &end, 10);

	if (*word == '\0' || *end != '\0' || n > max)
		bad("no number up to %u: %s", max, word);
	return (unsigned)n;
}

static void
told_ns(uint64_t since)
{
	printf("ok ns=%llu", (unsigned long long)(conn_now() - since));
}

static void
figure(const char *name, uint64_t value)
{
	printf(" %s=%llu", name, (unsigned long long)value);
}

/* target PORT plain|full|resumed USER PASSWORD: for all that follow. */
static void
do_target(char *rest)
{
	char port[16], mode[16];

	if (sscanf(rest, "%15s %15s %63s %63s", port, mode, user, password) != 4)
		bad("target: %s", rest);
	target.port = (int)number(port, 65535);
	target.tls = strcmp(mode, "plain") != 0;
	target.resume = strcmp(mode, "resumed") == 0;
	printf("ok");
}

/* logins imap|pop3 N MESSAGES: from connect to end of stream; POP3's STAT tells MESSAGES. */
static void
do_logins(char *rest)
{
	char protocol[8], times[16], messages[16];
	unsigned n, resumed = 0;
	uint64_t since = conn_now();

	if (sscanf(rest, "%7s %15s %15s", protocol, times, messages) != 3)
		bad("logins: %s", rest);
	n = number(times, 1000000);
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(protocol, "imap") == 0) {
			imap_open(&imap, &target, user, password);
			resumed += conn_resumed(&imap.conn);
			imap_logout(&imap);
			continue;
		}
		pop3_open(&pop3, &target, user, password);
		resumed += conn_resumed(&pop3.conn);
		pop3_ask(&pop3, "STAT", false);
		if (pop3.stat != number(messages, UINT32_MAX))
			bad("STAT: %u messages, not %s", pop3.stat, messages);
		pop3_quit(&pop3);
	}
	told_ns(since);
	figure("resumed", resumed);
}

static void
tell_count(uint64_t since, uint64_t octets)
{
	static const char *const names[] = {
	    "EXISTS", "EXPUNGE", "FETCH", "SEARCH", "STATUS", "VANISHED"};
	const struct imap_count *c = &imap.count;

	told_ns(since);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		figure(names[i], c->lines[i]);
	figure("octets", imap.conn.octets - octets);
	figure("exists", c->exists);
	figure("numbers", c->numbers);
	figure("literals", c->literals);
	figure("sum", c->sum);
	figure("uidvalidity", c->uidvalidity);
	figure("modseq", c->modseq);
}

static void
do_open(char *rest)
{
	uint64_t since = conn_now();

	(void)rest;
	imap_open(&imap, &target, user, password);
	told_ns(since);
}

/* ask COMMAND... */
static void
do_ask(char *rest)
{
	uint64_t since = conn_now(), octets = imap.conn.octets;

	imap.count = (struct imap_count){0};
	imap_ask(&imap, rest);
	tell_count(since, octets);
}

/* sum KEY ask COMMAND...: the same, with the sum of the numbers that follow KEY in the answers. */
static void
do_sum(char *rest)
{
	char *ask = strstr(rest, " ask ");

	if (ask == NULL)
		bad("sum: %s", rest);
	ask[1] = '\0'; /* the key ends in a space, as before its number */
	imap.key = rest;
	do_ask(ask + 5);
	imap.key = NULL;
}

/* has WORD: 1 if the server's CAPABILITY has the word, else 0. */
static void
do_has(char *rest)
{
	imap.word = rest;
	imap.has = false;
	imap_ask(&imap, "CAPABILITY");
	imap.word = NULL;
	printf("ok");
	figure("has", imap.has);
}

/* each FROM TO COMMAND...: the command for each number, which replaces its %, all pipelined. */
static void
do_each(char *rest)
{
	char *from = strsep(&rest, " "), *to = strsep(&rest, " ");
	uint64_t since = conn_now(), octets = imap.conn.octets;

	if (rest == NULL)
		bad("each FROM TO COMMAND");
	imap.count = (struct imap_count){0};
	imap_each(&imap, rest, number(from, 10000000), number(to, 10000000));
	tell_count(since, octets);
}

/* message LENGTH: makes the message for append, in lines of 72 octets; the last line is shorter. */
static void
do_message(char *rest)
{
	static const char head[] = "From: Bench <bench@example.org>\r\nSubject: appended\r\n"
				   "Message-ID: <appended@example.org>\r\n\r\n";

	message_len = number(rest, 64 << 20);
	free(message);
	message = malloc(message_len + 1);
	if (message == NULL || message_len < sizeof(head) + 2)
		bad("message: %s", rest);
	memset(message, 'x', message_len);
	memcpy(message, head, sizeof(head) - 1);
	for (size_t at = sizeof(head) + 70; at + 4 < message_len; at += 74)
		memcpy(message + at, "\r\n", 2);
	memcpy(message + message_len - 2, "\r\n", 2);
	printf("ok");
}

/* append N MAILBOX: appends the message N times, waiting for each answer. */
static void
do_append(char *rest)
{
	unsigned n = number(strsep(&rest, " "), 1000000);
	uint64_t since = conn_now(), octets = imap.conn.octets;

	imap.count = (struct imap_count){0};
	for (unsigned i = 0; i < n; i++)
		imap_append(&imap, rest, message, message_len);
	tell_count(since, octets);
}

static void
do_logout(char *rest)
{
	uint64_t since = conn_now();

	(void)rest;
	imap_logout(&imap);
	told_ns(since);
}

/* poll MESSAGES: a session with STAT, LIST and UIDL. */
static void
do_poll(char *rest)
{
	unsigned n = number(rest, UINT32_MAX);
	uint64_t since = conn_now();

	pop3_open(&pop3, &target, user, password);
	pop3_ask(&pop3, "STAT", false);
	if (pop3.stat != n)
		bad("STAT: %u messages, not %u", pop3.stat, n);
	pop3_ask(&pop3, "LIST", true);
	if (pop3.lines != n)
		bad("LIST: %llu messages, not %u", (unsigned long long)pop3.lines, n);
	pop3_ask(&pop3, "UIDL", true);
	if (pop3.lines != n)
		bad("UIDL: %llu messages, not %u", (unsigned long long)pop3.lines, n);
	pop3_quit(&pop3);
	told_ns(since);
}

/* popopen, retr MESSAGES, popquit: all of a maildrop. */
static void
do_popopen(char *rest)
{
	uint64_t since = conn_now();

	(void)rest;
	pop3_open(&pop3, &target, user, password);
	told_ns(since);
}

static void
do_retr(char *rest)
{
	uint64_t since = conn_now(), octets;

	pop3_retr(&pop3, number(rest, 1000000), &octets);
	told_ns(since);
	figure("octets", octets);
}

static void
do_popquit(char *rest)
{
	uint64_t since = conn_now();

	(void)rest;
	pop3_quit(&pop3);
	told_ns(since);
}

/* crowd N MESSAGES: N sessions in INBOX, idling. */
static void
do_crowd(char *rest)
{
	unsigned n = number(strsep(&rest, " "), CROWD_MAX), messages;
	uint64_t since = conn_now();
	struct epoll_event e = {.events = EPOLLIN};

	if (rest == NULL)
		bad("crowd N MESSAGES");
	messages = number(rest, UINT32_MAX);
	crowd = calloc(n, sizeof(*crowd));
	crowd_epoll = epoll_create1(EPOLL_CLOEXEC);
	if (crowd == NULL || crowd_epoll == -1)
		bad("crowd: %s", strerror(errno));
	for (crowd_size = 0; crowd_size < n; crowd_size++) {
		struct imap *s = &crowd[crowd_size];

		imap_open(s, &target, user, password);
		imap_ask(s, "SELECT INBOX");
		if (s->count.exists != messages)
			bad("SELECT: not %u messages", messages);
		imap_idle(s);
		e.data.u32 = crowd_size;
		if (epoll_ctl(crowd_epoll, EPOLL_CTL_ADD, s->conn.fd, &e) == -1)
			bad("epoll: %s", strerror(errno));
	}
	told_ns(since);
}

/*
 * told SINCE MESSAGES: waits until each session of the crowd has read EXISTS of so many.  ns: from SINCE
 * until the last has it; half: until half of them have it.
 */
static void
do_told(char *rest)
{
	uint64_t since = strtoull(strsep(&rest, " "), NULL, 10), now = conn_now(), half = 0;
	unsigned messages = number(rest != NULL ? rest : "", UINT32_MAX), told = 0;
	struct epoll_event events[EVENTS];

	for (unsigned i = 0; i < crowd_size; i++)
		told += crowd[i].count.exists == messages;
	while (told < crowd_size) {
		int n = epoll_wait(crowd_epoll, events, EVENTS, 1000);

		now = conn_now();
		if (now - since > (uint64_t)TOLD_TIMEOUT * 1000000000)
			bad("%u of %u were not told in %d s", crowd_size - told, crowd_size,
			    TOLD_TIMEOUT);
		for (int i = 0; i < n; i++) {
			struct imap *s = &crowd[events[i].data.u32];
			bool before = s->count.exists == messages;

			imap_idle_look(s);
			told += !before && s->count.exists == messages;
			if (half == 0 && told * 2 >= crowd_size)
				half = conn_now();
		}
	}
	told_ns(since);
	figure("half", half > since ? half - since : 0);
}

/* disperse: all sessions of the crowd log out. */
static void
do_disperse(char *rest)
{
	uint64_t since = conn_now();

	(void)rest;
	for (unsigned i = 0; i < crowd_size; i++) {
		imap_done(&crowd[i]);
		imap_logout(&crowd[i]);
	}
	close(crowd_epoll);
	free(crowd);
	crowd = NULL;
	crowd_size = 0;
	told_ns(since);
}

static const struct {
	const char *name;
	void (*run)(char *rest);
} COMMANDS[] = {
    {"target", do_target},
    {"logins", do_logins},
    {"open", do_open},
    {"ask", do_ask},
    {"sum", do_sum},
    {"has", do_has},
    {"each", do_each},
    {"message", do_message},
    {"append", do_append},
    {"logout", do_logout},
    {"poll", do_poll},
    {"popopen", do_popopen},
    {"retr", do_retr},
    {"popquit", do_popquit},
    {"crowd", do_crowd},
    {"told", do_told},
    {"disperse", do_disperse},
};

static void
run(char *text)
{
	char *rest = text, *name = strsep(&rest, " ");

	for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++) {
		if (strcmp(name, COMMANDS[i].name) != 0)
			continue;
		COMMANDS[i].run(rest != NULL ? rest : name + strlen(name));
		putchar('\n');
		fflush(stdout);
		return;
	}
	bad("there is no command %s", name);
}

int
main(void)
{
	char text[LINE_MAX_OCTETS];

	while (fgets(text, sizeof(text), stdin) != NULL) {
		text[strcspn(text, "\n")] = '\0';
		run(text);
	}
	return 0;
}
