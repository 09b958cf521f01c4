/*
 * imap_session.h: an IMAP session on a small Maildir, for the fuzzers of IMAP's commands.  It keeps the answers
 * for them.
 */
#ifndef TESTS_FUZZ_IMAP_SESSION_H
#define TESTS_FUZZ_IMAP_SESSION_H

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utime.h>

#include "maildir/maildir.h"
#include "maildir/message/charset.h"
#include "server/channel.h"
#include "server/conf.h"
#include "server/imap/mailbox.h"
#include "server/imap/session.h"
#include "server/reader/reader.h"
#include "tests/fuzz/no_exit.h"

static struct session session;
static struct mdbuf answered; /* since session_begin */

/* In memory where that is to be had. */
static char session_directory[] = "/dev/shm/fuzz_imap.XXXXXX";
static struct reader session_reader;

static const struct {
	const char *name, *text;
	time_t date;
} session_mail[] = {
    {"1.a:2,",
	"Subject: one\nFrom: Anna <anna@example.org>, (x) b@c\nDate: Tue, 1 Feb 2022 10:00:00 +0100\n\na\n",
	1000000000},
    {"2.b:2,S",
	"Subject: =?utf-8?q?zw=C3=B6lf?= =?x?b?YQ==?=\nMIME-Version: 1.0\n"
	"Content-Type: multipart/mixed; boundary=\"b\"\n\npre\n--b\n\none\n--b\n"
	"Content-Type: application/octet-stream; name*=utf-8''%c3%a4\n"
	"Content-Transfer-Encoding: base64\n\nAAEC/w==\n--b\nContent-Type: message/rfc822\n\n"
	"Subject: in\nContent-Type: multipart/digest; boundary=c\n\n--c\n\nFrom: x: y@z;\n\ninner\n--c--\n--b--\npost",
	1000000000 + 86400},
    {"3.c:2,FSa",
	"X-Empty:\n: odd\nno colon\nContent-Transfer-Encoding: quoted-printable\n\na=3D=\nb=\n=XX\n",
	-86400L * 30000},
    {"4.d:2,RT", "", 1600000000},
    {"5.e:2,", "\nno header, \xe4 octet, \".\" \\ {3}\r\n", 7000000000},
    {"6.f:2,P",
	"Subject: header only\nContent-Transfer-Encoding: x-unknown\nContent-Type: text/plain; charset=utf-7",
	1600000001},
};

enum { SESSION_MAIL = sizeof(session_mail) / sizeof(session_mail[0]) };

/* The channel's descriptor is /dev/null; what goes there is kept. */
ssize_t
write(int fd, const void *octets, size_t len)
{
	if (session.channel == NULL || fd != session.channel->fd)
		return syscall(SYS_write, fd, octets, len);
	mdbuf_add(&answered, octets, len);
	return (ssize_t)len;
}

static void
session_clean(void)
{
	char command[64];

	(void)snprintf(command, sizeof(command), "rm -rf %s", session_directory);
	(void)!system(command);
}

static void
session_fill(void)
{
	struct maildir_folder *folder;
	char path[128];
	FILE *file;

	assert(maildir_folder_open(session.maildir, "INBOX", &folder) == 0);
	assert(maildir_sync(folder) == 0 && maildir_keyword_make(folder, "$Work") == 0);
	for (size_t i = 0; i < SESSION_MAIL; i++) {
		struct utimbuf times = {session_mail[i].date, session_mail[i].date};

		(void)snprintf(
		    path, sizeof(path), "%s/cur/%s", session_directory, session_mail[i].name);
		file = fopen(path, "w");
		assert(
		    file != NULL && fputs(session_mail[i].text, file) != EOF && fclose(file) == 0);
		assert(utime(path, &times) == 0);
		assert(maildir_sync(folder) == 0); /* one by one, for their UIDs */
	}
	maildir_folder_close(&folder);
}

/* Once: the Maildir and the selected mailbox; then: nothing is answered yet. */
static void
session_begin(void)
{
	struct conf_complaints complaints;
	char text[] = "certificate = /c /k\n";

	answered.len = 0;
	session.reply.len = 0;
	if (session.box != NULL)
		return;
	charset_load();
	if (access("/dev/shm", W_OK) == -1)
		memcpy(session_directory, "/var/tmp", strlen("/var/tmp"));
	session.conf = conf_parse(text, sizeof(text) - 1, &complaints);
	assert(session.conf != NULL && mkdtemp(session_directory) != NULL);
	(void)atexit(session_clean);
	assert(maildir_create(session_directory) == 0);
	assert(maildir_open(session_directory, "fuzz", &session.maildir) == 0);
	session_fill();
	session.reader = &session_reader;
	strcpy(session.tag, "t");
	session.box = mailbox_open(&session, "INBOX", true);
	assert(session.box != NULL && session.box->count == SESSION_MAIL);
	channel_init(
	    &session_reader.channel, open("/dev/null", O_RDWR | O_CLOEXEC), CLOCK_NEVER, 10000);
	session.channel = &session_reader.channel;
	assert(session.channel->fd != -1);
}

/* Runs a command on a copy of just that size; its answers are in answered. */
static enum command_result
session_run(command_run *run, const char *octets, size_t len)
{
	char *copy = malloc(len + (len == 0));
	struct args args = {.at = copy, .end = copy + len, .utf8 = true};
	enum command_result result;

	assert(copy != NULL);
	memcpy(copy, octets, len);
	in_target = true;
	(void)args_space(&args);
	result = run(&session, &args);
	in_target = false;
	free(copy);
	assert(session.channel->end == CHANNEL_OPEN && session.leaving == NULL);
	assert(channel_flush(session.channel) && !answered.failed);
	return result;
}

#endif
