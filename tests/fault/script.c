/*
 * script.c: runs scenarios on a small Maildir, once for each call into the file system and each fault that
 * can happen to the call.  After each run the tree is compared with what the session was told.
 * Runs as: whoever runs the tests.
 *
 *	script [--seconds N] [--seed N] [--jobs N] [--only SCENARIO[:KIND[:CALL]]]
 *
 * Without --seconds every call has its turn.  With it there are as many runs as time allows, in an order
 * that follows from the seed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "maildir/folder/watch.h"
#include "tests/fault/world.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* A run takes milliseconds; a run that waits for the lock of a dead process would take this long. */
#define RUN_SECONDS 20
/* Nobody waits longer for the lock of a dead process. */
#define OPEN_SECONDS 2.0
/* On every local file system a later change gives a directory another time after so long. */
#define STILL_MS 30
#define JOBS_MAX 16

enum { INBOX, WORK };

/* --- steps --- */

/* Notes the end of a step; returns true if r is 0. */
static bool
step(struct session *s, const char *what, int r)
{
	struct world *world = s->world;

	snprintf(world->step, sizeof(world->step), "%s", what);
	if (r == 0)
		world->done++;
	else
		world->failed++;
	return r == 0;
}

static void
do_open(struct session *s)
{
	if (!step(s, "open", session_open(s, s->world)))
		session_close(s);
}

static void
do_sync(struct session *s, int f)
{
	if (s->folder[f] != NULL)
		step(s, "sync", session_sync(s, f));
}

static void
change_flags(struct known *known, uint32_t add, uint32_t remove, bool sure)
{
	for (int i = 0; i < WORLD_FLAGS; i++) {
		uint8_t after = add >> i & 1 ? IS : IS_NOT;

		if (((add | remove) >> i & 1) && (sure || known->flag[i] != after))
			known->flag[i] = sure ? after : MAY_BE;
	}
}

static void
do_flags(struct session *s, int f, unsigned id, uint32_t add, uint32_t remove)
{
	struct known *known = &s->world->message[f][id];

	if (!session_has(s, f, id))
		return;
	change_flags(known, add, remove, false);
	if (step(s, "flags", session_mark(s, f, id, add, remove)))
		change_flags(known, add, remove, true);
}

static void
do_keyword(struct session *s, int f, unsigned id, unsigned keyword, bool on)
{
	uint8_t *known = &s->world->message[f][id].keyword[keyword];

	if (!session_has(s, f, id))
		return;
	if (*known != (on ? IS : IS_NOT))
		*known = MAY_BE;
	if (step(s, "keyword", session_keyword(s, f, id, keyword, on)))
		*known = on ? IS : IS_NOT;
}

/* The changes in between are one batch; without the lock there is no batch. */
static bool
do_begin(struct session *s, int f)
{
	return s->folder[f] != NULL && step(s, "begin", maildir_change_begin(s->folder[f]));
}

static void
do_end(struct session *s, int f, bool begun)
{
	if (begun)
		step(s, "end", maildir_change_end(s->folder[f]));
}

/* Notes whether a set of messages is there now: with uids it is, with NULL it was refused. */
static void
arrived(struct session *s, int f, const unsigned *ids, size_t count, const uint32_t *uids)
{
	struct world *world = s->world;

	for (size_t i = 0; i < count; i++) {
		world->message[f][ids[i]].there = uids != NULL ? IS : IS_NOT;
		if (uids != NULL)
			world->told[f][uids[i]] = (uint8_t)(ids[i] + 1);
		if (uids != NULL && uids[i] >= world->next[f])
			world->next[f] = uids[i] + 1;
	}
}

/* Two messages at once, as one APPEND may have them: both arrive or neither does. */
static void
do_append(struct session *s, int f, unsigned id)
{
	const unsigned ids[2] = {id, id + 1};
	uint32_t uids[2];

	if (s->folder[f] == NULL)
		return;
	for (int i = 0; i < 2; i++)
		world_arriving(s->world, f, ids[i], MAILDIR_SEEN);
	if (step(s, "append", session_append(s, f, ids, 2, MAILDIR_SEEN, uids)))
		arrived(s, f, ids, 2, uids);
	else
		arrived(s, f, ids, 2, NULL);
}

static void
do_copy(struct session *s, int from, unsigned id, int to)
{
	struct known *known = s->world->message[from];
	uint32_t uid;

	if (!session_has(s, from, id) || s->folder[to] == NULL)
		return;
	s->world->message[to][id] = known[id];
	s->world->message[to][id].there = MAY_BE;
	if (step(s, "copy", session_copy(s, from, id, to, &uid)))
		arrived(s, to, &id, 1, &uid);
	else
		arrived(s, to, &id, 1, NULL);
}

static void
do_remove(struct session *s, int f, unsigned id)
{
	struct known *known = &s->world->message[f][id];

	if (!session_has(s, f, id) || known->there != IS)
		return;
	known->there = MAY_BE;
	if (step(s, "remove", session_remove(s, f, id)))
		known->there = IS_NOT;
}

/* The same order as MOVE: a message that was not copied is not removed. */
static void
do_move(struct session *s, int from, unsigned id, int to)
{
	do_copy(s, from, id, to);
	if (s->world->message[to][id].there == IS)
		do_remove(s, from, id);
}

static void
do_facts(struct session *s, int f)
{
	struct maildir_message message;
	struct facts facts;
	int r = 0;

	if (s->folder[f] == NULL)
		return;
	for (size_t i = 0; i < maildir_count(s->folder[f]); i++) {
		if (!maildir_message(s->folder[f], i, &message))
			continue;
		session_facts(s, f, message.uid, &facts);
		r |= facts.failed ? -1 : 0;
	}
	step(s, "facts", r);
	maildir_save_findings(s->folder[f]);
}

static void
do_recent(struct session *s, int f)
{
	uint32_t from;

	if (s->folder[f] != NULL)
		step(s, "recent", maildir_claim_recent(s->folder[f], &from));
}

static void
nap(void)
{
	const struct timespec time = {.tv_nsec = STILL_MS * 1000000L};

	(void)nanosleep(&time, NULL);
}

/* --- scenarios --- */

/* A tree that no server has seen, with old and new mail. */
static void
before_first(struct session *s)
{
	world_deliver(s->world, INBOX, 0, "");
	world_deliver(s->world, INBOX, 1, "FS");
	world_deliver(s->world, INBOX, 3, NULL);
	world_deliver(s->world, INBOX, 5, NULL);
	world_deliver(s->world, WORK, 2, "S");
}

static void
script_first(struct session *s)
{
	do_open(s);
	do_sync(s, INBOX);
	do_recent(s, INBOX);
	do_facts(s, INBOX);
	do_sync(s, WORK);
}

/* The same tree after a session that left everything tidy. */
static void
before_daily(struct session *s)
{
	before_first(s);
	script_first(s);
	session_close(s);
	nap();
	do_open(s);
	do_sync(s, INBOX);
	do_sync(s, WORK);
	session_close(s);
}

static void
script_changes(struct session *s)
{
	bool begun;

	do_open(s);
	do_sync(s, INBOX);
	begun = do_begin(s, INBOX);
	do_flags(s, INBOX, 0, MAILDIR_SEEN | MAILDIR_FLAGGED, 0);
	do_flags(s, INBOX, 1, MAILDIR_REPLIED, MAILDIR_FLAGGED);
	do_end(s, INBOX, begun);
	do_keyword(s, INBOX, 1, 0, true);
	do_keyword(s, INBOX, 3, 0, true);
	do_keyword(s, INBOX, 3, 1, true);
	do_sync(s, INBOX);
	do_keyword(s, INBOX, 1, 0, false);
	do_flags(s, INBOX, 5, MAILDIR_TRASHED, 0);
	begun = do_begin(s, INBOX);
	do_remove(s, INBOX, 5);
	do_end(s, INBOX, begun);
	do_sync(s, INBOX);
}

static void
script_arrivals(struct session *s)
{
	do_open(s);
	world_deliver(s->world, INBOX, 6, NULL);
	do_sync(s, INBOX);
	do_append(s, INBOX, 8);
	world_deliver(s->world, INBOX, 7, NULL);
	do_sync(s, INBOX);
	do_append(s, WORK, 10);
	do_sync(s, WORK);
	do_facts(s, WORK);
}

static void
script_moves(struct session *s)
{
	do_open(s);
	do_sync(s, INBOX);
	do_sync(s, WORK);
	do_copy(s, INBOX, 0, WORK);
	do_move(s, INBOX, 1, WORK);
	do_move(s, WORK, 2, INBOX);
	do_sync(s, INBOX);
	do_sync(s, WORK);
}

/* Other programs change the tree under the session. */
static void
script_others(struct session *s)
{
	do_open(s);
	do_sync(s, INBOX);
	world_rename(s->world, INBOX, 0, "RS");
	world_rename(s->world, INBOX, 3, NULL);
	world_deliver(s->world, INBOX, 12, "T");
	do_flags(s, INBOX, 0, MAILDIR_FLAGGED, 0);
	do_sync(s, INBOX);
	world_rename(s->world, INBOX, 1, "");
	do_remove(s, INBOX, 1);
	do_sync(s, INBOX);
}

/* One session works, and the other must notice. */
static void
script_two(struct session *s)
{
	struct session other = {.world = s->world};

	do_open(s);
	do_open(&other);
	do_sync(s, INBOX);
	do_sync(&other, INBOX);
	do_flags(s, INBOX, 0, MAILDIR_FLAGGED, 0);
	do_sync(&other, INBOX);
	do_flags(&other, INBOX, 0, MAILDIR_SEEN, MAILDIR_FLAGGED);
	do_append(&other, INBOX, 8);
	do_sync(s, INBOX);
	do_remove(s, INBOX, 8);
	do_sync(&other, INBOX);
	session_close(&other);
	do_sync(s, INBOX);
}

/* A session that idles hears of names that others change, and looks at those alone. */
static void
script_watched(struct session *s)
{
	struct maildir_watch *watch = NULL;

	do_open(s);
	do_sync(s, INBOX);
	if (s->folder[INBOX] != NULL)
		step(s, "watch", maildir_watch_open(s->folder[INBOX], &watch));
	world_rename(s->world, INBOX, 0, "RS");
	usleep(STILL_MS * 1000);
	do_sync(s, INBOX); /* of the whole directory */
	do_sync(s, INBOX); /* of nothing: from here on the watch knows what changes */
	world_rename(s->world, INBOX, 0, "F");
	world_rename(s->world, INBOX, 1, "S");
	world_deliver(s->world, INBOX, 12, "T");
	usleep(STILL_MS * 1000);
	do_sync(s, INBOX);
	do_flags(s, INBOX, 0, MAILDIR_SEEN, 0);
	world_rename(s->world, INBOX, 3, NULL);
	if (watch != NULL)
		(void)maildir_watch_take(watch);
	do_sync(s, INBOX);
	maildir_watch_close(&watch);
}

/* More keywords than a file name has letters for. */
static void
before_keywords(struct session *s)
{
	before_daily(s);
	do_open(s);
	do_sync(s, INBOX);
	for (unsigned i = 0; i < 26; i++)
		do_keyword(s, INBOX, 0, i, true);
	session_close(s);
}

static void
script_keywords(struct session *s)
{
	do_open(s);
	do_sync(s, INBOX);
	do_keyword(s, INBOX, 0, 27, true);
	do_keyword(s, INBOX, 1, 28, true);
	do_keyword(s, INBOX, 1, 3, true);
	do_keyword(s, INBOX, 0, 27, false);
	do_sync(s, WORK);
	do_copy(s, INBOX, 1, WORK);
	do_sync(s, INBOX);
}

/* The index is lost; everything else is there. */
static void
before_rebuild(struct session *s)
{
	before_daily(s);
	do_open(s);
	do_sync(s, INBOX);
	do_keyword(s, INBOX, 0, 2, true);
	session_close(s);
	world_forget_index(s->world);
}

struct scenario {
	const char *name;
	void (*before)(struct session *s); /* this part has no faults */
	void (*script)(struct session *s);
};

static const struct scenario scenarios[] = {
    {"first", before_first, script_first},
    {"again", before_daily, script_first},
    {"changes", before_daily, script_changes},
    {"arrivals", before_daily, script_arrivals},
    {"moves", before_daily, script_moves},
    {"others", before_daily, script_others},
    {"two", before_daily, script_two},
    {"watched", before_daily, script_watched},
    {"keywords", before_keywords, script_keywords},
    {"rebuild", before_rebuild, script_first},
};

/* --- a run --- */

static unsigned
descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (dir != NULL && readdir(dir) != NULL)
		n++;
	if (dir != NULL)
		closedir(dir);
	return n;
}

/* The session goes on after an error; at the end it must show the same as a fresh one. */
static bool
own_view(struct session *s)
{
	char *mine, *fresh;
	bool same;

	do_sync(s, INBOX);
	do_sync(s, WORK);
	if (strcmp(s->world->step, "sync") != 0 || (mine = world_listing(s)) == NULL)
		return false;
	fresh = world_fresh(s->world);
	same = fresh != NULL && strcmp(mine, fresh) == 0;
	if (fresh != NULL && !same)
		fprintf(stderr, "  the session shows\n%s-- and a new one\n%s", mine, fresh);
	free(mine);
	free(fresh);
	return same;
}

/* Returns true if this process still holds a lock, for which others would wait until it ends. */
static bool
is_held(const char *path)
{
	/* The mark of a lock file that is held only while it is locked. */
	static const char mark[] = "\0locked";
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[320];
	ssize_t n;
	bool held;

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text));
	held = n < (ssize_t)sizeof(mark) ||
	       memcmp(text + n - sizeof(mark), mark, sizeof(mark)) != 0 ||
	       fcntl(fd, F_OFD_SETLK, &lock) < 0;
	close(fd);
	return held;
}

static bool
nothing_is_locked(const struct world *world)
{
	char path[PATH_MAX];

	for (int f = 0; f < WORLD_FOLDERS; f++) {
		world_path(world, path, f, "dovecot-uidlist.lock");
		if (is_held(path)) {
			fprintf(stderr, "  a session goes on holding %s\n", path);
			return false;
		}
	}
	return true;
}

/* The process that has the fault. */
static int
act(struct world *world, const struct scenario *scenario)
{
	struct session session = {.world = world};
	unsigned before = descriptors();
	bool good;

	scenario->before(&session);
	if (world->failed > 0) {
		fprintf(stderr, "  %s fails before there is a fault\n", world->step);
		return 1;
	}
	layer_follow(&world->plan);
	world->plan.armed = 1;
	scenario->script(&session);
	world->plan.armed = 0;
	layer_forget();
	good = nothing_is_locked(world);
	if (session.folder[WORK] != NULL)
		good &= own_view(&session);
	session_close(&session);
	if (descriptors() != before) {
		fprintf(
		    stderr, "  descriptors are left open: %u, %u before\n", descriptors(), before);
		good = false;
	}
	return good ? 0 : 1;
}

static double
now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int
check(struct world *world)
{
	double start = now();

	if (!world_check(world))
		return 1;
	if (now() - start > OPEN_SECONDS * 3) {
		fprintf(stderr, "  opening it took %.1f s\n", now() - start);
		return 1;
	}
	return 0;
}

/* Returns how the child ended: its exit status 0 or 1, 2 if it died as planned, else -1. */
static int
child_end(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) < 0)
		return -1;
	if (WIFEXITED(status))
		return WEXITSTATUS(status) <= 1 ? WEXITSTATUS(status) : -1;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return 2;
	fprintf(stderr, "  ended by signal %d\n", WTERMSIG(status));
	return -1;
}

static int
in_child(struct world *world, const struct scenario *scenario)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)alarm(RUN_SECONDS);
		_exit(scenario != NULL ? act(world, scenario) : check(world));
	}
	return pid < 0 ? -1 : child_end(pid);
}

static void
run_failed(const struct world *world, const struct scenario *scenario)
{
	const struct fault_plan *plan = &world->plan;

	fprintf(stderr,
	    "FAILED: --only %s:%s:%u, at %s; last step %s, %u done, %u failed; the tree: %s\n",
	    scenario->name, layer_kind(plan->kind), plan->at,
	    plan->happened ? plan->call : "(none)", world->step, world->done, world->failed,
	    world->path);
}

/* Returns true if all is well after the fault.  *calls_r: the number of calls that could have had it. */
static bool
run(struct world *world, const char *dir, const struct scenario *scenario, enum fault_kind kind,
    uint32_t at, uint32_t *calls_r)
{
	bool dies = kind == FAULT_DEATH || kind == FAULT_TORN || kind == FAULT_POWER;
	int end;

	memset(world, 0, sizeof(*world));
	world->plan.kind = kind;
	world->plan.at = at;
	world_make(world, dir);
	end = in_child(world, scenario);
	*calls_r = world->plan.count;
	if (end != (dies && world->plan.happened ? 2 : 0)) {
		fprintf(stderr, "  the session ended with %d\n", end);
	} else if (!world->plan.happened && world->failed > 0) {
		fprintf(stderr, "  %s failed, and there was no fault\n", world->step);
	} else if (in_child(world, NULL) == 0) {
		world_remove(world);
		return true;
	}
	run_failed(world, scenario);
	return false;
}

/* --- all of them --- */

struct job {
	uint8_t scenario, kind;
	uint32_t at;
};

struct jobs {
	struct job *job;
	size_t count, room;
	const char *dir;
	double end; /* the time to stop; 0: after all jobs */
	unsigned seed;
};

static void *
shared(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	return memory;
}

static void
jobs_add(struct jobs *jobs, size_t scenario, enum fault_kind kind, uint32_t at)
{
	if (jobs->count == jobs->room) {
		jobs->room = jobs->room == 0 ? 4096 : jobs->room * 2;
		jobs->job = reallocarray(jobs->job, jobs->room, sizeof(*jobs->job));
		if (jobs->job == NULL)
			exit(2);
	}
	jobs->job[jobs->count++] =
	    (struct job){.scenario = (uint8_t)scenario, .kind = (uint8_t)kind, .at = at};
}

/* "scenario[:kind[:call]]", as a failure prints it. */
static bool
only_parse(const char *only, char scenario[16], char kind[16], uint32_t *at)
{
	scenario[0] = kind[0] = '\0';
	*at = 0;
	return only == NULL || sscanf(only, "%15[^:]:%15[^:]:%u", scenario, kind, at) >= 1;
}

/* A run of each scenario without a fault counts the calls. */
static bool
jobs_fill(struct jobs *jobs, const char *only)
{
	struct world *world = shared(sizeof(*world));
	char scenario[16], kind[16];
	uint32_t at, calls;

	if (!only_parse(only, scenario, kind, &at))
		return false;
	for (size_t s = 0; s < COUNT(scenarios); s++) {
		for (int k = FAULT_EIO; k < FAULT_KINDS; k++) {
			if ((scenario[0] != '\0' && strcmp(scenario, scenarios[s].name) != 0) ||
			    (kind[0] != '\0' && strcmp(kind, layer_kind(k)) != 0))
				continue;
			if (!run(world, jobs->dir, &scenarios[s], k, 0, &calls))
				return false;
			for (uint32_t n = 1; n <= calls; n++) {
				if (at == 0 || at == n)
					jobs_add(jobs, s, k, n);
			}
		}
	}
	return jobs->count > 0;
}

static void
jobs_shuffle(struct jobs *jobs)
{
	for (size_t i = jobs->count; i > 1; i--) {
		size_t j = (size_t)rand_r(&jobs->seed) % i;
		struct job job = jobs->job[i - 1];

		jobs->job[i - 1] = jobs->job[j];
		jobs->job[j] = job;
	}
}

/* Shared by the processes that do the jobs. */
struct tally {
	size_t next, ran, happened, failed;
};

static void
work(const struct jobs *jobs, struct tally *tally)
{
	struct world *world = shared(sizeof(*world));
	uint32_t calls;
	size_t i;

	while ((i = __atomic_fetch_add(&tally->next, 1, __ATOMIC_RELAXED)) < jobs->count) {
		const struct job *job = &jobs->job[i];

		if (jobs->end > 0 && now() > jobs->end)
			break;
		if (!run(world, jobs->dir, &scenarios[job->scenario], job->kind, job->at, &calls))
			__atomic_fetch_add(&tally->failed, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&tally->ran, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&tally->happened, world->plan.happened, __ATOMIC_RELAXED);
	}
}

static bool
jobs_run(const struct jobs *jobs, unsigned processes, struct tally *tally)
{
	pid_t pid[JOBS_MAX];
	bool good = true;
	int status;

	for (unsigned i = 0; i < processes; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			work(jobs, tally);
			_exit(0);
		}
	}
	for (unsigned i = 0; i < processes; i++)
		good &= pid[i] > 0 && waitpid(pid[i], &status, 0) == pid[i] && status == 0;
	return good;
}

static void
usage(void)
{
	fprintf(stderr,
	    "usage: script [--seconds N] [--seed N] [--jobs N] [--only SCENARIO[:KIND[:CALL]]]\n");
	exit(2);
}

static unsigned
number(const char *text, unsigned max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end != '\0' || end == text || n > max)
		usage();
	return (unsigned)n;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {{"seconds", required_argument, NULL, 't'},
	    {"seed", required_argument, NULL, 's'}, {"jobs", required_argument, NULL, 'j'},
	    {"only", required_argument, NULL, 'o'}, {0}};
	struct tally *tally = shared(sizeof(*tally));
	/* A run mostly waits until the time of a directory is old enough. */
	unsigned processes = 6, seed = (unsigned)time(NULL);
	struct jobs jobs = {.dir = getenv("TMPDIR")};
	const char *only = NULL;
	double start = now();
	bool good;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 't')
			jobs.end = start + number(optarg, 1000000);
		else if (c == 's')
			seed = number(optarg, UINT32_MAX);
		else if (c == 'j')
			processes = number(optarg, JOBS_MAX);
		else if (c == 'o')
			only = optarg;
		else
			usage();
	}
	if (jobs.dir == NULL)
		jobs.dir = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	jobs.seed = seed;
	if (!jobs_fill(&jobs, only)) {
		fprintf(stderr, "there is nothing to do, or it fails without a fault\n");
		return 1;
	}
	if (jobs.end > 0)
		jobs_shuffle(&jobs);
	good = jobs_run(&jobs, processes, tally);
	printf("%zu of %zu faults, %zu of them happened, %zu failed, in %.0f s; seed %u\n",
	    tally->ran, jobs.count, tally->happened, tally->failed, now() - start, seed);
	free(jobs.job);
	return good && tally->failed == 0 && tally->happened > 0 ? 0 : 1;
}
