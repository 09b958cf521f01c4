/*
 * test_maildir_check.c: what check finds odd in a folder, what it leaves alone, and what it mends.
 */
#include "tests/unit/maildir_fixture.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "maildir/check/check.h"
#include "maildir/folder/folder.h"
#include "maildir/index/index.h"
#include "maildir/tree/tree.h"

enum { FOUND_MAX = 64, HOURS = 3600 };

/* All that was told, as "odd name". */
struct heard {
	struct maildir_finding finding[FOUND_MAX];
	char name[FOUND_MAX][300], detail[FOUND_MAX][300], directory[FOUND_MAX][300];
	size_t count;
};

static void
hear(void *ctx, const struct maildir_finding *finding)
{
	struct heard *heard = ctx;

	assert_true(heard->count < FOUND_MAX);
	snprintf(heard->name[heard->count], 300, "%s", finding->name != NULL ? finding->name : "");
	snprintf(
	    heard->detail[heard->count], 300, "%s", finding->detail != NULL ? finding->detail : "");
	snprintf(heard->directory[heard->count], 300, "%s",
	    finding->directory != NULL ? finding->directory : "");
	heard->finding[heard->count++] = *finding;
}

static bool
was_told(const struct heard *heard, enum maildir_odd odd, bool mended, const char *name)
{
	for (size_t i = 0; i < heard->count; i++)
		if (heard->finding[i].odd == odd && heard->finding[i].mended == mended &&
		    (name == NULL || strcmp(heard->name[i], name) == 0))
			return true;
	return false;
}

static struct maildir_report
look_at(struct fixture *f, struct heard *heard, time_t later)
{
	const struct maildir_check check = {time(NULL) + later, hear, heard};
	struct maildir_report report;

	memset(heard, 0, sizeof(*heard));
	assert_int_equal(maildir_check_folder(f->md, "INBOX", &check, &report), 0);
	assert_int_equal(maildir_check_tree(f->md, &check), 0);
	return report;
}

static void
mend(struct fixture *f, struct heard *heard, time_t later)
{
	const struct maildir_check check = {time(NULL) + later, hear, heard};

	memset(heard, 0, sizeof(*heard));
	assert_int_equal(maildir_mend_tree(f->md, &check), 0);
	assert_int_equal(maildir_mend_folder(f->md, "INBOX", &check), 0);
}

static void
put_three(struct fixture *f)
{
	put(f, "cur/1000.M1P1.host:2,S", "Subject: one\n\n1\n");
	put(f, "cur/1001.M2P1.host:2,", "Subject: two\n\n2\n");
	put(f, "new/1002.M3P1.host", "Subject: three\n\n3\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_count(f->inbox), 3);
}

/* --- what is odd, one thing each --- */

static void
part_missing(struct fixture *f)
{
	assert_int_equal(unlinkat(f->fd, "tmp", AT_REMOVEDIR), 0);
}

static void
part_file(struct fixture *f)
{
	part_missing(f);
	put(f, "tmp", "");
}

static void
is_fifo(struct fixture *f)
{
	assert_int_equal(mkfifoat(f->fd, "cur/1.fifo:2,", 0600), 0);
}

static void
is_link(struct fixture *f)
{
	assert_int_equal(symlinkat("/etc/passwd", f->fd, "cur/1.link:2,"), 0);
}

static void
is_hidden(struct fixture *f)
{
	put(f, "new/.hidden", "");
}

static void
bad_name(struct fixture *f)
{
	put(f, "cur/1.a\001b:2,", "x\n");
}

/* Names that are no line's get others, with their flags; also where an old line has a name like theirs. */
static void
mend32_names_that_no_message_can_have(void **state)
{
	static const struct {
		const char *name;
		uint32_t flags;
	} rows[] = {
	    {"cur/1003.a\nb:2,S", MAILDIR_SEEN},
	    {"cur/1003.a\n\nb:2,S", MAILDIR_SEEN},
	    {"cur/1003.ab\n:2,", 0},
	    {"cur/\n", 0},
	    {"cur/:2,F", MAILDIR_FLAGGED},
	    {"cur/1004.x:2,S\nT", MAILDIR_SEEN | MAILDIR_TRASHED},
	    {"cur/1004.y:2,\r", 0},
	    {"new/1005.\x1b[2J", 0},
	    {"new/1006.\n1 :1000.M1P1.host", 0},
	};
	struct fixture *f = *state;
	struct heard heard;
	char text[40];

	put_three(f);
	put(f, "cur/1003.ab:2,", "gone\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_remove(f->inbox, 4), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(text, sizeof(text), "row %zu\n", i);
		put(f, rows[i].name, text);
	}
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_count(f->inbox), 3);
	mend(f, &heard, 0);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_count(f->inbox), 3 + COUNT(rows));
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t place = 3;

		assert_true(uid_at(f->inbox, 3 + i) > 4);
		for (snprintf(text, sizeof(text), "row %zu", i);; place++) {
			char *line = first_line(f, place);
			bool found = strcmp(line, text) == 0;

			free(line);
			if (found)
				break;
		}
		assert_int_equal(message_at(f->inbox, place).flags, rows[i].flags);
	}
	(void)look_at(f, &heard, 0);
	assert_int_equal(heard.count, 0);
}

static void
doubled(struct fixture *f)
{
	put(f, "cur/1000.M1P1.host:2,F", "Subject: another\n\n");
}

static void
twin(struct fixture *f)
{
	assert_int_equal(
	    linkat(f->fd, "cur/1000.M1P1.host:2,S", f->fd, "cur/1000.M1P1.host:2,SF", 0), 0);
}

static void
unreadable(struct fixture *f)
{
	assert_int_equal(fchmodat(f->fd, "cur/1000.M1P1.host:2,S", 0, 0), 0);
}

static void
uidlist_garbage(struct fixture *f)
{
	put(f, "dovecot-uidlist", "no uidlist\n");
}

static void
uidlist_missing(struct fixture *f)
{
	assert_int_equal(unlinkat(f->fd, "dovecot-uidlist", 0), 0);
}

static void
uidlist_short(struct fixture *f)
{
	char *text;

	/* What is appended is not in the header. */
	assert_int_equal(maildir_folder_open(f->md, "INBOX", &f->inbox), 0);
	put(f, "new/1003.M4P1.host", "Subject: four\n\n4\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	maildir_folder_close(&f->inbox);
	text = get(f, "dovecot-uidlist");
	strrchr(text, '\n')[0] = '\0';
	strrchr(text, '\n')[1] = '\0';
	put(f, "dovecot-uidlist", text);
	free(text);
}

/* The index cannot say any more whether others wrote to it since. */
static void
uidlist_short_alone(struct fixture *f)
{
	uidlist_short(f);
	assert_int_equal(unlinkat(f->fd, "sallyport.index", 0), 0);
}

static void
uidlist_hole(struct fixture *f)
{
	char *text = get(f, "dovecot-uidlist"), *at = strchr(text, '\n') + 3;
	size_t size = strlen(text);

	memset(at, 0, 5);
	put_bytes(f, "dovecot-uidlist", text, size);
	free(text);
}

static void
uidlist_torn(struct fixture *f)
{
	int fd = openat(f->fd, "dovecot-uidlist", O_WRONLY | O_APPEND | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "4 :100", 6), 6);
	close(fd);
}

/* The pid of a process that has just ended. */
static void
lock_dead(struct fixture *f)
{
	pid_t pid = fork();
	char text[64];

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	snprintf(text, sizeof(text), "%ld:test.host", (long)pid);
	put(f, "dovecot-uidlist.lock", text);
}

/* As a power failure leaves one. */
static void
lock_empty(struct fixture *f)
{
	const time_t now = time(NULL);
	const struct timespec old[2] = {{now - 5, 0}, {now - 5, 0}};

	put(f, "dovecot-uidlist.lock", "");
	assert_int_equal(utimensat(f->fd, "dovecot-uidlist.lock", old, 0), 0);
}

static void
index_garbage(struct fixture *f)
{
	put(f, "sallyport.index", "garbage");
}

static void
two_validities(struct fixture *f)
{
	put(f, "dovecot-uidvalidity.00000001", "");
	put(f, "dovecot-uidvalidity.00000002", "");
}

static void
quota(struct fixture *f)
{
	put(f, "maildirsize", "1000S\n");
}

static void
subscribed(struct fixture *f)
{
	assert_int_equal(maildir_subscribe(f->md, "Not/There", true), 0);
}

static void
no_folder(struct fixture *f)
{
	assert_int_equal(mkdirat(f->fd, ".a..b", 0700), 0);
	assert_int_equal(mkdirat(f->fd, ".a..b/cur", 0700), 0);
	assert_int_equal(mkdirat(f->fd, ".a..b/new", 0700), 0);
	assert_int_equal(mkdirat(f->fd, ".a..b/tmp", 0700), 0);
}

static void
no_dot(struct fixture *f)
{
	assert_int_equal(mkdirat(f->fd, "Sub", 0700), 0);
	assert_int_equal(mkdirat(f->fd, "Sub/new", 0700), 0);
}

static void
below_another(struct fixture *f)
{
	assert_int_equal(mkdirat(f->fd, "Sub", 0700), 0);
	assert_int_equal(mkdirat(f->fd, "Sub/Deeper", 0700), 0);
	assert_int_equal(mkdirat(f->fd, "Sub/Deeper/Still", 0700), 0);
	assert_int_equal(mkdirat(f->fd, "Sub/Deeper/Still/cur", 0700), 0);
}

static void
below_cur(struct fixture *f)
{
	assert_int_equal(mkdirat(f->fd, ".Sub", 0700), 0);
	assert_int_equal(mkdirat(f->fd, ".Sub/cur", 0700), 0);
	assert_int_equal(mkdirat(f->fd, ".Sub/Inner", 0700), 0);
	assert_int_equal(mkdirat(f->fd, ".Sub/Inner/new", 0700), 0);
}

static void
same_name(struct fixture *f)
{
	assert_int_equal(mkdirat(f->fd, ".&AOk-", 0700), 0);
	assert_int_equal(mkdirat(f->fd, ".&AOk-/cur", 0700), 0);
	assert_int_equal(mkdirat(f->fd, ".\xc3\xa9", 0700), 0);
	assert_int_equal(mkdirat(f->fd, ".\xc3\xa9/new", 0700), 0);
}

static void
link_to_folder(struct fixture *f)
{
	assert_int_equal(symlinkat("/tmp", f->fd, ".Link"), 0);
}

static void
deleted(struct fixture *f)
{
	assert_int_equal(mkdirat(f->fd, "sallyport.deleted.1", 0700), 0);
}

static void
everybodys(struct fixture *f)
{
	assert_int_equal(fchmodat(f->fd, "sallyport.keywords", 0666, 0), -1);
	assert_int_equal(fchmodat(f->fd, "dovecot-uidlist", 0666, 0), 0);
}

enum { STAYS, MENDED };

static const struct odd_case {
	void (*make)(struct fixture *f);
	enum maildir_odd odd;
	const char *name;
	int after;
} cases[] = {
    {part_missing, ODD_MISSING, "tmp", MENDED},
    {part_file, ODD_STRANGE, "tmp", STAYS},
    {is_fifo, ODD_NO_MESSAGE, "cur/1.fifo:2,", STAYS},
    {is_link, ODD_NO_MESSAGE, "cur/1.link:2,", STAYS},
    {is_hidden, ODD_NO_MESSAGE, "new/.hidden", STAYS},
    {bad_name, ODD_NAME, "cur/1.a\001b:2,", MENDED},
    {doubled, ODD_DOUBLED, "cur/1000.M1P1.host:2,S", MENDED},
    {twin, ODD_TWIN, "cur/1000.M1P1.host:2,SF", STAYS},
    {unreadable, ODD_UNREADABLE, "cur/1000.M1P1.host:2,S", STAYS},
    {uidlist_garbage, ODD_UIDLIST_LOST, "dovecot-uidlist", MENDED},
    {uidlist_missing, ODD_UIDLIST_LOST, "dovecot-uidlist", MENDED},
    {uidlist_short, ODD_UIDLIST_TORN, "dovecot-uidlist", MENDED},
    {uidlist_short_alone, ODD_UIDLIST_LOST, "dovecot-uidlist", MENDED},
    {uidlist_hole, ODD_UIDLIST_TORN, "dovecot-uidlist", MENDED},
    {uidlist_torn, ODD_UIDLIST_TORN, "dovecot-uidlist", MENDED},
    {lock_dead, ODD_LOCK, "dovecot-uidlist.lock", MENDED},
    {lock_empty, ODD_LOCK, "dovecot-uidlist.lock", MENDED},
    {index_garbage, ODD_INDEX, "sallyport.index", MENDED},
    {two_validities, ODD_VALIDITY_NAMES, "dovecot-uidvalidity.*", STAYS},
    {quota, ODD_QUOTA, "maildirsize", STAYS},
    {subscribed, ODD_SUBSCRIPTION, "Not/There", STAYS},
    {no_folder, ODD_NO_FOLDER, ".a..b", STAYS},
    /* mend06, mend07, mend09: whatever has messages that no client sees. */
    {no_dot, ODD_NO_FOLDER, "Sub", STAYS},
    {below_another, ODD_NO_FOLDER, "Sub/Deeper/Still", STAYS},
    {below_cur, ODD_NO_FOLDER, ".Sub/Inner", STAYS},
    {same_name, ODD_HIDDEN, ".\xc3\xa9", STAYS},
    {link_to_folder, ODD_LINK, ".Link", STAYS},
    {deleted, ODD_DELETED, "sallyport.deleted.1", STAYS},
    {everybodys, ODD_MODE, "dovecot-uidlist", STAYS},
};

/* Each in a Maildir of its own, which has nothing else that is odd. */
static void
each_odd_thing(void **state)
{
	struct heard heard;

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct odd_case *c = &cases[i];
		struct maildir_report report;
		struct fixture *f;

		assert_int_equal(fixture_setup(state), 0);
		f = *state;
		put_three(f);
		(void)look_at(f, &heard, 0);
		assert_int_equal(heard.count, 0);
		maildir_folder_close(&f->inbox);
		c->make(f);
		report = look_at(f, &heard, 0);
		if (heard.count != 1 || !was_told(&heard, c->odd, false, c->name))
			fail_msg("case %zu: %zu told, first %d %s", i, heard.count,
			    (int)heard.finding[0].odd, heard.name[0]);
		assert_in_range(report.messages, 3, 4);
		mend(f, &heard, 0);
		if (was_told(&heard, c->odd, true, NULL) != (c->after == MENDED))
			fail_msg("case %zu: mended or not", i);
		report = look_at(f, &heard, 0);
		assert_int_equal(was_told(&heard, c->odd, false, NULL), c->after == STAYS);
		assert_int_equal(heard.count, c->after == STAYS);
		assert_in_range(report.messages, 3, 4);
		assert_int_equal(maildir_folder_open(f->md, "INBOX", &f->inbox), 0);
		assert_int_equal(fixture_teardown(state), 0);
	}
}

/* --- the tree --- */

/* Makes a directory with those above it. */
static void
make_path(struct fixture *f, const char *path)
{
	char part[PATH_MAX];

	for (size_t i = 1; i <= strlen(path); i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)i, path);
		assert_true(mkdirat(f->fd, part, 0700) == 0 || errno == EEXIST);
	}
}

/* Whatever has mail and is not shown is told, and where it would be shown. */
static void
the_whole_tree(void **state)
{
	static const char *const directory[] = {"Archive/2025/cur", "Archive/2025/07/cur",
	    "Archive/cur", "a/b/c/d/e/f/g/h/new", ".Sub/cur", ".Sub/.In/tmp", "Taken/cur",
	    ".Taken/cur", "a..b/cur", "inbox/cur", "dotfiles/curious", "Archive/2025/cur/no/cur",
	    "lost+found/cur"};
	static const struct {
		const char *name, *directory;
	} odd[] = {
	    {"Archive/2025/07", ".Archive.2025.07"},
	    {"Archive/2025", ".Archive.2025"},
	    {"Archive", ".Archive"},
	    {"a/b/c/d/e/f/g/h", ".a.b.c.d.e.f.g.h"},
	    {".Sub/.In", ".Sub.In"},
	    {"Taken", ""},
	    {"a..b", ""},
	    {"inbox", ""},
	};
	static const struct {
		const char *name, *target, *directory;
	} links[] = {
	    {"Linked", ".Taken", ".Linked"},
	    {".Dotted", "../nowhere", ".Dotted"},
	    {"Archive/2025/there", "../../.Sub", ".Archive.2025.there"},
	    {"a/self", ".", NULL},
	    {"src", "dotfiles", NULL},
	    {"a/broken", "nowhere", NULL},
	    {"a/loop", "loop", NULL},
	};
	struct fixture *f = *state;
	struct heard heard;
	size_t expected = COUNT(odd), place[COUNT(odd)] = {0};

	put_three(f);
	for (size_t i = 0; i < COUNT(directory); i++)
		make_path(f, directory[i]);
	for (size_t i = 0; i < COUNT(links); i++) {
		assert_int_equal(symlinkat(links[i].target, f->fd, links[i].name), 0);
		expected += links[i].directory != NULL;
	}
	(void)look_at(f, &heard, 0);
	assert_int_equal(heard.count, expected);
	for (size_t i = 0; i < heard.count; i++) {
		const char *proposed = NULL;

		for (size_t j = 0; j < COUNT(odd); j++)
			if (heard.finding[i].odd == ODD_NO_FOLDER &&
			    strcmp(heard.name[i], odd[j].name) == 0) {
				proposed = odd[j].directory;
				place[j] = i;
			}
		for (size_t j = 0; j < COUNT(links); j++)
			if (heard.finding[i].odd == ODD_LINK &&
			    strcmp(heard.name[i], links[j].name) == 0) {
				proposed = links[j].directory;
				assert_string_equal(heard.detail[i], links[j].target);
			}
		assert_non_null(proposed);
		assert_string_equal(heard.directory[i], proposed);
	}
	/* Those within others come first: the commands can be typed in that order. */
	assert_true(place[0] < place[1] && place[1] < place[2]);
}

/* A walk ends, and says where. */
static void
the_depth_of_the_tree(void **state)
{
	struct fixture *f = *state;
	char long_name[201] = "", command[300];
	struct heard heard;
	int at = dup(f->fd), below;

	put_three(f);
	memset(long_name, 'n', sizeof(long_name) - 1);
	for (int deep = 0; deep < 2; deep++) {
		const char *name = deep != 0 ? "d" : long_name;

		for (int i = 0; i < 140; i++) {
			assert_int_equal(mkdirat(at, name, 0700), 0);
			below = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			assert_true(below >= 0);
			close(at);
			at = below;
		}
		close(at);
		(void)look_at(f, &heard, 0);
		assert_int_equal(heard.count, 1);
		assert_int_equal(heard.finding[0].odd, ODD_CLOSED);
		assert_string_equal(heard.detail[0], "it lies too deep");
		at = dup(f->fd);
		snprintf(command, sizeof(command), "rm -r %s/%s", f->path, name);
		assert_int_equal(system(command), 0);
	}
	close(at);
}

/* --- what depends on time --- */

static void
what_is_young_is_not_odd(void **state)
{
	static const char *const temporary[] = {"sallyport.index.tmp", "sallyport.log.tmp",
	    "sallyport.texts.tmp", "sallyport.uidlist", "sallyport.dotlock",
	    "sallyport.subscriptions", "sallyport.uidvalidity"};
	const struct timespec old[2] = {{1000, 0}, {1000, 0}};
	struct fixture *f = *state;
	struct heard heard;

	put_three(f);
	for (size_t i = 0; i < COUNT(temporary); i++)
		put(f, temporary[i], "x");
	/* A copy is a link: its times are old, but it came just now. */
	put(f, "tmp/1000.M9P9.host", "Subject: on its way\n\n");
	assert_int_equal(utimensat(f->fd, "tmp/1000.M9P9.host", old, 0), 0);
	put(f, "dovecot-uidlist.lock", "1:test.host");
	(void)look_at(f, &heard, 30);
	assert_int_equal(heard.count, 0);
	assert_int_equal(unlinkat(f->fd, "dovecot-uidlist.lock", 0), 0);
	mend(f, &heard, 30);
	assert_int_equal(heard.count, 0);
	for (size_t i = 0; i < COUNT(temporary); i++)
		assert_int_equal(exists(f, temporary[i]),
		    strcmp(temporary[i], "sallyport.uidlist") != 0 || exists(f, temporary[i]));

	(void)look_at(f, &heard, 35 * HOURS);
	assert_int_equal(heard.count, COUNT(temporary));
	for (size_t i = 0; i < COUNT(temporary); i++)
		assert_true(was_told(&heard, ODD_TEMPORARY, false, temporary[i]));
	(void)look_at(f, &heard, 37 * HOURS);
	assert_true(was_told(&heard, ODD_OLD, false, "tmp/1000.M9P9.host"));
	mend(f, &heard, 37 * HOURS);
	assert_true(was_told(&heard, ODD_OLD, true, "tmp/1000.M9P9.host"));
	assert_false(exists(f, "tmp/1000.M9P9.host"));
	for (size_t i = 0; i < COUNT(temporary); i++)
		assert_false(exists(f, temporary[i]));
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_count(f->inbox), 3);
}

/* --- what a look tells --- */

static void
the_report(void **state)
{
	struct fixture *f = *state;
	struct maildir_report report;
	struct heard heard;

	report = look_at(f, &heard, 0);
	assert_int_equal(report.index, MAILDIR_INDEX_NONE);
	assert_int_equal(report.validity, 0);
	put_three(f);
	assert_int_equal(maildir_keyword_make(f->inbox, "Work"), 0);
	assert_int_equal(change_flags(f->inbox, 1, 0, 0, 1, 0), 0);
	assert_int_equal(change_flags(f->inbox, 2, 0, 0, 1, 0), 0);
	assert_int_equal(unlinkat(f->fd, "cur/1002.M3P1.host:2,", 0), 0);
	put(f, "new/1003.M4P1.host", "Subject: four\n\n");
	report = look_at(f, &heard, 0);
	assert_int_equal(heard.count, 0);
	assert_int_equal(report.messages, 3);
	assert_int_equal(report.unseen, 2);
	assert_int_equal(report.fresh, 1);
	assert_int_equal(report.without_uid, 1);
	assert_int_equal(report.without_file, 1);
	assert_int_equal(report.validity, maildir_uidvalidity(f->inbox));
	assert_int_equal(report.next, 4);
	assert_int_equal(report.index, MAILDIR_INDEX_OLD);
	assert_int_equal(report.keywords, 1);
	assert_string_equal(report.keyword[0].name, "Work");
	assert_int_equal(report.keyword[0].messages, 2);
	/* Nothing was moved and nothing numbered by looking. */
	assert_true(exists(f, "new/1003.M4P1.host"));

	mend(f, &heard, 0);
	assert_true(was_told(&heard, ODD_NO_UID, true, NULL));
	assert_int_equal(maildir_sync(f->inbox), 0);
	while (maildir_read_ahead(f->inbox, 2) > 0)
		continue;
	maildir_save_findings(f->inbox);
	report = look_at(f, &heard, 0);
	assert_int_equal(report.with_texts, 3);
	assert_int_equal(report.without_uid, 0);
	assert_int_equal(report.next, 5);
	assert_true(report.snapshot > 0 && report.log > 0 && report.texts > 0);
	assert_int_equal(unlinkat(f->fd, "sallyport.texts", 0), 0);
	report = look_at(f, &heard, 0);
	assert_int_equal(heard.count, 0);
	assert_int_equal(report.with_texts, 0);
}

/* The same file under two base names is two messages, as copies are made. */
static void
copies_are_not_odd(void **state)
{
	struct fixture *f = *state;
	struct maildir_report report;
	struct heard heard;

	put_three(f);
	assert_int_equal(
	    linkat(f->fd, "cur/1000.M1P1.host:2,S", f->fd, "cur/1009.M9P1.host:2,S", 0), 0);
	report = look_at(f, &heard, 0);
	assert_int_equal(heard.count, 0);
	assert_int_equal(report.messages, 4);
}

/* All files and times of a directory, as one number. */
static uint64_t
print_of(struct fixture *f, const char *name)
{
	int fd = openat(f->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(fd);
	const struct dirent *entry;
	uint64_t print = 0;
	struct stat st;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		uint64_t one = 5381;

		assert_int_equal(fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW), 0);
		for (const char *p = entry->d_name; *p != '\0'; p++)
			one = one * 33 + (unsigned char)*p;
		if (strcmp(entry->d_name, "..") != 0)
			one = one * 33 + (uint64_t)st.st_size + (uint64_t)st.st_ctim.tv_sec * 7 +
			      (uint64_t)st.st_ctim.tv_nsec * 31 + st.st_ino;
		print += one;
	}
	closedir(dir);
	return print;
}

/* Whatever is odd, and with everything that could be taken over or made. */
static void
a_look_changes_nothing(void **state)
{
	static const char *const dir[] = {".", "cur", "new", "tmp"};
	struct fixture *f = *state;
	uint64_t before[COUNT(dir)];
	struct heard heard;

	put_three(f);
	maildir_folder_close(&f->inbox);
	doubled(f);
	uidlist_torn(f);
	lock_dead(f);
	index_garbage(f);
	put(f, "new/1005.M4P1.host", "x\n");
	put(f, "courierimapsubscribed", "INBOX.Sub\n");
	assert_int_equal(unlinkat(f->fd, "tmp", AT_REMOVEDIR), 0);
	assert_int_equal(mkdirat(f->fd, "tmp", 0700), 0);
	for (size_t i = 0; i < COUNT(dir); i++)
		before[i] = print_of(f, dir[i]);
	(void)look_at(f, &heard, 0);
	assert_int_equal(heard.count, 4);
	for (size_t i = 0; i < COUNT(dir); i++)
		assert_true(before[i] == print_of(f, dir[i]));
	assert_int_equal(maildir_folder_open(f->md, "INBOX", &f->inbox), 0);
}

/* Every octet of the index's files flipped, each file cut everywhere: looked at, mended, nothing lost. */
static void
a_damaged_index(void **state)
{
	static const char *const file[] = {"sallyport.index", "sallyport.log", "sallyport.texts"};
	struct fixture *f = *state;
	struct maildir_report report;
	struct heard heard;
	unsigned damaged = 0;
	uint64_t before;

	put_three(f);
	for (size_t i = 0; i < COUNT(file); i++) {
		struct stat st;
		char *good;

		while (maildir_read_ahead(f->inbox, 3) > 0)
			continue;
		maildir_folder_close(&f->inbox);
		good = get(f, file[i]);

		assert_int_equal(fstatat(f->fd, file[i], &st, 0), 0);
		/* A few hundred places suffice: all fields of heads and records are among them. */
		for (off_t at = 0; at<st.st_size; at += st.st_size> 600 ? 7 : 1) {
			good[at] ^= 0x41;
			put_bytes(f, file[i], good, (size_t)st.st_size);
			good[at] ^= 0x41;
			before = print_of(f, ".");
			report = look_at(f, &heard, 0);
			assert_true(before == print_of(f, "."));
			damaged += report.index == MAILDIR_INDEX_DAMAGED;
			assert_int_equal(report.messages, 3);
			assert_int_equal(heard.count, report.index == MAILDIR_INDEX_DAMAGED);
			put_bytes(f, file[i], good, (size_t)at);
			report = look_at(f, &heard, 0);
			assert_int_equal(report.messages, 3);
		}
		put_bytes(f, file[i], good, (size_t)st.st_size / 2);
		free(good);
		mend(f, &heard, 0);
		report = look_at(f, &heard, 0);
		assert_int_equal(heard.count, 0);
		assert_int_equal(report.next, 4);
		assert_int_equal(maildir_folder_open(f->md, "INBOX", &f->inbox), 0);
		assert_int_equal(maildir_sync(f->inbox), 0);
		assert_int_equal(maildir_count(f->inbox), 3);
	}
	assert_true(damaged > 20);
}

static void
what_is_no_maildir(void **state)
{
	struct fixture *f = *state;
	struct maildir *md;
	char path[80];

	assert_int_equal(maildir_check_open("/nonexistent", "h", &md), -1);
	assert_int_equal(errno, ENOENT);
	assert_null(md);
	snprintf(path, sizeof(path), "%s/cur", f->path);
	assert_int_equal(maildir_check_open(path, "h", &md), -1);
	assert_int_equal(errno, ENOENT);
	assert_null(md);
	part_missing(f);
	assert_int_equal(maildir_check_open(f->path, "h", &md), 0);
	maildir_close(&md);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_odd_thing),
	    WITH(the_whole_tree),
	    WITH(the_depth_of_the_tree),
	    WITH(mend32_names_that_no_message_can_have),
	    WITH(what_is_young_is_not_odd),
	    WITH(the_report),
	    WITH(copies_are_not_odd),
	    WITH(a_look_changes_nothing),
	    WITH(a_damaged_index),
	    WITH(what_is_no_maildir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
