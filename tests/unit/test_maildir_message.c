/*
 * test_maildir_message.c: octets of messages and their number.
 */
#include "maildir_fixture.h"

#include <sys/wait.h>

#include "maildir/folder/folder.h"

struct sample {
	const char *file, *wire;
	bool newline;
};

static const struct sample samples[] = {
    {"", "", false},
    {"\n", "\r\n", true},
    {"\r", "\r", false},
    {"\r\n", "\r\n", true},
    {"\n\n", "\r\n\r\n", true},
    {"\r\r\n", "\r\r\n", true},
    {"\n\r", "\r\n\r", false},
    {"\r\n\n", "\r\n\r\n", true},
    {"\n\r\n", "\r\n\r\n", true},
    {"a", "a", false},
    {"a\n", "a\r\n", true},
    {"a\r\n", "a\r\n", true},
    {"a\rb\n", "a\rb\r\n", true},
    {"a\nb\r\nc\rd\n\ne", "a\r\nb\r\nc\rd\r\n\r\ne", false},
    {"Subject: x\n\nbody\n.\n", "Subject: x\r\n\r\nbody\r\n.\r\n", true},
};

static void
assert_message(struct fixture *f, size_t index, const char *wire, size_t wire_len, bool newline)
{
	static const size_t steps[] = {1, 2, 3, 7, 4096, 100000};
	uint64_t octets;
	bool got;

	assert_int_equal(maildir_exact_size(f->inbox, uid_at(f->inbox, index), &octets, &got), 0);
	assert_int_equal(octets, wire_len);
	assert_int_equal(got, newline);
	for (size_t i = 0; i < COUNT(steps); i++) {
		size_t len;
		char *text;

		if (wire_len > 10000 && steps[i] < 7)
			continue;
		text = read_message(f, index, steps[i], &len);
		assert_int_equal(len, wire_len);
		assert_memory_equal(text, wire, len);
		free(text);
	}
}

static void
line_ends(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(samples); i++) {
		char name[40];

		snprintf(name, sizeof(name), "cur/%zu.m:2,", 1000 + i);
		put(f, name, samples[i].file);
	}
	/* Computed, and remembered. */
	for (int round = 0; round < 4; round++) {
		assert_int_equal(maildir_sync(f->inbox), 0);
		assert_int_equal(maildir_count(f->inbox), COUNT(samples));
		for (size_t i = 0; i < COUNT(samples); i++)
			assert_message(
			    f, i, samples[i].wire, strlen(samples[i].wire), samples[i].newline);
		if (round == 2)
			fixture_reopen(f);
	}
}

/* Each kind of line end at each place around the ends of the buffers. */
static void
buffer_edges(void **state)
{
	static const char *const ends[] = {
	    "\n", "\r\n", "\r", "\r\r\n", "\n\n", "\r\n\r\n", "\n\r"};
	static const size_t edges[] = {READ_SIZE / 2, READ_SIZE};
	struct fixture *f = *state;
	char *file = malloc(READ_SIZE * 2), *wire = malloc(READ_SIZE * 2);

	put(f, "cur/1.m:2,", "");
	assert_int_equal(maildir_sync(f->inbox), 0);
	for (size_t e = 0; e < COUNT(edges); e++) {
		for (size_t k = 0; k < COUNT(ends); k++) {
			for (size_t at = edges[e] - 4; at <= edges[e] + 1; at++) {
				size_t len = at, n = 0;

				memset(file, 'x', at);
				memcpy(file + len, ends[k], strlen(ends[k]));
				len += strlen(ends[k]);
				file[len++] = 'y';
				for (size_t i = 0; i < len; i++) {
					if (file[i] == '\n' && file[i - 1] != '\r')
						wire[n++] = '\r';
					wire[n++] = file[i];
				}
				put_bytes(f, "cur/1.m:2,", file, len);
				assert_message(f, 0, wire, n, false);
			}
		}
	}
	free(file);
	free(wire);
}

/* Random octets of the kinds that matter, against the plainest way to do it. */
static void
random_messages(void **state)
{
	struct fixture *f = *state;
	char file[3000], wire[6000];

	srand(1);
	put(f, "cur/1.m:2,", "");
	assert_int_equal(maildir_sync(f->inbox), 0);
	for (int round = 0; round < 300; round++) {
		size_t len = (size_t)rand() % sizeof(file), n = 0;

		for (size_t i = 0; i < len; i++)
			file[i] = "\r\n\nab"[rand() % 5];
		for (size_t i = 0; i < len; i++) {
			if (file[i] == '\n' && (i == 0 || file[i - 1] != '\r'))
				wire[n++] = '\r';
			wire[n++] = file[i];
		}
		put_bytes(f, "cur/1.m:2,", file, len);
		assert_message(f, 0, wire, n, len > 0 && file[len - 1] == '\n');
	}
}

/* REQUIREMENTS 30: what a name or a uidlist says of sizes is not believed. */
static void
test_req30_wrong_sizes(void **state)
{
	static const char *const lines[] = {"W2", "S1 W2", "S2 W2 L2", "S4 W9 L4", "S4 W3 L4",
	    "S W", "S99999999999999999999 W1", "L4"};
	struct fixture *f = *state;
	char text[200];

	put(f, "cur/1.m,S=77,W=99:2,", "a\nb\n");
	for (size_t i = 0; i < COUNT(lines); i++) {
		unlinkat(f->fd, "sallyport.lock", 0);
		snprintf(text, sizeof(text),
		    "3 V5 N2 Gf2606f033216016bfa33000083ecc375\n1 %s :1.m,S=77,W=99\n", lines[i]);
		put(f, "dovecot-uidlist", text);
		fixture_reopen(f);
		assert_int_equal(maildir_sync(f->inbox), 0);
		assert_int_equal(maildir_uidvalidity(f->inbox), 5);
		assert_message(f, 0, "a\r\nb\r\n", 6, true);
	}
}

/* Sizes by Dovecot fit the file, but it did not look at the end. */
static void
test_req30_sizes_of_dovecot(void **state)
{
	struct fixture *f = *state;

	put(f, "cur/1.m:2,", "a\nb");
	put(f, "cur/2.m:2,", "a\nb\n");
	put(f, "dovecot-uidlist",
	    "3 V5 N3 Gf2606f033216016bfa33000083ecc375\n1 S3 W4 :1.m\n2 S4 W6 :2.m\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_message(f, 0, "a\r\nb", 4, false);
	assert_message(f, 1, "a\r\nb\r\n", 6, true);
}

/* The file was edited after its size was saved. */
static void
test_req30_size_is_of_the_file_as_it_is(void **state)
{
	struct fixture *f = *state;

	put(f, "cur/1.m:2,", "a\nb\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_message(f, 0, "a\r\nb\r\n", 6, true);
	maildir_save_findings(f->inbox);
	put(f, "cur/1.m:2,", "a\nb\nc");
	assert_message(f, 0, "a\r\nb\r\nc", 7, false);
	fixture_reopen(f);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_message(f, 0, "a\r\nb\r\nc", 7, false);
}

/* It grows or shrinks while it is read: never more than was announced, and less is an error. */
static void
test_req30_changed_while_read(void **state)
{
	struct fixture *f = *state;
	struct maildir_reader *reader;
	char *big = malloc(200000), buf[1000];
	size_t len = 0;
	ssize_t n;

	memset(big, 'x', 200000);
	put_bytes(f, "cur/1.m:2,", big, 200000);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_reader_open(f->inbox, uid_at(f->inbox, 0), &reader), 0);
	assert_int_equal(maildir_reader_read(reader, buf, sizeof(buf)), sizeof(buf));
	put_bytes(f, "cur/1.m:2,", big, 100);
	do {
		n = maildir_reader_read(reader, buf, sizeof(buf));
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	assert_int_equal(n, -1);
	assert_int_equal(errno, EIO);
	maildir_reader_close(&reader);
	assert_null(reader);
	assert_int_equal(maildir_reader_open(f->inbox, uid_at(f->inbox, 0), &reader), 0);
	put_bytes(f, "cur/1.m:2,", big, 200000);
	for (len = 0; (n = maildir_reader_read(reader, buf, sizeof(buf))) > 0;)
		len += (size_t)n;
	assert_int_equal(n, 0);
	assert_int_equal(len, 100);
	maildir_reader_close(&reader);
	free(big);
}

/* A name that others changed is found again, also in new/; the open file reads on. */
static void
test_req31_renamed_and_removed_while_read(void **state)
{
	struct fixture *f = *state;
	struct maildir_reader *reader;
	char buf[10];

	put(f, "cur/1.m:2,", "abc\n");
	put(f, "cur/2.m:2,", "def\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	rename_file(f, "cur/1.m:2,", "cur/1.m:2,S");
	assert_message(f, 0, "abc\r\n", 5, true);
	rename_file(f, "cur/1.m:2,S", "new/1.m");
	assert_int_equal(maildir_reader_open(f->inbox, 1, &reader), 0);
	unlinkat(f->fd, "cur/1.m:2,", 0); /* where it was taken by whoever looked for it */
	assert_int_equal(maildir_reader_read(reader, buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "abc\r\n", 5);
	maildir_reader_close(&reader);
	assert_int_equal(maildir_reader_open(f->inbox, 1, &reader), -1);
	assert_int_equal(errno, ENOENT);
	assert_message(f, 0, "def\r\n", 5, true);
	assert_int_equal(f->notices, 0);
}

static void
test_req31_unreadable(void **state)
{
	struct fixture *f = *state;
	uint64_t size;
	bool newline;
	int status;
	pid_t pid;

	put(f, "cur/1.m:2,", "abc\n");
	put(f, "cur/2.m:2,", "def\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(fchmodat(f->fd, "cur/1.m:2,", 0, 0), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* Root may read all; nobody may not, and needs no more than what is open. */
		if (geteuid() == 0 &&
		    (fchmodat(f->fd, ".", 0755, 0) < 0 || fchmodat(f->fd, "cur", 0755, 0) < 0 ||
			fchmodat(f->fd, "cur/2.m:2,", 0644, 0) < 0 || setuid(65534) < 0))
			_exit(1);
		if (maildir_exact_size(f->inbox, uid_at(f->inbox, 0), &size, &newline) != -1 ||
		    errno != EACCES)
			_exit(2);
		if (maildir_exact_size(f->inbox, uid_at(f->inbox, 0), &size, &newline) != -1 ||
		    f->notices != 1)
			_exit(3);
		if (maildir_exact_size(f->inbox, uid_at(f->inbox, 1), &size, &newline) != 0 ||
		    size != 5)
			_exit(4);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* From any octet on, wherever a skip ends. */
static void
skipping(void **state)
{
	struct fixture *f = *state;
	struct maildir_reader *reader;
	char text[100];

	for (size_t i = 0; i < COUNT(samples); i++) {
		size_t len = strlen(samples[i].wire);

		put(f, "cur/1.a:2,", samples[i].file);
		assert_int_equal(maildir_sync(f->inbox), 0);
		for (size_t skip = 0; skip <= len + 2; skip++) {
			size_t rest = skip < len ? len - skip : 0;

			assert_int_equal(
			    maildir_reader_open(f->inbox, uid_at(f->inbox, 0), &reader), 0);
			assert_int_equal(maildir_reader_skip(reader, skip), 0);
			assert_int_equal(maildir_reader_skip(reader, 0), 0);
			assert_int_equal(
			    maildir_reader_read(reader, text, sizeof(text)), (ssize_t)rest);
			assert_memory_equal(text, samples[i].wire + len - rest, rest);
			maildir_reader_close(&reader);
		}
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    WITH(line_ends),
	    WITH(buffer_edges),
	    WITH(random_messages),
	    WITH(test_req30_wrong_sizes),
	    WITH(test_req30_sizes_of_dovecot),
	    WITH(test_req30_size_is_of_the_file_as_it_is),
	    WITH(test_req30_changed_while_read),
	    WITH(test_req31_renamed_and_removed_while_read),
	    WITH(test_req31_unreadable),
	    WITH(skipping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
