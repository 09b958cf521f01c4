/*
 * test_maildir_changes.c: batches of changes, and who hears of them.
 */
#include "maildir_fixture.h"

#include <sys/wait.h>

/* What was heard, as "c1 g2 A ". */
struct heard {
	char text[200];
};

static char
letter_of(enum maildir_change change)
{
	if (change == MAILDIR_REPLACED)
		return 'A';
	return change == MAILDIR_CHANGED ? 'c' : 'g';
}

static void
hear(void *ctx, enum maildir_change change, uint32_t uid)
{
	struct heard *heard = ctx;
	size_t len = strlen(heard->text);

	snprintf(heard->text + len, sizeof(heard->text) - len, "%c%u ", letter_of(change), uid);
}

static void
assert_heard(struct heard *heard, const char *expected)
{
	assert_string_equal(heard->text, expected);
	heard->text[0] = '\0';
}

static void
five(struct fixture *f)
{
	for (unsigned i = 1; i <= 5; i++) {
		char name[30];

		snprintf(name, sizeof(name), "cur/100%u.m:2,%s", i, i == 2 ? "S" : "");
		put(f, name, "x\n");
	}
	assert_int_equal(maildir_sync(f->inbox), 0);
}

static void
changes_are_told(void **state)
{
	struct fixture *f = *state, other = *f;
	struct heard heard = {""};

	maildir_on_change(f->inbox, hear, &heard);
	five(f);
	assert_heard(&heard, "");
	/* Another program's. */
	rename_file(f, "cur/1001.m:2,", "cur/1001.m:2,F");
	unlinkat(f->fd, "cur/1003.m:2,", 0);
	put(f, "new/1006.m", "x\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_heard(&heard, "c1 g3 ");
	/* Our own. */
	assert_int_equal(change_flags(f->inbox, 2, 0, MAILDIR_SEEN, 0, 0), 0);
	assert_heard(&heard, "c2 ");
	assert_int_equal(change_flags(f->inbox, 2, 0, MAILDIR_SEEN, 0, 0), 0);
	assert_heard(&heard, "");
	assert_int_equal(maildir_remove(f->inbox, 4), 0);
	assert_heard(&heard, "g4 ");
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_heard(&heard, "");
	/* Another session's, heard in a batch too. */
	fixture_open(&other);
	assert_int_equal(maildir_sync(other.inbox), 0);
	assert_int_equal(change_flags(other.inbox, 5, MAILDIR_DRAFT, 0, 1, 0), 0);
	assert_int_equal(maildir_change_begin(f->inbox), 0);
	assert_heard(&heard, "c5 ");
	assert_int_equal(change_flags(f->inbox, 5, MAILDIR_SEEN, 0, 0, 0), 0);
	assert_int_equal(maildir_remove(f->inbox, 5), 0);
	assert_int_equal(maildir_change_end(f->inbox), 0);
	assert_heard(&heard, "c5 g5 ");
	fixture_close(&other);
	unlinkat(f->fd, "dovecot-uidlist", 0);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_heard(&heard, "A0 ");
}

static void
counts(void **state)
{
	struct fixture *f = *state;
	struct maildir_counts counts;
	struct maildir_message message;
	uint64_t size;
	bool newline;

	assert_int_equal(maildir_sync(f->inbox), 0);
	maildir_counts(f->inbox, &counts);
	assert_true(counts.messages == 0 && counts.unseen == 0 && counts.octets_known);
	assert_int_equal(maildir_first_unseen(f->inbox), 0);
	assert_false(maildir_message(f->inbox, 0, &message));
	five(f);
	assert_int_equal(change_flags(f->inbox, 1, MAILDIR_SEEN | MAILDIR_TRASHED, 0, 0, 0), 0);
	maildir_counts(f->inbox, &counts);
	assert_true(counts.messages == 5 && counts.unseen == 3 && counts.deleted == 1);
	assert_int_equal(maildir_first_unseen(f->inbox), 2);
	for (uint32_t uid = 1; uid <= 5; uid++)
		assert_int_equal(maildir_size(f->inbox, uid, &size, &newline), 0);
	maildir_save_findings(f->inbox);
	maildir_counts(f->inbox, &counts);
	assert_true(counts.octets_known);
	assert_int_equal(counts.octets, 15);
	assert_true(maildir_lookup(f->inbox, 5, &message) && message.uid == 5);
	assert_false(maildir_lookup(f->inbox, 6, &message));
	assert_false(maildir_lookup(f->inbox, 0, &message));
}

static void
modseqs_rise(void **state)
{
	struct fixture *f = *state;
	uint64_t before, after;

	five(f);
	before = maildir_highest_modseq(f->inbox);
	assert_int_equal(change_flags(f->inbox, 3, MAILDIR_SEEN, 0, 0, 0), 0);
	after = maildir_highest_modseq(f->inbox);
	assert_true(after > before);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(message_at(f->inbox, i).modseq > before, i == 2);
		assert_true(message_at(f->inbox, i).modseq <= after);
	}
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_true(maildir_highest_modseq(f->inbox) >= after);
	assert_true(message_at(f->inbox, 1).modseq <= before);
}

/* Who changes keeps others out until it is over; then they see all of it. */
static void
batches_exclude_each_other(void **state)
{
	struct fixture *f = *state, other = *f;
	int status, pipes[2];
	pid_t pid;

	five(f);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(maildir_change_begin(f->inbox), 0);
	assert_int_equal(maildir_change_begin(f->inbox), -1);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		fixture_open(&other);
		if (maildir_change_begin(other.inbox) < 0 ||
		    message_at(other.inbox, 4).flags != MAILDIR_SEEN ||
		    maildir_change_end(other.inbox) < 0)
			_exit(1);
		_exit(write(pipes[1], "x", 1) == 1 ? 0 : 2);
	}
	nanosleep(&(struct timespec){0, 100000000}, NULL);
	for (uint32_t uid = 1; uid <= 5; uid++)
		assert_int_equal(change_flags(f->inbox, uid, MAILDIR_SEEN, 0, 0, 0), 0);
	assert_int_equal(fcntl(pipes[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(read(pipes[0], &status, 1), -1);
	assert_int_equal(maildir_change_end(f->inbox), 0);
	assert_int_equal(maildir_change_end(f->inbox), -1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(pipes[0]);
	close(pipes[1]);
}

/* A UID means nothing any more when all are new: no other message may suffer. */
static void
new_uidvalidity_changes_nothing(void **state)
{
	struct fixture *f = *state;

	five(f);
	put(f, "new/1000.first", "x\n");
	unlinkat(f->fd, "dovecot-uidlist", 0);
	assert_int_equal(change_flags(f->inbox, 1, MAILDIR_SEEN, 0, 0, 0), -1);
	assert_int_equal(errno, ESTALE);
	unlinkat(f->fd, "dovecot-uidlist", 0);
	assert_int_equal(maildir_remove(f->inbox, 1), -1);
	assert_int_equal(errno, ESTALE);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_count(f->inbox), 6);
	assert_int_equal(message_at(f->inbox, 0).flags, 0);
}

/* The same when it is found out in the middle of a batch. */
static void
new_uidvalidity_in_a_batch(void **state)
{
	struct fixture *f = *state;

	five(f);
	assert_int_equal(maildir_change_begin(f->inbox), 0);
	put(f, "cur/1000.first:2,", "x\n");
	unlinkat(f->fd, "dovecot-uidlist", 0);
	unlinkat(f->fd, "cur/1001.m:2,", 0);
	assert_int_equal(change_flags(f->inbox, 1, MAILDIR_FLAGGED, 0, 0, 0), -1);
	assert_int_equal(errno, ESTALE);
	for (size_t place = 0; place < maildir_count(f->inbox); place++)
		assert_false(message_at(f->inbox, place).flags & MAILDIR_FLAGGED);
	assert_int_equal(maildir_change_end(f->inbox), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH(changes_are_told),
	    WITH(counts),
	    WITH(modseqs_rise),
	    WITH(batches_exclude_each_other),
	    WITH(new_uidvalidity_changes_nothing),
	    WITH(new_uidvalidity_in_a_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
