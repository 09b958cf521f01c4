/*
 * maildir_check.c: `sallyport maildir check` explains a Maildir and mends it.
 * Runs as: the owner of the Maildir.
 */
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "maildir/check/check.h"
#include "maildir/maildir.h"
#include "server/cmd/cmd.h"
#include "server/cmd/maildir_check.h"
#include "server/cmd/owner.h"
#include "server/cmd/print.h"

struct checking {
	const char *path;
	struct maildir *md;
	struct maildir_check check;
	FILE *to;
	FILE *passwd; /* or NULL; open, as no file outside of the Maildir can be opened any more */
	unsigned long odd;
	bool foreign; /* something belongs to another user */
	bool repair;  /* we are mending, and report nothing else */
	bool failed;  /* a failure was printed */
};

static const struct {
	const char *odd, *mended;
} sentences[ODDITIES] = {
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
    [ODD_INDEX] = {"is damaged, or of another version: the next session rebuilds it", "rebuilt:"},
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
	print_name(checking->to, entry->pw_name);
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
	(void)fprintf(to, "  mended: %s ", sentences[finding->odd].mended);
	if (finding->odd == ODD_UIDLIST_LOST)
		(void)fprintf(to, "%" PRIu64, finding->number);
	else if (finding->name != NULL)
		print_name(to, finding->name);
	else
		(void)fprintf(
		    to, "%" PRIu64 " message%s", finding->number, print_plural(finding->number));
	if (finding->folder != NULL) {
		(void)fprintf(to, " in ");
		print_name(to, finding->folder);
	}
	(void)putc('\n', to);
}

/* A path below the Maildir for a shell; $'' because a name may hold anything. */
static void
put_path(const struct checking *checking, const char *name)
{
	(void)fprintf(checking->to, " $'");
	print_name(checking->to, checking->path);
	(void)putc('/', checking->to);
	print_name(checking->to, name);
	(void)putc('\'', checking->to);
}

/* Prints the command that makes a directory's messages visible to clients. */
static void
put_remedy(const struct checking *checking, const struct maildir_finding *finding)
{
	const char *directory = finding->directory != NULL ? finding->directory : ".New-name";

	if (finding->odd == ODD_LINK) {
		(void)fprintf(checking->to, "    to see its mail, type as root: rm");
		put_path(checking, finding->name);
		(void)fprintf(checking->to, " && mkdir");
		put_path(checking, directory);
		/* Not the link's own target: its user chose that, and root would type it unread. */
		(void)fprintf(checking->to, " && mount --bind TARGET");
	} else if (finding->odd == ODD_HIDDEN || finding->odd == ODD_NO_FOLDER) {
		(void)fprintf(checking->to, "    to see its mail, type: mv -nT");
		put_path(checking, finding->name);
	} else {
		return;
	}
	put_path(checking, directory);
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
	print_name(to, finding->name);
	(void)fprintf(to, " %s", sentences[finding->odd].odd);
	put_number(checking, finding);
	checking->foreign = checking->foreign || finding->odd == ODD_OWNER ||
			    (finding->odd == ODD_UNREADABLE && finding->number != geteuid());
	if (finding->detail != NULL) {
		(void)fprintf(to, " (");
		print_name(to, finding->detail);
		(void)putc(')', to);
	}
	(void)putc('\n', to);
	put_remedy(checking, finding);
}

static void
put_index(FILE *to, const struct maildir_report *report)
{
	static const char *const state[] = {
	    [MAILDIR_INDEX_NONE] = "none; it is made with the next session",
	    [MAILDIR_INDEX_CURRENT] = "current",
	    [MAILDIR_INDEX_OLD] = "old; the next session looks through the folder",
	    [MAILDIR_INDEX_DAMAGED] = "damaged",
	};

	(void)fprintf(to, "  index: %s", state[report->index]);
	if (report->index != MAILDIR_INDEX_NONE) {
		(void)fprintf(to, "; snapshot ");
		print_octets(to, report->snapshot);
		(void)fprintf(to, ", log ");
		print_octets(to, report->log);
		(void)fprintf(to, ", texts ");
		print_octets(to, report->texts);
		(void)fprintf(
		    to, " of %zu message%s", report->with_texts, print_plural(report->with_texts));
	}
	(void)putc('\n', to);
}

static void
put_keywords(FILE *to, const struct maildir_report *report)
{
	for (size_t i = 0; i < report->keywords; i++) {
		const struct maildir_keyword *keyword = &report->keyword[i];

		(void)fprintf(to, i == 0 ? "  keywords: " : ", ");
		if (keyword->name[0] != '\0')
			print_name(to, keyword->name);
		else
			(void)fprintf(to, "number %d without a name", keyword->number);
		(void)fprintf(to, " (%zu)", keyword->messages);
	}
	if (report->keywords > 0)
		(void)putc('\n', to);
}

static void
put_report(FILE *to, const char *name, const struct maildir_report *report)
{
	print_name(to, name);
	(void)fprintf(to, ": %zu message%s, %zu unseen, %zu in new, ", report->messages,
	    print_plural(report->messages), report->unseen, report->fresh);
	print_octets(to, report->octets);
	(void)putc('\n', to);
	if (report->validity == 0)
		(void)fprintf(to, "  UIDs: none were given yet\n");
	else
		(void)fprintf(to,
		    "  UIDs: UIDVALIDITY %" PRIu32 ", UIDNEXT %" PRIu32
		    "; %zu message%s without a UID yet, %zu line%s kept of messages that are "
		    "gone\n",
		    report->validity, report->next, report->without_uid,
		    print_plural(report->without_uid), report->without_file,
		    print_plural(report->without_file));
	put_keywords(to, report);
	put_index(to, report);
}

/* Oddities are told while the folder is checked; they are kept and printed after its numbers. */
static bool
check_folder(void *ctx, const char *name)
{
	static struct maildir_report report;
	struct checking *checking = ctx;
	char *text = NULL;
	size_t size = 0;
	int r;

	checking->to = open_memstream(&text, &size);
	if (checking->to == NULL) {
		checking->failed = true;
		return false;
	}
	r = maildir_check_folder(checking->md, name, &checking->check, &report);
	(void)fclose(checking->to);
	checking->to = stdout;
	if (r == 0) {
		put_report(stdout, name, &report);
		(void)fwrite(text, 1, size, stdout);
	} else {
		checking->failed = true;
		(void)print_failure(name, strerror(errno));
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
		(void)print_failure(name, strerror(errno));
	}
	return true;
}

static void
mend_all(struct checking *checking)
{
	checking->repair = true;
	maildir_on_notice(checking->md, owner_notice, NULL);
	if (maildir_mend_tree(checking->md, &checking->check) < 0) {
		checking->failed = true;
		(void)print_failure("what is not of one folder", strerror(errno));
	}
	if (maildir_folders(checking->md, mend_folder, checking) < 0) {
		checking->failed = true;
		(void)print_failure("the folders", strerror(errno));
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
		(void)print_failure(path, strerror(errno));
	}
	if (checking->foreign) {
		printf(
		    "  try: chown -R %lu:%lu ", (unsigned long)geteuid(), (unsigned long)getegid());
		print_name(stdout, path);
		(void)putchar('\n');
	}
	print_name(stdout, path);
	if (checking->odd == 0)
		printf(": nothing odd\n");
	else
		printf(": %lu odd thing%s\n", checking->odd, print_plural(checking->odd));
	if (checking->failed)
		return CMD_USAGE;
	return checking->odd == 0 ? EXIT_SUCCESS : EXIT_ODD;
}

int
maildir_check_run(const char *path, bool repair)
{
	struct checking checking = {
	    .path = path, .to = stdout, .passwd = fopen("/etc/passwd", "re")};
	int status;

	checking.md = owner_open(path, false);
	if (checking.md == NULL)
		return CMD_USAGE;
	print_name(stdout, path);
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
