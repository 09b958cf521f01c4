/*
 * maildir.c: `sallyport maildir check` explains a Maildir and mends it, `sallyport maildir index`
 * builds its index ahead.
 * Runs as: the owner of the Maildir, whom root becomes before anything in it is looked at.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "maildir/check/check.h"
#include "maildir/courier/courier.h"
#include "maildir/maildir.h"
#include "maildir/message/charset.h"
#include "server/clock.h"
#include "server/cmd/cmd.h"
#include "server/confine.h"
#include "server/privdrop.h"

enum {
	EXIT_ODD = 1,
	EXIT_USAGE = 2,	 /* a wrong command line, or what cannot be looked at */
	LEARN_STEP = 32, /* messages: so soon a signal is heard and the progress shown */
	SAVE_MS = 5000,	 /* of work is lost by who kills us */
	LEARN_TRIES = 2, /* an index that is damaged underneath is made anew in between */
	SHOW_MS = 200,	 /* between two looks of the progress */
	HOST_MAX = 256,
};

static const char usage_text[] =
    "usage: sallyport maildir check PATH [--repair]\n"
    "       sallyport maildir index PATH\n"
    "\n"
    "  check     explain the Maildir at PATH, and say what is odd; nothing is changed\n"
    "  --repair  mend what can be mended without loss, and say what was done\n"
    "  index     build the index of all folders ahead; it may be interrupted\n";

static int
usage(const char *problem, const char *detail)
{
	(void)fprintf(stderr, "sallyport maildir: %s%s%s\n\n%s", problem,
	    detail != NULL ? ": " : "", detail != NULL ? detail : "", usage_text);
	return EXIT_USAGE;
}

static int
failure(const char *what, const char *why)
{
	(void)fflush(stdout);
	(void)fprintf(stderr, "sallyport maildir: %s: %s\n", what, why);
	return -1;
}

/* --- printing --- */

/* A name as it is on the disk, which may hold anything, and must not move a terminal's cursor. */
static void
put_name(FILE *to, const char *name)
{
	for (; *name != '\0'; name++) {
		unsigned char c = (unsigned char)*name;

		if (c < 0x20 || c > 0x7e || c == '\\' || c == '\'')
			(void)fprintf(to, "\\x%02x", c);
		else
			(void)putc(c, to);
	}
}

static void
put_octets(FILE *to, uint64_t octets)
{
	static const char *const unit[] = {"octets", "kB", "MB", "GB", "TB"};
	double value = (double)octets;
	size_t i = 0;

	for (; value >= 1000 && i + 1 < sizeof(unit) / sizeof(unit[0]); i++)
		value /= 1000;
	(void)fprintf(to, i == 0 ? "%.0f %s" : "%.1f %s", value, unit[i]);
}

static const char *
plural(uint64_t number)
{
	return number == 1 ? "" : "s";
}

/* --- the Maildir --- */

/* Root becomes the owner; anybody else must be the owner.  0, or -1 and it was said. */
static int
become_owner(const char *path)
{
	const struct passwd *owner;
	struct stat st;

	if (stat(path, &st) < 0)
		return failure(path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return failure(path, "it is no directory");
	if (!privdrop_possible())
		return st.st_uid == geteuid()
			   ? 0
			   : failure(
				 path, "it belongs to another user: only he and root may do this");
	if (st.st_uid == 0)
		return failure(
		    path, "it belongs to root, and mail is never read as root: chown it first");
	owner = st.st_gid == 0 ? getpwuid(st.st_uid) : NULL;
	if (owner != NULL)
		st.st_gid = owner->pw_gid;
	if (st.st_gid == 0)
		return failure(path, "its group is root's, and mail is never read as root");
	privdrop_become(st.st_uid, st.st_gid);
	return 0;
}

static void
notice(void *ctx, const char *text)
{
	(void)ctx;
	printf("  note: ");
	put_name(stdout, text);
	(void)putchar('\n');
}

static struct maildir *
open_maildir(const char *path)
{
	char host[HOST_MAX] = "localhost", why[128];
	struct maildir *md;

	if (become_owner(path) < 0)
		return NULL;
	(void)umask(077);
	(void)gethostname(host, sizeof(host) - 1);
	if (maildir_check_open(path, host, &md) == 0) {
		courier_import(md);
		confine_undumpable();
		(void)confine_landlock(path);
		return md;
	}
	snprintf(why, sizeof(why), "%s; it belongs to uid %lu", strerror(errno),
	    (unsigned long)geteuid());
	(void)failure(
	    path, errno == ENOENT ? "it is no Maildir: it has neither cur, new nor tmp" : why);
	return NULL;
}

/* --- check --- */

struct checking {
	const char *path;
	struct maildir *md;
	struct maildir_check check;
	FILE *to;
	FILE *passwd; /* or NULL; open, as no file outside of the Maildir can be opened any more */
	unsigned long odd;
	bool foreign; /* something belongs to another user */
	bool repair;  /* we are mending, and only tell of that */
	bool failed;  /* it was said */
};

static const struct {
	const char *odd, *mended;
} words[ODDITIES] = {
    [ODD_MISSING] = {"is missing", "made"},
    [ODD_STRANGE] = {"is not what it should be", NULL},
    [ODD_CLOSED] = {"cannot be looked at", NULL},
    [ODD_OWNER] = {"belongs to another user", NULL},
    [ODD_LINKED] = {"is another file's name too, and is not written to", NULL},
    [ODD_MODE] = {"has a wrong mode", NULL},
    [ODD_NO_MESSAGE] = {"is no message", NULL},
    [ODD_NAME] = {"has a name that no message can have", "gave another name to"},
    [ODD_DOUBLED] = {"has the base name of another message", "gave names of their own to"},
    [ODD_TWIN] = {"is a second name of the same file", NULL},
    [ODD_UNREADABLE] = {"cannot be read", NULL},
    [ODD_UIDLIST_LOST] = {"cannot be trusted: all messages will get new UIDs, and clients fetch "
			  "them again",
	"gave all messages new UIDs, under UIDVALIDITY"},
    [ODD_UIDLIST_TORN] = {"has lines that cannot be read; their messages get new UIDs",
	"wrote whole again:"},
    [ODD_LOCK] = {"is the lock of a process that is dead", "removed"},
    [ODD_TEMPORARY] = {"is a temporary file that was left behind", "removed"},
    [ODD_OLD] = {"is older than 36 hours: its delivery has failed", "removed"},
    [ODD_INDEX] = {"is damaged, or of another version: it will be made anew", "made anew:"},
    [ODD_NO_FOLDER] = {"has messages and is no folder, so that they are not shown", NULL},
    [ODD_LINK] = {"is a symbolic link, which is not followed", NULL},
    [ODD_HIDDEN] = {"means the name of another folder, so that its mail is not shown", NULL},
    [ODD_SUBSCRIPTION] = {"is subscribed to, and there is no such folder", NULL},
    [ODD_VALIDITY_NAMES] = {"is there more than once; the highest counts", NULL},
    [ODD_QUOTA] = {"is a quota, which is not looked at and not kept up", NULL},
    [ODD_DELETED] = {"is left of a deleted folder; it goes with the next one that is deleted",
	NULL},
    [ODD_NO_UID] = {"has no UID yet", "gave UIDs to"},
    [ODD_NO_INDEX] = {"has no index", "made"},
};

/* "uid 61001, anna", by the local accounts. */
static void
put_owner(const struct checking *checking, uid_t uid)
{
	const struct passwd *entry = NULL;

	(void)fprintf(checking->to, "uid %lu", (unsigned long)uid);
	if (checking->passwd == NULL || fseek(checking->passwd, 0, SEEK_SET) == -1)
		return;
	while ((entry = fgetpwent(checking->passwd)) != NULL && entry->pw_uid != uid)
		;
	if (entry == NULL)
		return;
	(void)fprintf(checking->to, ", ");
	put_name(checking->to, entry->pw_name);
}

static void
put_number(const struct checking *checking, const struct maildir_finding *finding)
{
	FILE *to = checking->to;
	uint64_t number = finding->number;

	switch (finding->odd) {
	case ODD_OWNER:
	case ODD_UNREADABLE:
		(void)fprintf(to, " (");
		put_owner(checking, (uid_t)number);
		(void)fprintf(to, ")");
		break;
	case ODD_MODE:
		(void)fprintf(to, " (%04" PRIo64 ")", number);
		break;
	case ODD_LINKED:
		(void)fprintf(to, " (%" PRIu64 " names)", number);
		break;
	case ODD_VALIDITY_NAMES:
		(void)fprintf(to, " (%" PRIu64 " files)", number);
		break;
	default:
		break;
	}
}

static void
tell_mended(FILE *to, const struct maildir_finding *finding)
{
	(void)fprintf(to, "  mended: %s ", words[finding->odd].mended);
	if (finding->odd == ODD_UIDLIST_LOST)
		(void)fprintf(to, "%" PRIu64, finding->number);
	else if (finding->name != NULL)
		put_name(to, finding->name);
	else
		(void)fprintf(
		    to, "%" PRIu64 " message%s", finding->number, plural(finding->number));
	if (finding->folder != NULL) {
		(void)fprintf(to, " in ");
		put_name(to, finding->folder);
	}
	(void)putc('\n', to);
}

/* A path below the Maildir for a shell; $'' because a name may hold anything. */
static void
put_path(const struct checking *checking, const char *name)
{
	(void)fprintf(checking->to, " $'");
	put_name(checking->to, checking->path);
	(void)putc('/', checking->to);
	put_name(checking->to, name);
	(void)putc('\'', checking->to);
}

/* What to type so that clients see the messages of a directory. */
static void
put_remedy(const struct checking *checking, const struct maildir_finding *finding)
{
	const char *name = finding->name;

	if (finding->odd == ODD_LINK) {
		(void)fprintf(checking->to, "    to see its mail, type as root: rm");
		put_path(checking, name);
		(void)fprintf(checking->to, " && mkdir");
		put_path(checking, name);
		(void)fprintf(checking->to, " && mount --bind TARGET");
		put_path(checking, name);
	} else if (finding->odd == ODD_HIDDEN || finding->odd == ODD_NO_FOLDER) {
		(void)fprintf(checking->to, "    to see its mail, type: mv -nT");
		put_path(checking, name);
		put_path(checking, ".New-name");
	} else {
		return;
	}
	(void)putc('\n', checking->to);
}

static void
tell(void *ctx, const struct maildir_finding *finding)
{
	struct checking *checking = ctx;
	FILE *to = checking->to;

	if (finding->mended) {
		tell_mended(to, finding);
		return;
	}
	if (checking->repair)
		return;
	checking->odd++;
	(void)fprintf(to, "  odd: ");
	put_name(to, finding->name);
	(void)fprintf(to, " %s", words[finding->odd].odd);
	put_number(checking, finding);
	checking->foreign = checking->foreign || finding->odd == ODD_OWNER ||
			    (finding->odd == ODD_UNREADABLE && finding->number != geteuid());
	if (finding->detail != NULL) {
		(void)fprintf(to, " (");
		put_name(to, finding->detail);
		(void)putc(')', to);
	}
	(void)putc('\n', to);
	put_remedy(checking, finding);
}

static void
put_index(FILE *to, const struct maildir_facts *facts)
{
	static const char *const state[] = {
	    [MAILDIR_INDEX_NONE] = "none; it is made with the next session",
	    [MAILDIR_INDEX_CURRENT] = "current",
	    [MAILDIR_INDEX_OLD] = "old; the next session looks through the folder",
	    [MAILDIR_INDEX_DAMAGED] = "damaged",
	};

	(void)fprintf(to, "  index: %s", state[facts->index]);
	if (facts->index != MAILDIR_INDEX_NONE) {
		(void)fprintf(to, "; snapshot ");
		put_octets(to, facts->snapshot);
		(void)fprintf(to, ", log ");
		put_octets(to, facts->log);
		(void)fprintf(to, ", texts ");
		put_octets(to, facts->texts);
		(void)fprintf(
		    to, " of %zu message%s", facts->with_texts, plural(facts->with_texts));
	}
	(void)putc('\n', to);
}

static void
put_keywords(FILE *to, const struct maildir_facts *facts)
{
	for (size_t i = 0; i < facts->keywords; i++) {
		const struct maildir_keyword *keyword = &facts->keyword[i];

		(void)fprintf(to, i == 0 ? "  keywords: " : ", ");
		if (keyword->name[0] != '\0')
			put_name(to, keyword->name);
		else
			(void)fprintf(to, "number %d without a name", keyword->number);
		(void)fprintf(to, " (%zu)", keyword->messages);
	}
	if (facts->keywords > 0)
		(void)putc('\n', to);
}

static void
put_facts(FILE *to, const char *name, const struct maildir_facts *facts)
{
	put_name(to, name);
	(void)fprintf(to, ": %zu message%s, %zu unseen, %zu in new, ", facts->messages,
	    plural(facts->messages), facts->unseen, facts->fresh);
	put_octets(to, facts->octets);
	(void)putc('\n', to);
	if (facts->validity == 0)
		(void)fprintf(to, "  UIDs: none were given yet\n");
	else
		(void)fprintf(to,
		    "  UIDs: UIDVALIDITY %" PRIu32 ", UIDNEXT %" PRIu32
		    "; %zu message%s without a UID yet, %zu line%s kept of messages that are "
		    "gone\n",
		    facts->validity, facts->next, facts->without_uid, plural(facts->without_uid),
		    facts->without_file, plural(facts->without_file));
	put_keywords(to, facts);
	put_index(to, facts);
}

/* What is odd in a folder comes before its facts are known, and is to be printed behind them. */
static bool
check_folder(void *ctx, const char *name)
{
	static struct maildir_facts facts;
	struct checking *checking = ctx;
	char *text = NULL;
	size_t size = 0;
	int r;

	checking->to = open_memstream(&text, &size);
	if (checking->to == NULL) {
		checking->failed = true;
		return false;
	}
	r = maildir_check_folder(checking->md, name, &checking->check, &facts);
	(void)fclose(checking->to);
	checking->to = stdout;
	if (r == 0) {
		put_facts(stdout, name, &facts);
		(void)fwrite(text, 1, size, stdout);
	} else {
		checking->failed = true;
		(void)failure(name, strerror(errno));
	}
	free(text);
	return true;
}

static bool
mend_folder(void *ctx, const char *name)
{
	struct checking *checking = ctx;

	if (maildir_mend_folder(checking->md, name, &checking->check) < 0) {
		checking->failed = true;
		(void)failure(name, strerror(errno));
	}
	return true;
}

static void
mend_all(struct checking *checking)
{
	checking->repair = true;
	maildir_on_notice(checking->md, notice, NULL);
	if (maildir_mend_tree(checking->md, &checking->check) < 0) {
		checking->failed = true;
		(void)failure("what is not of one folder", strerror(errno));
	}
	if (maildir_folders(checking->md, mend_folder, checking) < 0) {
		checking->failed = true;
		(void)failure("the folders", strerror(errno));
	}
	maildir_on_notice(checking->md, NULL, NULL);
	checking->repair = false;
}

static int
check_all(struct checking *checking, const char *path)
{
	if (maildir_folders(checking->md, check_folder, checking) < 0 ||
	    maildir_check_tree(checking->md, &checking->check) < 0) {
		checking->failed = true;
		(void)failure(path, strerror(errno));
	}
	if (checking->foreign) {
		printf(
		    "  try: chown -R %lu:%lu ", (unsigned long)geteuid(), (unsigned long)getegid());
		put_name(stdout, path);
		(void)putchar('\n');
	}
	put_name(stdout, path);
	if (checking->odd == 0)
		printf(": nothing odd\n");
	else
		printf(": %lu odd thing%s\n", checking->odd, plural(checking->odd));
	if (checking->failed)
		return EXIT_USAGE;
	return checking->odd == 0 ? EXIT_SUCCESS : EXIT_ODD;
}

static int
run_check(const char *path, bool repair)
{
	struct checking checking = {
	    .path = path, .to = stdout, .passwd = fopen("/etc/passwd", "re")};
	int status;

	checking.md = open_maildir(path);
	if (checking.md == NULL)
		return EXIT_USAGE;
	put_name(stdout, path);
	printf(": belongs to ");
	put_owner(&checking, geteuid());
	(void)putchar('\n');
	checking.check = (struct maildir_check){time(NULL), tell, &checking};
	if (repair)
		mend_all(&checking);
	status = check_all(&checking, path);
	maildir_close(&checking.md);
	return status;
}

/* --- index --- */

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
	put_name(stdout, name);
	printf(": %zu of %zu messages", done, all);
	(void)fflush(stdout);
}

/* Reads messages until all are known or somebody wants us to end.  How many are left, or -1. */
static ssize_t
learn_all(const struct indexing *indexing, struct maildir_folder *folder, const char *name)
{
	int64_t shown = 0, saved = clock_now(), now;
	ssize_t left = 0;

	while (caught == 0 && (left = maildir_learn(folder, LEARN_STEP)) > 0) {
		now = clock_now();
		if (now - shown >= SHOW_MS) {
			size_t all = maildir_count(folder);

			show_progress(indexing, name, all - (size_t)left, all);
			shown = now;
		}
		if (now - saved >= SAVE_MS) {
			maildir_remember(folder);
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
		/* What others did is taken in first: only a current index can be added to. */
		if (maildir_sync(folder) < 0)
			return -1;
		maildir_remember(folder);
		if (left >= 0)
			return 0;
	}
	errno = EIO;
	return -1;
}

static void
put_done(struct indexing *indexing, const char *name, size_t before, size_t all)
{
	static struct maildir_facts facts;
	size_t learned = 0;

	if (maildir_check_index(indexing->md, name, &facts) < 0)
		memset(&facts, 0, sizeof(facts));
	if (facts.with_texts > before)
		learned = facts.with_texts - before;
	indexing->folders++;
	indexing->messages += all;
	indexing->learned += learned;
	if (indexing->terminal)
		printf("\r\033[K");
	put_name(stdout, name);
	printf(": %zu message%s, %zu read, index ", all, plural(all), learned);
	put_octets(stdout, facts.snapshot + facts.log + facts.texts);
	/* Unreadable, or the disk is full; or we were interrupted. */
	if (all > facts.with_texts)
		printf(", %zu left to be read", all - facts.with_texts);
	(void)putchar('\n');
	(void)fflush(stdout);
}

static bool
index_folder(void *ctx, const char *name)
{
	static struct maildir_facts facts;
	struct indexing *indexing = ctx;
	struct maildir_folder *folder;
	size_t before = 0;
	int r = -1;

	if (maildir_check_index(indexing->md, name, &facts) == 0)
		before = facts.with_texts;
	if (maildir_folder_open(indexing->md, name, &folder) == 0) {
		r = learn_folder(indexing, folder, name);
		if (r == 0)
			put_done(indexing, name, before, maildir_count(folder));
	}
	if (r < 0) {
		indexing->failed = true;
		(void)failure(name, strerror(errno));
	}
	maildir_folder_close(&folder);
	return caught == 0;
}

static int
run_index(const char *path)
{
	struct indexing indexing = {.terminal = isatty(STDOUT_FILENO) == 1};
	int64_t begun = clock_now();

	charset_load(); /* what is not in memory cannot be read from within the Maildir */
	indexing.md = open_maildir(path);
	if (indexing.md == NULL)
		return EXIT_USAGE;
	maildir_on_notice(indexing.md, notice, NULL);
	catch_signals(on_signal);
	if (maildir_folders(indexing.md, index_folder, &indexing) < 0) {
		indexing.failed = true;
		(void)failure(path, strerror(errno));
	}
	maildir_close(&indexing.md);
	printf("%lu folder%s, %zu message%s, %zu read, %.1f seconds%s\n", indexing.folders,
	    plural(indexing.folders), indexing.messages, plural(indexing.messages),
	    indexing.learned, (double)(clock_now() - begun) / 1000,
	    caught != 0 ? "; interrupted, nothing is lost" : "");
	(void)fflush(stdout);
	if (caught != 0) {
		catch_signals(SIG_DFL);
		(void)raise(caught); /* so that a shell's loop ends too */
	}
	return indexing.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --- what was typed --- */

/* The process ends here: bound to the Maildir as it is, it could not do what libraries do at exit. */
_Noreturn static void
end(int status)
{
	if (fflush(stdout) == EOF && status == EXIT_SUCCESS) {
		(void)failure("standard output", strerror(errno));
		status = EXIT_USAGE;
	}
	_exit(status);
}

int
cmd_maildir(int argc, char **argv)
{
	static const struct option long_options[] = {
	    {"repair", no_argument, NULL, 'r'}, {NULL, 0, NULL, 0}};
	bool repair = false, check;
	int c;

	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (c != 'r')
			return usage("an unknown option", argv[optind - 1]);
		repair = true;
	}
	if (optind == argc)
		return usage("check or index is wanted", NULL);
	check = strcmp(argv[optind], "check") == 0;
	if (!check && strcmp(argv[optind], "index") != 0)
		return usage("there is no such thing", argv[optind]);
	if (repair && !check)
		return usage("--repair is for check", NULL);
	if (argc - optind != 2)
		return usage("one PATH is wanted", NULL);
	end(check ? run_check(argv[optind + 1], repair) : run_index(argv[optind + 1]));
}
