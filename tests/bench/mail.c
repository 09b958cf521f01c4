/*
 * mail.c: makes a Maildir for the benchmark: mail DIRECTORY COUNT fills DIRECTORY/cur and prints
 * how many octets the messages are on the wire.  The same COUNT gives the same messages everywhere.
 *
 * Of 100 messages 40 are plain text, 35 text beside HTML, 15 have an attachment and 10 come from a
 * list with many References and much trace in the header: a few kB, some tens of kB, and a tail of
 * hundreds, 20 kB on average, 8 kB in the middle.  Names are as Postfix's local(8) gives them,
 * without sizes.
 * Runs as: whoever measures.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	MESSAGE_MAX = 1 << 20,
	FIRST = 1600000000, /* the date of the first; one comes every ten minutes */
	APART = 600,
	THREAD = 12, /* messages of a thread */
};

static char *text;
static size_t len;
static uint64_t seed;

static unsigned
chance(unsigned below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 33) % below;
}

__attribute__((format(printf, 1, 2))) static void
put(const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text + len, MESSAGE_MAX - len, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= MESSAGE_MAX - len) {
		fprintf(stderr, "mail: a message beyond %d octets\n", MESSAGE_MAX);
		exit(1);
	}
	len += (size_t)n;
}

/* About so many octets of prose, a line at a time. */
static void
prose(unsigned octets, const char *before, const char *after)
{
	static const char *const words[] = {"the ", "index ", "of ", "a ", "folder ", "was ",
	    "opened ", "and ", "every ", "client ", "heard ", "at ", "once, ", "which ", "nobody ",
	    "had ", "expected ", "before ", "winter. ", "Gr=C3=BC=C3=9Fe "};
	size_t end = len + octets, start;

	while (len < end) {
		start = len;
		put("%s", before);
		while (len - start < 62)
			put("%s", words[chance(sizeof(words) / sizeof(words[0]))]);
		put("%s\n", after);
	}
}

static void
base64(unsigned octets)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (unsigned i = 0; i < octets / 77; i++) {
		for (unsigned k = 0; k < 76; k++)
			text[len++] = digits[chance(64)];
		put("\n");
	}
}

static void
date(const char *name, time_t when)
{
	char buf[64];
	struct tm tm;

	gmtime_r(&when, &tm);
	strftime(buf, sizeof(buf), "%a, %d %b %Y %H:%M:%S +0000", &tm);
	put("%s%s\n", name, buf);
}

static void
trace(unsigned hops, time_t when)
{
	for (unsigned i = 0; i < hops; i++) {
		put("Received: from mx%u.example.org (mx%u.example.org [192.0.2.%u])\n"
		    "\tby mail%u.example.net (Postfix) with ESMTPS id %08X%04X\n"
		    "\tfor <bench@example.net>",
		    i, i, chance(250), i, chance(1u << 30), chance(65536));
		date("; ", when - (time_t)i);
	}
	put("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=mail;\n"
	    "\th=from:to:subject:date:message-id; bh=");
	for (unsigned i = 0; i < 5; i++)
		put("%08x%08x\n\t", chance(1u << 30), chance(1u << 30));
	put("b=%08x\n", chance(1u << 30));
}

static void
header(unsigned i, time_t when, unsigned hops, unsigned references)
{
	put("Return-Path: <sender%u@example.org>\nDelivered-To: bench@example.net\n", i % 97);
	trace(hops, when);
	date("Date: ", when);
	put("From: %s <sender%u@example.org>\n",
	    i % 3 ? "A. Sender" : "=?utf-8?Q?J=C3=B6rg_M=C3=BCller?=", i % 97);
	put("To: bench@example.net, \"Another, A.\" <another@example.net>\n");
	if (i % 4 == 0)
		put("Cc: Third <third%u@example.com>, fourth%u@example.com\n", i % 13, i % 7);
	if (i % 5 == 0)
		put("Subject: =?utf-8?B?R3LDvMOfZSwg?= =?utf-8?Q?number_%u?=\n", i);
	else
		put("Subject: %snumber %u of the old story\n", references ? "Re: " : "", i);
	put("Message-ID: <%u.%u@example.org>\n", i, chance(1u << 30));
	if (references > 0)
		put("In-Reply-To: <%u.parent@example.org>\nReferences: ", i);
	for (unsigned k = 0; k < references; k++)
		put("<%u.%08x%08x@lists.example.org>%s", k, chance(1u << 30), chance(1u << 30),
		    k + 1 < references ? "\n\t" : "\n");
	put("MIME-Version: 1.0\nUser-Agent: Bench/1.0\n");
}

static void
alternative(unsigned i, unsigned octets)
{
	put("Content-Type: multipart/alternative; boundary=\"alt-%u\"\n\n--alt-%u\n"
	    "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n",
	    i, i);
	prose(octets / 4, "", "=");
	put("\n--alt-%u\nContent-Type: text/html; charset=utf-8\n"
	    "Content-Transfer-Encoding: quoted-printable\n\n<html><body>\n",
	    i);
	prose(octets - octets / 4, "<p style=3D\"margin:0\">", "</p>");
	put("</body></html>\n--alt-%u--\n", i);
}

static void
attachment(unsigned i, unsigned octets)
{
	put("Content-Type: multipart/mixed; boundary=\"mixed-%u\"\n\n--mixed-%u\n", i, i);
	alternative(i, 3000);
	put("--mixed-%u\nContent-Type: application/pdf; name=\"report %u.pdf\"\n"
	    "Content-Disposition: attachment; filename=\"report %u.pdf\"\n"
	    "Content-Transfer-Encoding: base64\n\n",
	    i, i, i);
	base64(octets);
	put("--mixed-%u--\n", i);
}

static void
plain(unsigned octets, const char *quote)
{
	put("Content-Type: text/plain; charset=us-ascii\n\n");
	prose(octets, quote, "");
}

static void
message(unsigned i, time_t when)
{
	unsigned kind;

	seed = 0x9e3779b97f4a7c15u ^ ((uint64_t)(i + 1) * 0xbf58476d1ce4e5b9u);
	len = 0;
	for (kind = 0; kind < 4; kind++) /* the first numbers look alike */
		chance(2);
	kind = chance(100);
	if (kind < 40) {
		header(i, when, 2, chance(3));
		plain(500 + chance(5000), "");
	} else if (kind < 75) {
		header(i, when, 4, 0);
		alternative(i, 3000 + chance(25000));
	} else if (kind < 90) {
		header(i, when, 3, chance(4));
		attachment(i, 10000 + chance(chance(10) ? 60000 : 400000));
	} else {
		header(i, when, 7, THREAD + chance(40));
		plain(1500 + chance(6000), "> ");
	}
}

static size_t
write_message(const char *directory, unsigned i, time_t when)
{
	const struct timespec times[2] = {{.tv_sec = when}, {.tv_sec = when}};
	char path[4096];
	size_t wire = len;
	int fd;

	snprintf(path, sizeof(path), "%s/cur/%lld.V801I%xM%06u.bench:2,%s", directory,
	    (long long)when, i + 1, chance(1000000), i % 5 ? "S" : "");
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1 || write(fd, text, len) != (ssize_t)len || futimens(fd, times) == -1 ||
	    close(fd) == -1) {
		fprintf(stderr, "mail: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	for (size_t k = 0; k < len; k++)
		wire += text[k] == '\n';
	return wire;
}

int
main(int argc, char **argv)
{
	unsigned long long octets = 0;
	unsigned count;
	time_t when;

	if (argc != 3 || (text = malloc(MESSAGE_MAX)) == NULL) {
		fprintf(stderr, "usage: mail DIRECTORY COUNT\n");
		return 2;
	}
	count = (unsigned)strtoul(argv[2], NULL, 10);
	for (unsigned i = 0; i < count; i++) {
		when = FIRST + (time_t)i * APART;
		message(i, when);
		octets += write_message(argv[1], i, when);
	}
	printf("%llu\n", octets);
	return 0;
}
