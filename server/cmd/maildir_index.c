/*
 * maildir_index.c: `sallyport maildir index` builds the index of a Maildir ahead.
 * Runs as: the owner of the Maildir.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "maildir/check/check.h"
#include "maildir/maildir.h"
#include "maildir/message/charset.h"
#include "server/clock.h"
#include "server/cmd/cmd.h"
#include "server/cmd/maildir_check.h"
#include "server/cmd/owner.h"
#include "server/cmd/print.h"

enum {
	LEARN_STEP = 32, /* messages between two looks for a signal, and of the progress */
	SAVE_MS = 5000,	 /* of work is lost when somebody kills the process */
	LEARN_TRIES = 2, /* an index that is damaged meanwhile is rebuilt in between */
	SHOW_MS = 200,	 /* between two looks of the progress */
};

/* Which signal asked us to end: what was learned is remembered first. */
static volatile sig_atomic_t caught;

static void
on_signal(int number)
{
	caught = number;
}

static void
catch_signals(void (*handler)(int number))
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = handler;
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		(void)sigaction(numbers[i], &action, NULL);
}

struct indexing {
	struct maildir *md;
	bool terminal; /* progress is one line that is written again and again */
	bool failed;   /* it was said */
	unsigned long folders;
	size_t messages, learned;
};

static void
show_progress(const struct indexing *indexing, const char *name, size_t done, size_t all)
{
	if (!indexing->terminal)
		return;
	printf("\r\033[K");
	print_name(stdout, name);
	printf(": %zu of %zu messages", done, all);
	(void)fflush(stdout);
}

/* Reads messages until all are known or somebody wants us to end.  How many are left, or -1. */
static ssize_t
learn_all(const struct indexing *indexing, struct maildir_folder *folder, const char *name)
{
	int64_t shown = 0, saved = clock_now(), now;
	ssize_t left = 0;

	while (caught == 0 && (left = maildir_read_ahead(folder, LEARN_STEP)) > 0) {
		now = clock_now();
		if (now - shown >= SHOW_MS) {
			size_t all = maildir_count(folder);

			show_progress(indexing, name, all - (size_t)left, all);
			shown = now;
		}
		if (now - saved >= SAVE_MS) {
			maildir_save_findings(folder);
			saved = now;
		}
	}
	return left;
}

static int
learn_folder(const struct indexing *indexing, struct maildir_folder *folder, const char *name)
{
	for (int tries = 0; tries < LEARN_TRIES; tries++) {
		ssize_t left;

		if (maildir_sync(folder) < 0)
			return -1;
		left = learn_all(indexing, folder, name);
		/* Take in the changes of others first: only a current index can be added to. */
		if (maildir_sync(folder) < 0)
			return -1;
		maildir_save_findings(folder);
		if (left >= 0)
			return 0;
	}
	errno = EIO;
	return -1;
}

static void
put_done(struct indexing *indexing, const char *name, size_t before, size_t all)
{
	static struct maildir_report report;
	size_t learned = 0;

	if (maildir_check_index(indexing->md, name, &report) < 0)
		memset(&report, 0, sizeof(report));
	if (report.with_texts > before)
		learned = report.with_texts - before;
	indexing->folders++;
	indexing->messages += all;
	indexing->learned += learned;
	if (indexing->terminal)
		printf("\r\033[K");
	print_name(stdout, name);
	printf(": %zu message%s, %zu read, index ", all, print_plural(all), learned);
	print_octets(stdout, report.snapshot + report.log + report.texts);
	/* Unreadable, or the disk is full; or we were interrupted. */
	if (all > report.with_texts)
		printf(", %zu left to be read", all - report.with_texts);
	(void)putchar('\n');
	(void)fflush(stdout);
}

static bool
index_folder(void *ctx, const char *name)
{
	static struct maildir_report report;
	struct indexing *indexing = ctx;
	struct maildir_folder *folder;
	size_t before = 0;
	int r = -1;

	if (maildir_check_index(indexing->md, name, &report) == 0)
		before = report.with_texts;
	if (maildir_folder_open(indexing->md, name, &folder) == 0) {
		r = learn_folder(indexing, folder, name);
		if (r == 0)
			put_done(indexing, name, before, maildir_count(folder));
	}
	if (r < 0) {
		indexing->failed = true;
		(void)print_failure(name, strerror(errno));
	}
	maildir_folder_close(&folder);
	return caught == 0;
}

int
maildir_index_run(const char *path)
{
	struct indexing indexing = {.terminal = isatty(STDOUT_FILENO) == 1};
	int64_t begun = clock_now();

	charset_load(); /* what is not in memory cannot be read from within the Maildir */
	catch_signals(on_signal);
	indexing.md = owner_open(path, true);
	if (indexing.md == NULL)
		return CMD_USAGE;
	maildir_on_notice(indexing.md, owner_notice, NULL);
	if (maildir_folders(indexing.md, index_folder, &indexing) < 0) {
		indexing.failed = true;
		(void)print_failure(path, strerror(errno));
	}
	maildir_close(&indexing.md);
	printf("%lu folder%s, %zu message%s, %zu read, %.1f seconds%s\n", indexing.folders,
	    print_plural(indexing.folders), indexing.messages, print_plural(indexing.messages),
	    indexing.learned, (double)(clock_now() - begun) / 1000,
	    caught != 0 ? "; interrupted, nothing is lost" : "");
	(void)fflush(stdout);
	if (caught != 0) {
		catch_signals(SIG_DFL);
		(void)raise(caught); /* so that a shell's loop ends too */
	}
	return indexing.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
