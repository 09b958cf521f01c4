/*
 * test_server_imap_mailbox.c: numbers and UIDs of the selected mailbox while others deliver, expunge
 * and change flags: what a client has counted together from what it was told is what the mailbox
 * says, after each of many random steps.
 */
#include "server_fixture.h"

#include "maildir/maildir.h"
#include "server/channel.h"
#include "server/imap/mailbox.h"
#include "server/imap/picked.h"
#include "server/imap/session.h"
#include "server/imap/uidset.h"
#include "server/reader/reader.h"

enum { STEPS = 1500, MESSAGES_MAX = 4096, SEEDS = 4 };

static struct session session;
static struct reader reader;
static int client;
static struct maildir_folder *others; /* another session */
static unsigned seed, delivered;

/* What the client knows. */
static struct {
	uint32_t uid[MESSAGES_MAX];
	bool gone[MESSAGES_MAX];
	size_t count;
	size_t fetched; /* how often it was told of flags */
} model;

static unsigned
dice(unsigned sides)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % sides;
}

static void
deliver(void)
{
	char path[256];
	static const char text[] = "Subject: x\n\nx\n";

	(void)snprintf(path, sizeof(path), "%s/md/new/%u.x", fixture_dir, 1000 + delivered++);
	fixture_write(path, text, sizeof(text) - 1, 0600);
}

static int
begin(void **state)
{
	char dir[sizeof(fixture_dir) + 8];
	int pair[2];

	if (fixture_make_dir(state) != 0)
		return -1;
	memset(&session, 0, sizeof(session));
	memset(&model, 0, sizeof(model));
	delivered = 0;
	(void)snprintf(dir, sizeof(dir), "%s/md", fixture_dir);
	if (maildir_create(dir) != 0 || maildir_open(dir, "test", &session.maildir) != 0 ||
	    maildir_folder_open(session.maildir, "INBOX", &others) != 0)
		return -1;
	fixture_pair(SOCK_STREAM | SOCK_NONBLOCK, pair);
	client = pair[1];
	session.reader = &reader;
	session.channel = &reader.channel;
	channel_init(session.channel, pair[0], CLOCK_NEVER, 5000);
	return 0;
}

static int
end(void **state)
{
	mailbox_close(&session.box);
	maildir_folder_close(&others);
	maildir_close(&session.maildir);
	channel_clear(session.channel);
	close(client);
	return fixture_remove_dir(state);
}

static void
model_expunge(size_t number)
{
	assert_in_range(number, 1, model.count);
	assert_true(model.gone[number - 1]);
	memmove(&model.uid[number - 1], &model.uid[number],
	    (model.count - number) * sizeof(model.uid[0]));
	memmove(&model.gone[number - 1], &model.gone[number],
	    (model.count - number) * sizeof(model.gone[0]));
	model.count--;
}

/* Messages behind those that are known, from the folder itself. */
static void
model_exists(size_t count)
{
	uint32_t above = model.count > 0 ? model.uid[model.count - 1] : 0;
	struct maildir_message m;

	for (size_t i = maildir_find(session.box->folder, above + 1); model.count < count; i++) {
		assert_true(maildir_message(session.box->folder, i, &m));
		model.gone[model.count] = false;
		model.uid[model.count++] = m.uid;
	}
}

static void
hear_line(const char *line)
{
	size_t number;
	char word[16];

	if (sscanf(line, "* %zu %15[A-Z]", &number, word) != 2)
		return;
	if (strcmp(word, "EXPUNGE") == 0)
		model_expunge(number);
	else if (strcmp(word, "EXISTS") == 0)
		model_exists(number);
	else if (strcmp(word, "FETCH") == 0) {
		assert_in_range(number, 1, model.count);
		model.fetched++;
	}
}

/* Takes in what the client is told. */
static void
hear(void)
{
	static char text[1 << 20];
	size_t len = 0;
	ssize_t n;
	char *save = NULL;

	assert_true(channel_flush(session.channel));
	while ((n = read(client, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	for (char *line = strtok_r(text, "\r\n", &save); line != NULL;
	     line = strtok_r(NULL, "\r\n", &save))
		hear_line(line);
}

/* The mailbox says what the client knows. */
static void
compare(void)
{
	struct mailbox *box = session.box;
	struct maildir_message m;

	assert_int_equal(box->count, model.count);
	for (size_t i = 0; i < model.count; i++) {
		assert_int_equal(mailbox_uid(box, i), model.uid[i]);
		assert_int_equal(mailbox_find(box, model.uid[i]), i);
		assert_int_equal(mailbox_message(box, i, &m), !model.gone[i]);
		assert_true(model.gone[i] || m.uid == model.uid[i]);
	}
	assert_int_equal(mailbox_last_uid(box), model.count > 0 ? model.uid[model.count - 1] : 0);
	assert_int_equal(mailbox_find(box, UINT32_MAX), model.count);
}

/* Another session expunges some. */
static void
expunge(unsigned count)
{
	struct maildir_message m;

	assert_int_equal(maildir_sync(others), 0);
	for (; count > 0 && maildir_count(others) > 0; count--) {
		assert_true(maildir_message(others, dice((unsigned)maildir_count(others)), &m));
		assert_int_equal(maildir_remove(others, m.uid), 0);
	}
	assert_int_equal(maildir_sync(others), 0);
	assert_int_equal(mailbox_refresh(session.box), 0);
	for (size_t i = 0; i < model.count; i++)
		model.gone[i] =
		    model.gone[i] || !maildir_lookup(session.box->folder, model.uid[i], &m);
}

static void
change_flags(void)
{
	struct maildir_message m;
	const struct maildir_flag_change change = {.add = 1U << dice(6), .remove = 1U << dice(6)};

	assert_int_equal(maildir_sync(others), 0);
	if (maildir_count(others) == 0)
		return;
	assert_true(maildir_message(others, dice((unsigned)maildir_count(others)), &m));
	assert_int_equal(maildir_flags(others, m.uid, &change), 0);
}

static void
step(void)
{
	switch (dice(8)) {
	case 0:
	case 1:
		for (unsigned n = dice(6); n > 0 && model.count + n + 64 < MESSAGES_MAX; n--)
			deliver();
		break;
	case 2:
		expunge(dice(4));
		break;
	case 3:
		change_flags();
		break;
	case 4:
	case 5:
		mailbox_news(&session, false);
		break;
	default:
		mailbox_news(&session, true);
		break;
	}
	hear();
	assert_null(session.leaving);
	compare();
}

static void
numbers_are_those_that_the_client_counts(void **state)
{
	(void)state;
	for (seed = 1; seed <= SEEDS; seed++) {
		unsigned saved = seed;

		session.box = mailbox_open(&session, "INBOX", false);
		assert_non_null(session.box);
		model.count = 0;
		model_exists(session.box->count);
		for (int i = 0; i < STEPS / SEEDS; i++)
			step();
		mailbox_close(&session.box);
		seed = saved;
	}
}

/* All of the log but its head becomes garbage, or what it was. */
static void
spoil_log(void)
{
	char path[256], octets[8192];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/md/sallyport.log", fixture_dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	n = pread(fd, octets, sizeof(octets), 32);
	assert_in_range(n, 1, sizeof(octets) - 1);
	for (ssize_t i = 0; i < n; i++)
		octets[i] = (char)~octets[i];
	assert_int_equal(pwrite(fd, octets, (size_t)n, 32), n);
	close(fd);
}

/* The log is damaged when flags are to be told: the session ends and tells nothing; the next has them. */
static void
damage_ends_the_session(void **state)
{
	const struct maildir_flag_change change = {.add = MAILDIR_FLAGGED};
	struct maildir_message m;

	(void)state;
	for (int i = 0; i < 3; i++)
		deliver();
	session.box = mailbox_open(&session, "INBOX", false);
	assert_non_null(session.box);
	model_exists(session.box->count);
	mailbox_news(&session, true);
	assert_int_equal(maildir_sync(others), 0);
	assert_int_equal(maildir_flags(others, 2, &change), 0);
	assert_int_equal(mailbox_refresh(session.box), 0);
	spoil_log();
	mailbox_tell(&session, true);
	mailbox_news(&session, true);
	hear();
	assert_int_equal(model.fetched, 0);
	assert_non_null(session.leaving);
	session.leaving = NULL;
	mailbox_close(&session.box);
	session.box = mailbox_open(&session, "INBOX", false);
	assert_non_null(session.box);
	assert_true(mailbox_message(session.box, 1, &m));
	assert_int_equal(m.flags, MAILDIR_FLAGGED);
	assert_int_equal(maildir_sync(others), 0);
	compare();
}

/* Sets of UIDs with holes, of numbers, with messages that are gone in them. */
static void
picked_are_those_of_the_set(void **state)
{
	static const char *const sets[] = {
	    "1", "2:4", "1:*", "*", "3,9,5", "7:100", "10:1", "4000000000:*", "6:8,7:9", "11:20"};
	struct maildir_message m;

	(void)state;
	for (int i = 0; i < 12; i++)
		deliver();
	session.box = mailbox_open(&session, "INBOX", false);
	model_exists(12);
	seed = 7;
	expunge(3);
	mailbox_news(&session, true);
	hear();
	expunge(2);
	assert_int_equal(model.count, 9);
	for (size_t s = 0; s < COUNT(sets); s++) {
		struct word word = {(char *)(uintptr_t)sets[s], strlen(sets[s])};
		struct sequence set = {0};
		struct picked picked;
		size_t place;

		assert_int_equal(
		    sequence_parse(&set, word.at, word.len, model.uid[8]), SEQUENCE_OK);
		assert_true(picked_parse(&session, word, true, &picked));
		for (size_t i = 0; i < model.count; i++) {
			if (!sequence_has(&set, model.uid[i]))
				continue;
			assert_true(picked_next(session.box, &picked, &place));
			assert_int_equal(place, i);
			assert_int_equal(
			    mailbox_message(session.box, place, &m), !model.gone[place]);
		}
		assert_false(picked_next(session.box, &picked, &place));
		picked_clear(&picked);
		sequence_clear(&set);
	}
}

static void
uidsets(void **state)
{
	enum { RANGE = 300 };
	struct uidset set = {0};
	bool in[RANGE] = {false};

	(void)state;
	seed = 3;
	for (int i = 0; i < 5000; i++) {
		unsigned uid = dice(RANGE), below = 0;

		if (dice(2) == 0)
			assert_int_equal(uidset_add(&set, uid), 0);
		else
			uidset_remove(&set, uid);
		in[uid] = uidset_has(&set, uid);
		for (unsigned u = 0; u < RANGE; u++) {
			assert_int_equal(uidset_below(&set, u), below);
			assert_int_equal(uidset_has(&set, u), in[u]);
			below += in[u];
		}
		assert_int_equal(set.count, below);
	}
	uidset_clear(&set);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(uidsets),
	    cmocka_unit_test_setup_teardown(numbers_are_those_that_the_client_counts, begin, end),
	    cmocka_unit_test_setup_teardown(picked_are_those_of_the_set, begin, end),
	    cmocka_unit_test_setup_teardown(damage_ends_the_session, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
