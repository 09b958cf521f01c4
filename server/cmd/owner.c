/*
 * owner.c: opens a Maildir as its owner.
 * Runs as: whoever types; root becomes the owner before it looks at anything in the Maildir.
 */
#include <errno.h>
#include <fcntl.h>
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

enum { HOST_MAX = 256 };

/* The smallest uid whose mail is served: as the server's configuration says, or the default if there is none.  0, or -1
 * after a message. */
static int
smallest_uid(uid_t *smallest_r)
{
	char none[] = "certificate = / /\nlisten_pop3s = *\n";
	struct conf_complaints complaints = {.len = 0};
	struct conf *conf = access(CMD_CONF_PATH, F_OK) == -1 && errno == ENOENT
				? conf_parse(none, sizeof(none) - 1, &complaints)
				: conf_load(CMD_CONF_PATH, &complaints);

	if (conf == NULL)
		return print_failure(
		    CMD_CONF_PATH, complaints.len > 0 ? complaints.list[0].text : strerror(errno));
	*smallest_r = (uid_t)conf->min_uid;
	conf_free(&conf);
	return 0;
}

/* Root becomes the owner; another user must be the owner.  0, or -1 after a message. */
static int
become_owner(const char *path, bool enter)
{
	const struct passwd *owner;
	uid_t smallest;
	struct stat st;

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
	if (smallest_uid(&smallest) < 0)
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

static int
replace_by(int fd, const char *path, int how)
{
	int other = open(path, how | O_NOCTTY | O_CLOEXEC);
	int r = other == -1 ? -1 : dup2(other, fd);

	if (other > STDERR_FILENO)
		close(other);
	return r;
}

/*
 * Terminals are opened for reading and writing; this process keeps one for writing only, so that whoever controls it
 * later reads nothing that is typed there.  The owner may lack the right to open the terminal again (su), and has nothing
 * to gain.  0, or -1 after a message.
 */
static int
settle_descriptors(void)
{
	static char room[BUFSIZ];
	char path[sizeof("/proc/self/fd/1")];
	int r = replace_by(STDIN_FILENO, "/dev/null", O_RDWR);

	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
		if (isatty(fd) != 1)
			continue;
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (replace_by(fd, path, O_WRONLY) == -1 && privdrop_possible())
			r = -1;
	}
	if (r == -1)
		return print_failure("the terminal", strerror(errno));
	/* Now, since stdio asks whether this is a terminal by a system call which the process does not have later. */
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

	if (settle_descriptors() < 0 || become_owner(path, enter) < 0)
		return NULL;
	(void)umask(077);
	(void)gethostname(host, sizeof(host) - 1);
	inside = enter ? privdrop_enter(path) : access(path, X_OK) == 0 ? path : NULL;
	if (inside != NULL) {
		/* Without a limit of memory: an index of many messages is made at once. */
		confine_reader(inside, -1);
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
