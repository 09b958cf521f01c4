/*
 * owner.c: opens a Maildir as its owner.
 * Runs as: whoever types; root becomes the owner before it looks at anything in the Maildir.
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/check/check.h"
#include "maildir/courier/courier.h"
#include "server/cmd/cmd.h"
#include "server/cmd/owner.h"
#include "server/cmd/print.h"
#include "server/conf.h"
#include "server/confine.h"
#include "server/privdrop.h"
#include "server/process.h"

enum { HOST_MAX = 256 };

/*
 * The smallest uid whose mail is served: as the server's configuration says, or the default if there is none.  A
 * configuration that is wrong says nothing, and the default may be less than it meant.  0, or -1 after a message.
 */
static int
find_smallest_uid(uid_t *smallest_r)
{
	char none[] = "certificate = / /\nlisten_pop3s = *\n";
	struct conf_complaints complaints;
	struct conf *conf;
	struct stat st;

	if (lstat(CMD_CONF_PATH, &st) == -1 && errno == ENOENT)
		conf = conf_parse(none, sizeof(none) - 1, &complaints);
	else
		conf = conf_load(CMD_CONF_PATH, &complaints);
	if (conf == NULL) {
		check_print(stderr, CMD_CONF_PATH, &complaints);
		return print_failure(
		    CMD_CONF_PATH, "it must be right, since min_uid says whose mail is served");
	}
	*smallest_r = (uid_t)conf->min_uid;
	conf_free(&conf);
	return 0;
}

/* Root becomes the owner; another user must be the owner.  0, or -1 after a message. */
static int
become_owner(const char *path, bool enter)
{
	const struct passwd *owner;
	struct stat st;
	uid_t smallest = (uid_t)-1;

	if (stat(path, &st) < 0)
		return print_failure(path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return print_failure(path, "it is no directory");
	if (!privdrop_possible())
		return st.st_uid == geteuid()
			   ? 0
			   : print_failure(path,
				 "it belongs to another user: only that user and root may do this");
	if (st.st_uid == 0)
		return print_failure(
		    path, "it belongs to root, and mail is never read as root: chown it first");
	if (find_smallest_uid(&smallest) == -1)
		return -1;
	if (st.st_uid < smallest)
		return print_failure(path,
		    "it belongs to a uid below min_uid, whose mail is not served: "
		    "see sallyport.conf(5)");
	owner = st.st_gid == 0 ? getpwuid(st.st_uid) : NULL;
	if (owner != NULL)
		st.st_gid = owner->pw_gid;
	if (st.st_gid == 0)
		return print_failure(path, "its group is root's, and mail is never read as root");
	if (enter)
		privdrop_become_user(st.st_uid, st.st_gid);
	else
		privdrop_become(st.st_uid, st.st_gid);
	return 0;
}

int
owner_begin(void)
{
	static char room[BUFSIZ];

	if (process_fill_standard() == -1)
		return print_failure("/dev/null", strerror(errno));
	process_close_others(NULL, 0);
	/* Nothing may ask for the terminal later: that takes a system call which the process does not have then. */
	(void)setvbuf(stdout, room, isatty(STDOUT_FILENO) == 1 ? _IOLBF : _IOFBF, sizeof(room));
	return 0;
}

void
owner_notice(void *ctx, const char *text)
{
	(void)ctx;
	printf("  note: ");
	print_name(stdout, text);
	(void)putchar('\n');
}

struct maildir *
owner_open(const char *path, bool enter)
{
	char host[HOST_MAX] = "localhost", why[128];
	const char *inside;
	struct maildir *md;

	/* Landlock lets no file outside be opened.  Without it only another root directory does. */
	enter = enter || confine_missing() != NULL;
	if (become_owner(path, enter) < 0)
		return NULL;
	(void)umask(077);
	(void)gethostname(host, sizeof(host) - 1);
	inside = enter ? privdrop_enter(path) : access(path, X_OK) == 0 ? path : NULL;
	if (inside != NULL) {
		/* Without a limit of memory: an index of many messages is made at once. */
		confine_reader(inside, -1);
		confine_no_reading_back();
		confine_no_passing();
		if (maildir_check_open(inside, host, &md) == 0 && maildir_known_as(md, path) == 0) {
			courier_import(md);
			return md;
		}
	}
	snprintf(why, sizeof(why), "%s; it belongs to uid %lu", strerror(errno),
	    (unsigned long)geteuid());
	(void)print_failure(
	    path, errno == ENOENT ? "it is no Maildir: it has neither cur, new nor tmp" : why);
	return NULL;
}
