/*
 * test_maildir_storm.c: everybody at once, and everybody killed.
 *
 * A deliverer, a renamer as mutt is one, an rm and several of our sessions work on one Maildir for
 * some seconds.  Each message says in its first line what its base name is.  Each process writes down
 * what it saw and did in a log of its own; in the end they must agree:
 *
 *	D <base>                   delivered
 *	X <base>                   removed
 *	U <validity> <uid> <base>  a session saw this message under this UID
 *	G <base>                   a session saw this message gone from its list
 */
#include "maildir_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "maildir/folder/folder.h"
#include "maildir/folder/watch.h"
#include "maildir/index/index.h"

#define STORM_MS  5000
#define READERS	  4
#define PRELOAD	  3000 /* so many that a directory takes several reads, and renames can hide files */
#define BASE_SIZE 64
#define UIDS	  200000

struct storm {
	struct fixture *f;
	char logs[64]; /* a directory */
	FILE *log;     /* of this process */
	uint64_t end;
	unsigned seed;
};

static unsigned
storm_random(struct storm *s, unsigned below)
{
	s->seed = s->seed * 1103515245 + 12345;
	return (s->seed >> 8) % below;
}

/* In a child there is no cmocka: it says what is wrong and ends. */
static void
die(const char *what, const char *name)
{
	fprintf(stderr, "%d: %s %s: %s\n", (int)getpid(), what, name, strerror(errno));
	_exit(1);
}

static void
storm_path(const struct storm *s, char path[PATH_MAX], const char *dir, const char *name)
{
	snprintf(path, PATH_MAX, "%s/%s/%s", s->f->path, dir, name);
}

static void
log_base(struct storm *s, char what, const char *name)
{
	fprintf(s->log, "%c %.*s\n", what, (int)mdname_base(name), name);
	if (fflush(s->log) != 0)
		die("log", name);
}

/* --- the others --- */

static void
deliverer(struct storm *s)
{
	char base[BASE_SIZE], tmp[PATH_MAX], new[PATH_MAX];

	for (unsigned n = 0; mdclock_now_ms() < s->end; n++) {
		FILE *file;

		snprintf(
		    base, sizeof(base), "%ld.M%uP%d.storm", (long)time(NULL), n, (int)getpid());
		storm_path(s, tmp, "tmp", base);
		storm_path(s, new, "new", base);
		file = fopen(tmp, "w");
		if (file == NULL || fprintf(file, "%s\n\nbody\n", base) < 0 || fclose(file) != 0 ||
		    rename(tmp, new) < 0)
			die("deliver", base);
		log_base(s, 'D', base);
		mdclock_sleep_ms(1 + storm_random(s, 5));
	}
}

/* Calls each for the names in a directory, as they are at the moment. */
static void
each_name(struct storm *s, const char *which, void (*each)(struct storm *s, const char *name))
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	storm_path(s, path, which, ".");
	dir = opendir(path);
	if (dir == NULL)
		die("opendir", path);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.')
			each(s, entry->d_name);
	}
	closedir(dir);
}

static void
renamer_take(struct storm *s, const char *name)
{
	char old[PATH_MAX], new[PATH_MAX], info[BASE_SIZE + 10];

	snprintf(info, sizeof(info), "%.60s:2,", name);
	storm_path(s, old, "new", name);
	storm_path(s, new, "cur", info);
	/* Half of them the careful way. */
	if (storm_random(s, 2) == 0)
		(void)rename(old, new);
	else if (link(old, new) == 0)
		(void)unlink(old);
}

static void
renamer_flag(struct storm *s, const char *name)
{
	static const char *const sets[] = {"", "S", "FS", "RS", "F", "Sab"};
	char old[PATH_MAX], new[PATH_MAX], info[BASE_SIZE + 20];

	if (storm_random(s, 10) != 0)
		return;
	snprintf(info, sizeof(info), "%.*s:2,%s", (int)mdname_base(name), name,
	    sets[storm_random(s, COUNT(sets))]);
	storm_path(s, old, "cur", name);
	storm_path(s, new, "cur", info);
	(void)rename(old, new);
}

static void
renamer(struct storm *s)
{
	while (mdclock_now_ms() < s->end) {
		each_name(s, "new", renamer_take);
		each_name(s, "cur", renamer_flag);
		/* It is not always there: sessions must also see the folder stand still. */
		mdclock_sleep_ms(storm_random(s, 20) == 0 ? 300 : storm_random(s, 5));
	}
}

static void
rm_one(struct storm *s, const char *name)
{
	char path[PATH_MAX];

	storm_path(s, path, "cur", name);
	if (storm_random(s, 400) == 0 && unlink(path) == 0)
		log_base(s, 'X', name);
}

static void
rm(struct storm *s)
{
	while (mdclock_now_ms() < s->end) {
		each_name(s, "cur", rm_one);
		mdclock_sleep_ms(50);
	}
}

/* --- our sessions --- */

struct seen {
	char (*base)[BASE_SIZE]; /* by UID; "" when not seen */
	bool *listed;		 /* in the last list */
	uint32_t validity;
};

/* The message at a place; it may be gone by now. */
static void
stored_at(struct maildir_folder *folder, size_t place, struct index_message *message_r)
{
	if (message_find(folder, uid_at(folder, place), message_r) < 0)
		die("place", "");
}

static void
base_of(const struct index_message *message, char base[BASE_SIZE])
{
	snprintf(base, BASE_SIZE, "%.*s", message->record.base_len, index_name(message));
}

static void
session_compare(struct storm *s, struct seen *seen, struct maildir_folder *folder)
{
	static bool now[UIDS];
	uint32_t last = 0;

	memset(now, 0, sizeof(now));
	if (seen->validity != 0 && seen->validity != maildir_uidvalidity(folder))
		die("UIDVALIDITY changed", "");
	seen->validity = maildir_uidvalidity(folder);
	for (size_t i = 0; i < maildir_count(folder); i++) {
		struct index_message message;
		char base[BASE_SIZE];
		uint32_t uid;

		stored_at(folder, i, &message);
		uid = message.record.uid;
		base_of(&message, base);
		if (uid <= last || uid >= UIDS || uid >= maildir_uidnext(folder))
			die("UID out of order", base);
		last = uid;
		if (seen->base[uid][0] != '\0' && strcmp(seen->base[uid], base) != 0)
			die("a UID changed its message", base);
		if (seen->base[uid][0] == '\0')
			fprintf(s->log, "U %u %u %s\n", seen->validity, uid, base);
		strcpy(seen->base[uid], base);
		now[uid] = true;
	}
	for (uint32_t uid = 1; uid < UIDS; uid++) {
		if (seen->listed[uid] && !now[uid])
			log_base(s, 'G', seen->base[uid]);
	}
	memcpy(seen->listed, now, sizeof(now));
	if (fflush(s->log) != 0)
		die("log", "");
}

/* Reads the message and compares; ENOENT is for messages that were removed. */
static void
session_read(struct storm *s, struct maildir_folder *folder, size_t index)
{
	uint32_t uid = uid_at(folder, index);
	struct maildir_reader *reader;
	struct index_message message;
	char text[300], base[BASE_SIZE];
	bool newline;
	uint64_t size;
	ssize_t n;

	stored_at(folder, index, &message);
	base_of(&message, base);
	if (maildir_size(folder, uid, &size, &newline) < 0 ||
	    maildir_reader_open(folder, uid, &reader) < 0) {
		if (errno != ENOENT)
			die("read", base);
		log_base(s, 'G', base);
		return;
	}
	n = maildir_reader_read(reader, text, sizeof(text) - 1);
	if (n < 0 || (uint64_t)n != size || !newline)
		die("size", base);
	text[strcspn(text, "\r")] = '\0';
	if (strcmp(text, base) != 0)
		die("another message", base);
	maildir_reader_close(&reader);
}

static void
session_work(struct storm *s, struct maildir_folder *folder)
{
	for (int i = 0; i < 20 && maildir_count(folder) > 0; i++) {
		size_t index = storm_random(s, (unsigned)maildir_count(folder));
		uint32_t uid = uid_at(folder, index);
		unsigned what = storm_random(s, 40);
		struct index_message message;
		char name[NAME_SIZE];

		stored_at(folder, index, &message);
		memcpy(name, index_name(&message), sizeof(name));
		if (what == 0) {
			if (maildir_remove(folder, uid) < 0)
				die("remove", name);
			log_base(s, 'X', name);
		} else if (what < 20) {
			if (change_flags(
				folder, uid, what & 63, (what * 7) & 63, what & 1, what & 2) < 0 &&
			    errno != ENOENT && errno != EBUSY)
				die("flags", name);
		} else {
			session_read(s, folder, index);
		}
	}
	maildir_save_findings(folder);
}

static void
session(struct storm *s)
{
	struct seen seen = {0};
	struct fixture f = *s->f;
	struct maildir_watch *watch = NULL;

	seen.base = calloc(UIDS, sizeof(*seen.base));
	seen.listed = calloc(UIDS, sizeof(*seen.listed));
	if (seen.base == NULL || seen.listed == NULL)
		die("memory", "");
	fixture_open(&f);
	while (mdclock_now_ms() < s->end) {
		/* Half of the time it hears of changes. */
		if (watch != NULL && f.inbox->watch != NULL)
			(void)maildir_watch_take(watch);
		else if (storm_random(s, 10) == 0 && maildir_watch_open(f.inbox, &watch) < 0)
			die("watch", "");
		if (maildir_sync(f.inbox) < 0)
			die("sync", "");
		session_compare(s, &seen, f.inbox);
		session_work(s, f.inbox);
		if (storm_random(s, 10) == 0) {
			/* A new session knows nothing, and must come to the same. */
			fixture_reopen(&f);
			memset(seen.listed, 0, UIDS * sizeof(*seen.listed));
		}
	}
	fixture_close(&f);
	maildir_watch_close(&watch);
}

/* --- what they wrote down --- */

struct base {
	char name[BASE_SIZE];
	uint32_t uid;
	bool delivered, removed, gone, listed;
};

struct book {
	struct base *base;
	size_t count, room;
	uint32_t validity;
	size_t seen; /* U lines */
};

/* Sorted once all names are in. */
static int
base_compare(const void *a, const void *b)
{
	return strcmp(((const struct base *)a)->name, ((const struct base *)b)->name);
}

static struct base *
book_find(struct book *book, const char *name)
{
	struct base key = {.uid = 0}, *found;

	snprintf(key.name, sizeof(key.name), "%s", name);
	found = bsearch(&key, book->base, book->count, sizeof(key), base_compare);
	if (found == NULL)
		fail_msg("a base name that nobody delivered: %s", name);
	return found;
}

static void
book_line(struct book *book, const char *line, bool deliveries)
{
	char name[BASE_SIZE];
	uint32_t validity, uid;

	if (deliveries) {
		if (sscanf(line, "D %63s", name) != 1)
			return;
		if (book->count == book->room) {
			book->room = book->room * 2 + 1000;
			book->base = realloc(book->base, book->room * sizeof(*book->base));
			assert_non_null(book->base);
		}
		memset(&book->base[book->count], 0, sizeof(*book->base));
		strcpy(book->base[book->count++].name, name);
	} else if (sscanf(line, "U %u %u %63s", &validity, &uid, name) == 3) {
		struct base *base = book_find(book, name);

		if (book->validity == 0)
			book->validity = validity;
		assert_int_equal(validity, book->validity);
		if (base->uid != 0 && base->uid != uid)
			fail_msg("%s has UIDs %u and %u", name, base->uid, uid);
		base->uid = uid;
		book->seen++;
	} else if (sscanf(line, "X %63s", name) == 1) {
		book_find(book, name)->removed = true;
	} else if (sscanf(line, "G %63s", name) == 1) {
		book_find(book, name)->gone = true;
	}
}

static void
book_read(struct book *book, const char *dir, bool deliveries)
{
	DIR *logs = opendir(dir);
	struct dirent *entry;
	char path[PATH_MAX], line[300];

	assert_non_null(logs);
	while ((entry = readdir(logs)) != NULL) {
		FILE *file;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		file = fopen(path, "r");
		assert_non_null(file);
		while (fgets(line, sizeof(line), file) != NULL)
			book_line(book, line, deliveries);
		fclose(file);
	}
	closedir(logs);
	if (deliveries && book->count > 0)
		qsort(book->base, book->count, sizeof(*book->base), base_compare);
}

/* The list as it is in the end. */
static void
book_check(struct book *book, struct fixture *f)
{
	size_t left = 0;

	/* What happened beside a change of our own is seen within a second. */
	for (int tries = 0; tries < 5; tries++) {
		assert_int_equal(maildir_sync(f->inbox), 0);
		if (maildir_look_again(f->inbox) < 0)
			break;
		mdclock_sleep_ms((unsigned)maildir_look_again(f->inbox));
	}
	for (size_t i = 0; i < maildir_count(f->inbox); i++) {
		char name[BASE_SIZE], *line = first_line(f, i);
		struct index_message message;
		struct base *base;

		stored_at(f->inbox, i, &message);
		base_of(&message, name);
		base = book_find(book, name);
		assert_string_equal(line, name);
		assert_false(base->listed);
		base->listed = true;
		if (base->uid != 0)
			assert_int_equal(base->uid, message.record.uid);
		base->uid = message.record.uid;
		free(line);
	}
	for (size_t i = 0; i < book->count; i++) {
		const struct base *base = &book->base[i];

		if (base->listed == base->removed)
			fail_msg("%s: %s", base->name, base->listed ? "removed but there" : "lost");
		if (base->gone && !base->removed)
			fail_msg("%s: was taken for gone", base->name);
		left += base->listed;
	}
	assert_int_equal(left, maildir_count(f->inbox));
	if (book->validity != 0)
		assert_int_equal(maildir_uidvalidity(f->inbox), book->validity);
}

static int
uid_compare(const void *a, const void *b)
{
	uint32_t x = ((const struct base *)a)->uid, y = ((const struct base *)b)->uid;

	return (x > y) - (x < y);
}

static void
book_check_uids(struct book *book)
{
	qsort(book->base, book->count, sizeof(*book->base), uid_compare);
	for (size_t i = 1; i < book->count; i++) {
		const struct base *base = &book->base[i];

		if (base->uid != 0 && base->uid == base[-1].uid)
			fail_msg("UID %u: %s and %s", base->uid, base->name, base[-1].name);
	}
}

static void
uidlist_check(struct fixture *f)
{
	struct uidlist list;
	char *text = get(f, "dovecot-uidlist");

	assert_int_equal(uidlist_parse(&list, text, strlen(text)), 0);
	assert_int_equal(list.state, UIDLIST_GOOD);
	assert_int_equal(list.next, maildir_uidnext(f->inbox));
	uidlist_clear(&list);
}

static pid_t
start(struct storm *s, unsigned number, void (*run)(struct storm *s))
{
	pid_t pid = fork();
	char path[PATH_MAX];

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	alarm(60); /* whatever hangs ends */
	s->seed = number * 7919 + 1;
	snprintf(path, sizeof(path), "%s/%u", s->logs, number);
	s->log = fopen(path, "a");
	if (s->log == NULL)
		die("log", path);
	run(s);
	_exit(fclose(s->log) == 0 ? 0 : 1);
}

static void
finish(struct storm *s, struct book *book)
{
	book_read(book, s->logs, true);
	book_read(book, s->logs, false);
	book_check(book, s->f);
	book_check_uids(book);
	uidlist_check(s->f);
	fixture_remove(s->logs);
}

static void
storm_init(struct storm *s, struct fixture *f)
{
	memset(s, 0, sizeof(*s));
	s->f = f;
	snprintf(s->logs, sizeof(s->logs), "/tmp/test-maildir-logs-XXXXXX");
	assert_non_null(mkdtemp(s->logs));
}

static void
storm_preload(struct storm *s)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/parent", s->logs);
	s->log = fopen(path, "a");
	assert_non_null(s->log);
	for (unsigned i = 0; i < PRELOAD; i++) {
		char base[BASE_SIZE], name[BASE_SIZE + 10], line[BASE_SIZE + 2];

		snprintf(base, sizeof(base), "1000000000.M%u.preload", i);
		snprintf(name, sizeof(name), "cur/%s:2,", base);
		snprintf(line, sizeof(line), "%s\n", base);
		put(s->f, name, line);
		log_base(s, 'D', base);
	}
	assert_int_equal(fclose(s->log), 0);
}

/* REQUIREMENTS 32 and 33, and the contract at the head of maildir/folder/sync.c. */
static void
test_req33_storm(void **state)
{
	struct storm s;
	struct book book = {0};
	pid_t pid[3 + READERS];
	int status, bad = 0;

	storm_init(&s, *state);
	storm_preload(&s);
	s.end = mdclock_now_ms() + STORM_MS;
	for (unsigned i = 0; i < COUNT(pid); i++)
		pid[i] = start(&s, i,
		    i == 0   ? deliverer
		    : i == 1 ? renamer
		    : i == 2 ? rm
			     : session);
	for (unsigned i = 0; i < COUNT(pid); i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		bad += status != 0;
	}
	assert_int_equal(bad, 0);
	finish(&s, &book);
	assert_true(book.count > 300 && book.seen > 300);
	assert_false(exists(s.f, "dovecot-uidlist.lock"));
	print_message("storm: %zu delivered, %zu left, %zu observations of UIDs\n", book.count,
	    maildir_count(s.f->inbox), book.seen);
	free(book.base);
}

/* --- killed --- */

static void
victim(struct storm *s)
{
	struct fixture f = *s->f;

	for (;;) {
		fixture_open(&f);
		if (maildir_sync(f.inbox) < 0)
			die("sync", "");
		for (size_t i = 0; i < maildir_count(f.inbox); i++) {
			struct index_message message;
			char base[BASE_SIZE];

			stored_at(f.inbox, i, &message);
			base_of(&message, base);
			fprintf(s->log, "U %u %u %s\n", maildir_uidvalidity(f.inbox),
			    message.record.uid, base);
			/* Only what is in whole lines counts; this one is killed at any time. */
			if (i % 10 == 0)
				fflush(s->log);
		}
		fflush(s->log);
		if (maildir_count(f.inbox) > 0) {
			uint64_t size;
			bool newline;

			(void)maildir_size(
			    f.inbox, uid_at(f.inbox, maildir_count(f.inbox) - 1), &size, &newline);
			maildir_save_findings(f.inbox);
			(void)change_flags(f.inbox, uid_at(f.inbox, 0), MAILDIR_SEEN, 0, 0, 0);
		}
		fixture_close(&f);
	}
}

/* A few deliveries, a few removals, between the kills. */
static void
kill_prepare(struct storm *s, unsigned round)
{
	for (unsigned i = 0; i < 10; i++) {
		char base[BASE_SIZE], name[BASE_SIZE + 10], line[BASE_SIZE + 2];

		snprintf(base, sizeof(base), "%u.M%u.kill", 1000 + round, i);
		snprintf(name, sizeof(name), "new/%s", base);
		snprintf(line, sizeof(line), "%s\n", base);
		put(s->f, name, line);
		log_base(s, 'D', base);
	}
	assert_int_equal(maildir_change_begin(s->f->inbox), 0);
	for (size_t i = 0; i < 9 && maildir_count(s->f->inbox) > 20; i++) {
		struct index_message message;

		stored_at(s->f->inbox, 0, &message);
		log_base(s, 'X', index_name(&message));
		assert_int_equal(maildir_remove(s->f->inbox, message.record.uid), 0);
	}
	assert_int_equal(maildir_change_end(s->f->inbox), 0);
}

/* The log of one that was killed may end in the middle of a line. */
static void
kill_trim(const struct storm *s, unsigned number)
{
	char path[PATH_MAX], *text, *end;
	FILE *file;
	long size;

	snprintf(path, sizeof(path), "%s/%u", s->logs, number);
	file = fopen(path, "r+");
	if (file == NULL)
		return;
	fseek(file, 0, SEEK_END);
	size = ftell(file);
	text = calloc(1, (size_t)size + 1);
	assert_non_null(text);
	rewind(file);
	assert_int_equal(fread(text, 1, (size_t)size, file), size);
	end = strrchr(text, '\n');
	assert_int_equal(ftruncate(fileno(file), end == NULL ? 0 : end + 1 - text), 0);
	free(text);
	fclose(file);
}

/* REQUIREMENTS 36: killed anywhere, the next one goes on at once, and no UID has changed. */
static void
test_req36_sigkill_anywhere(void **state)
{
	enum { ROUNDS = 150, RUN_MS = 6000 };
	uint64_t end = mdclock_now_ms() + RUN_MS, slowest = 0;
	struct storm s;
	struct book book = {0};
	char path[PATH_MAX];
	unsigned round;

	storm_init(&s, *state);
	s.seed = (unsigned)getpid();
	snprintf(path, sizeof(path), "%s/parent", s.logs);
	s.log = fopen(path, "a");
	assert_non_null(s.log);
	for (round = 0; round < ROUNDS && mdclock_now_ms() < end; round++) {
		struct timespec pause = {0, (long)storm_random(&s, 12000) * 1000};
		uint64_t begin;
		pid_t pid;

		kill_prepare(&s, round);
		pid = start(&s, round, victim);
		nanosleep(&pause, NULL);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		kill_trim(&s, round);
		fixture_reopen(s.f);
		begin = mdclock_now_ms();
		assert_int_equal(maildir_sync(s.f->inbox), 0);
		begin = mdclock_now_ms() - begin;
		assert_true(begin < 2000);
		slowest = begin > slowest ? begin : slowest;
		for (size_t i = 0; i < maildir_count(s.f->inbox); i++) {
			struct index_message message;
			char base[BASE_SIZE];

			stored_at(s.f->inbox, i, &message);
			base_of(&message, base);
			fprintf(s.log, "U %u %u %s\n", maildir_uidvalidity(s.f->inbox),
			    message.record.uid, base);
		}
	}
	assert_int_equal(fclose(s.log), 0);
	finish(&s, &book);
	print_message("killed %u times; slowest sync after it %u ms, %zu observations of UIDs\n",
	    round, (unsigned)slowest, book.seen);
	free(book.base);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    WITH(test_req33_storm),
	    WITH(test_req36_sigkill_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
