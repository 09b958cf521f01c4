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
#include "server/cmd/owner.h"
#include "server/cmd/print.h"
#include "server/confine.h"
#include "server/privdrop.h"

enum { HOST_MAX = 256 };

/* Root becomes the owner; another user must be the owner.  0, or -1 after a message. */
static int
become_owner(const char *path)
{
	const struct passwd *owner;
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
	owner = st.st_gid == 0 ? getpwuid(st.st_uid) : NULL;
	if (owner != NULL)
		st.st_gid = owner->pw_gid;
	if (st.st_gid == 0)
		return print_failure(path, "its group is root's, and mail is never read as root");
	privdrop_become(st.st_uid, st.st_gid);
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
owner_open(const char *path)
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
	(void)print_failure(
	    path, errno == ENOENT ? "it is no Maildir: it has neither cur, new nor tmp" : why);
	return NULL;
}
