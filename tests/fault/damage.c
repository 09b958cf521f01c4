/*
 * damage.c: flips every octet of the index's files, zeroes every block, cuts the files at every length,
 * and cuts or overwrites them while a session has them open.  A session must show afterwards what a
 * session showed before.
 * Runs as: whoever runs the tests.
 *
 *	damage [--seconds N] [--seed N] [--only FOLDER:FILE:KIND:AT]
 *
 * Exits with 77 if this maildir/ makes no index.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/fault/world.h"

/* The folder is small; only the first octets of a longer file are damaged. */
#define FILE_MAX    (64 * 1024)
#define INDEX_MAX   4
#define RUN_SECONDS 20
#define STILL_MS    30
#define NO_INDEX    77
#define MESSAGES    5

enum kind { FLIP_LOW, FLIP_HIGH, INVERT, ZERO, CUT, OPEN_CUT, OPEN_ZERO, KINDS };
static const char *const kinds[KINDS] = {
    "low", "high", "invert", "zero", "cut", "open-cut", "open-zero"};

/* The tree before any damage. */
struct truth {
	struct world *world;
	char *listing;
	char *data[WORLD_FOLDERS][INDEX_MAX];
	size_t size[WORLD_FOLDERS][INDEX_MAX];
};

struct job {
	uint8_t folder, file, kind;
	uint32_t at;
};

static _Noreturn void
die(const char *what)
{
	perror(what);
	exit(2);
}

static void
nap(void)
{
	const struct timespec time = {.tv_nsec = STILL_MS * 1000000L};

	(void)nanosleep(&time, NULL);
}

static double
now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* --- the files --- */

static void
index_path(const struct truth *truth, int folder, int file, char path[PATH_MAX])
{
	world_path(truth->world, path, folder, world_index[file]);
}

/* Writes a file with its old content, or with damaged content. */
static void
index_write(const struct truth *truth, int folder, int file, const char *data, size_t size)
{
	char path[PATH_MAX];
	int fd;

	index_path(truth, folder, file, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size || close(fd) < 0)
		die(path);
}

static void
index_restore(const struct truth *truth)
{
	world_forget_index(truth->world);
	for (int f = 0; f < WORLD_FOLDERS; f++) {
		for (int i = 0; world_index[i] != NULL; i++) {
			if (truth->data[f][i] != NULL)
				index_write(truth, f, i, truth->data[f][i], truth->size[f][i]);
		}
	}
}

static unsigned
index_keep(struct truth *truth)
{
	char path[PATH_MAX];
	unsigned found = 0;
	struct stat st;

	for (int f = 0; f < WORLD_FOLDERS; f++) {
		for (int i = 0; world_index[i] != NULL; i++) {
			int fd;

			index_path(truth, f, i, path);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				continue;
			if (fstat(fd, &st) < 0)
				die(path);
			truth->size[f][i] = (size_t)st.st_size;
			truth->data[f][i] = malloc((size_t)st.st_size + 1);
			if (truth->data[f][i] == NULL ||
			    read(fd, truth->data[f][i], (size_t)st.st_size) != st.st_size)
				die(path);
			close(fd);
			found++;
		}
	}
	return found;
}

/* --- the tree --- */

/* A session that fills the index: sizes, keywords, flags, a removal, and so records in the log. */
static void
prepare(struct world *world)
{
	struct session session;
	struct facts facts;

	if (session_open(&session, world) < 0 || session_sync(&session, 0) < 0)
		die("prepare");
	for (uint32_t uid = 1; uid <= MESSAGES; uid++)
		session_facts(&session, 0, uid, &facts);
	if (session_mark(&session, 0, 0, MAILDIR_FLAGGED, 0) < 0 ||
	    session_keyword(&session, 0, 1, 3, true) < 0 ||
	    session_keyword(&session, 0, 2, 4, true) < 0 || session_sync(&session, 1) < 0)
		die("prepare");
	session_close(&session);
	/* The listing is compared with the truth, so the model need not know it in advance. */
	for (unsigned id = 0; id < MESSAGES; id++) {
		memset(world->message[0][id].flag, MAY_BE, WORLD_FLAGS);
		memset(world->message[0][id].keyword, MAY_BE, WORLD_KEYWORDS);
	}
}

static uint32_t
calls_of_a_session(struct world *world)
{
	char *listing;

	world->plan = (struct fault_plan){.armed = 1};
	layer_follow(&world->plan);
	listing = world_fresh(world);
	world->plan.armed = 0;
	if (listing == NULL)
		exit(1);
	free(listing);
	return world->plan.count;
}

/* Returns true if a session uses the files that were put back; otherwise this would test nothing. */
static bool
index_is_used(const struct truth *truth)
{
	uint32_t with, without;

	index_restore(truth);
	with = calls_of_a_session(truth->world);
	world_forget_index(truth->world);
	without = calls_of_a_session(truth->world);
	if (with < without)
		return true;
	fprintf(stderr, "the index saves nothing: %u calls with it, %u without\n", with, without);
	return false;
}

static bool
truth_make(struct truth *truth, const char *dir)
{
	struct world *world = truth->world;

	memset(world, 0, sizeof(*world));
	world_make(world, dir);
	for (unsigned id = 0; id < MESSAGES; id++)
		world_deliver(world, id == 4 ? 1 : 0, id, id % 2 == 0 ? "S" : NULL);
	prepare(world);
	nap();
	free(world_fresh(world));
	nap();
	truth->listing = world_fresh(world);
	if (truth->listing == NULL)
		exit(1);
	if (index_keep(truth) == 0) {
		world_remove(world);
		exit(NO_INDEX);
	}
	return index_is_used(truth);
}

/* --- damage --- */

static void
damage(const struct truth *truth, const struct job *job)
{
	const char *whole = truth->data[job->folder][job->file];
	size_t size = truth->size[job->folder][job->file];
	char *data = malloc(size + 8);

	if (data == NULL)
		die("malloc");
	memcpy(data, whole, size);
	switch (job->kind) {
	case FLIP_LOW:
		data[job->at] ^= 1;
		break;
	case FLIP_HIGH:
		data[job->at] = (char)(data[job->at] ^ 0x80);
		break;
	case INVERT:
		data[job->at] = (char)~data[job->at];
		break;
	case ZERO:
	case OPEN_ZERO:
		memset(data + job->at, 0, size - job->at < 8 ? size - job->at : 8);
		break;
	default:
		size = job->at;
	}
	index_write(truth, job->folder, job->file, data, size);
	free(data);
}

/* Cuts or changes the file while a session has it open: the session goes on or ends, but never crashes. */
static int
session_underneath(struct truth *truth, const struct job *job)
{
	struct session session;
	struct facts facts;

	if (session_open(&session, truth->world) < 0 || maildir_sync(session.folder[0]) < 0 ||
	    maildir_sync(session.folder[1]) < 0) {
		fprintf(stderr, "  cannot be opened: %s\n", strerror(errno));
		return 1;
	}
	damage(truth, job);
	for (int f = 0; f < WORLD_FOLDERS; f++) {
		for (uint32_t uid = 1; uid <= MESSAGES; uid++)
			session_facts(&session, f, uid, &facts);
		(void)!maildir_sync(session.folder[f]);
	}
	(void)!session_mark(&session, job->folder, 0, MAILDIR_REPLIED, 0);
	(void)!session_mark(&session, job->folder, 0, 0, MAILDIR_REPLIED);
	(void)!maildir_sync(session.folder[job->folder]);
	session_close(&session);
	return 0;
}

static int
session_after(struct truth *truth)
{
	char *listing = world_fresh(truth->world);
	int r = listing != NULL && strcmp(listing, truth->listing) == 0 ? 0 : 1;

	if (listing != NULL && r != 0)
		fprintf(stderr, "  shown:\n%s-- true:\n%s", listing, truth->listing);
	free(listing);
	return r;
}

static int
in_child(struct truth *truth, const struct job *job, bool underneath)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)alarm(RUN_SECONDS);
		_exit(underneath ? session_underneath(truth, job) : session_after(truth));
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		die("fork");
	if (WIFSIGNALED(status))
		fprintf(stderr, "  ended by signal %d\n", WTERMSIG(status));
	return status;
}

static bool
run(struct truth *truth, const struct job *job)
{
	bool underneath = job->kind == OPEN_CUT || job->kind == OPEN_ZERO, good = true;

	index_restore(truth);
	if (underneath)
		good = in_child(truth, job, true) == 0;
	else
		damage(truth, job);
	/* Twice: the index that the first session rebuilt must be right as well. */
	good = good && in_child(truth, job, false) == 0 && in_child(truth, job, false) == 0;
	if (!good)
		fprintf(stderr, "FAILED: --only %u:%u:%s:%u (%s of %s)\n", job->folder, job->file,
		    kinds[job->kind], job->at, world_index[job->file], world_folder[job->folder]);
	return good;
}

static void
truth_free(struct truth *truth)
{
	for (int f = 0; f < WORLD_FOLDERS; f++) {
		for (int i = 0; i < INDEX_MAX; i++)
			free(truth->data[f][i]);
	}
	free(truth->listing);
	free(truth->world);
}

/* --- all of them --- */

static size_t
jobs_fill(const struct truth *truth, struct job **jobs_r)
{
	size_t count = 0, room = (size_t)WORLD_FOLDERS * INDEX_MAX * KINDS * FILE_MAX;
	struct job *jobs = malloc(room * sizeof(*jobs));

	if (jobs == NULL)
		die("malloc");
	for (int f = 0; f < WORLD_FOLDERS; f++) {
		for (int i = 0; world_index[i] != NULL; i++) {
			size_t size = truth->size[f][i] < FILE_MAX ? truth->size[f][i] : FILE_MAX;

			for (int k = 0; k < KINDS; k++) {
				uint32_t by = k == ZERO || k == OPEN_ZERO ? 8
					      : k == OPEN_CUT		  ? 61
									  : 1;

				for (uint32_t at = 0; at < size; at += by)
					jobs[count++] =
					    (struct job){(uint8_t)f, (uint8_t)i, (uint8_t)k, at};
			}
		}
	}
	*jobs_r = jobs;
	return count;
}

static void
jobs_shuffle(struct job *jobs, size_t count, unsigned seed)
{
	for (size_t i = count; i > 1; i--) {
		size_t j = (size_t)rand_r(&seed) % i;
		struct job job = jobs[i - 1];

		jobs[i - 1] = jobs[j];
		jobs[j] = job;
	}
}

static bool
only_parse(const char *only, struct job *job)
{
	unsigned folder, file, at;
	char kind[16];

	if (sscanf(only, "%u:%u:%15[^:]:%u", &folder, &file, kind, &at) != 4 ||
	    folder >= WORLD_FOLDERS || file >= INDEX_MAX)
		return false;
	for (int k = 0; k < KINDS; k++) {
		if (strcmp(kind, kinds[k]) == 0) {
			*job = (struct job){(uint8_t)folder, (uint8_t)file, (uint8_t)k, at};
			return true;
		}
	}
	return false;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {{"seconds", required_argument, NULL, 't'},
	    {"seed", required_argument, NULL, 's'}, {"only", required_argument, NULL, 'o'}, {0}};
	const char *dir = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", *only = NULL;
	unsigned seed = (unsigned)time(NULL);
	struct truth truth = {.world = calloc(1, sizeof(*truth.world))};
	double end = 0, start = now();
	size_t count, ran = 0, failed = 0;
	struct job *jobs, one;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 't')
			end = start + atof(optarg);
		else if (c == 's')
			seed = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'o')
			only = optarg;
		else
			return 2;
	}
	if (only != NULL && !only_parse(only, &one)) {
		fprintf(stderr, "damage: --only FOLDER:FILE:KIND:AT, as a failure prints it\n");
		return 2;
	}
	if (truth.world == NULL || !truth_make(&truth, dir))
		return 1;
	count = jobs_fill(&truth, &jobs);
	if (only != NULL) {
		jobs[0] = one;
		count = 1;
	}
	if (end > 0)
		jobs_shuffle(jobs, count, seed);
	for (; ran < count && (end == 0 || now() < end); ran++)
		failed += !run(&truth, &jobs[ran]);
	printf("%zu of %zu kinds of damage, %zu failed, in %.0f s; seed %u\n", ran, count, failed,
	    now() - start, seed);
	if (failed == 0)
		world_remove(truth.world);
	free(jobs);
	truth_free(&truth);
	return failed == 0 && ran > 0 ? 0 : 1;
}
