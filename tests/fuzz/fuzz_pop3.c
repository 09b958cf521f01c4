/*
 * fuzz_pop3.c: a POP3 session after login, on a small Maildir, over a socket that holds all input.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "maildir/maildir.h"
#include "server/conf.h"
#include "server/reader/reader.h"
#include "tests/fuzz/no_exit.h"

enum { INPUT_MAX = 4096, REFILL = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In memory where that is to be had: each run syncs. */
static char directory[] = "/dev/shm/fuzz_pop3.XXXXXX";
static struct maildir *maildir;
static struct conf *conf;

static void
deliver(unsigned n)
{
	static const char *const messages[] = {
	    "Subject: a\n\nb\n", "", ".", "\n.\r\n..\n", "x: y\r\n\r\n.z"};
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/new/%u.M1.fuzz", directory, 1000 + n);
	file = fopen(path, "w");
	if (file == NULL || fputs(messages[n % 5], file) == EOF || fclose(file) == EOF)
		abort();
}

static void
clean(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	(void)!system(command);
}

static void
begin(void)
{
	char text[] = "certificate = /c /k\n";
	struct conf_complaints complaints;

	conf = conf_parse(text, sizeof(text) - 1, &complaints);
	(void)signal(SIGPIPE, SIG_IGN);
	if (access("/dev/shm", W_OK) == -1)
		memcpy(directory, "/var/tmp", strlen("/var/tmp"));
	if (mkdtemp(directory) == NULL || maildir_create(directory) == -1 ||
	    maildir_open(directory, "fuzz", &maildir) == -1)
		abort();
	(void)atexit(clean);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reader reader;
	static unsigned runs;
	char drop[4096];
	int pair[2];

	if (maildir == NULL)
		begin();
	if (runs++ % REFILL == 0)
		for (unsigned i = 0; i < 5; i++)
			deliver(runs + i);
	if (size > INPUT_MAX || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == -1)
		return 0;
	(void)!send(pair[1], data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)shutdown(pair[1], SHUT_WR);
	memset(&reader, 0, sizeof(reader));
	reader.start.conf = conf;
	reader.start.protocol = &protocol_pop3;
	reader.maildir = maildir;
	if (protocol_pop3.open(&reader) != IPC_ACCEPTED)
		abort();
	/* A client that does not read stops the session at once. */
	channel_init(&reader.channel, pair[0], CLOCK_NEVER, 0);
	in_target = true;
	protocol_pop3.serve(&reader);
	in_target = false;
	(void)channel_flush(&reader.channel);
	channel_clear(&reader.channel);
	while (read(pair[1], drop, sizeof(drop)) > 0)
		;
	close(pair[1]);
	return 0;
}
