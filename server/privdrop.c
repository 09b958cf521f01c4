/*
 * privdrop.c: changes of identity, proven.
 * Runs as: root before, somebody else after.
 */
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/log.h"
#include "server/privdrop.h"

bool
privdrop_possible(void)
{
	return geteuid() == 0;
}

static bool
is_empty(const char *dir)
{
	const struct dirent *entry;
	bool empty = true;
	DIR *d = opendir(dir);

	if (d == NULL)
		fatal("privdrop", "empty_dir");
	while (empty && (entry = readdir(d)) != NULL)
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	closedir(d);
	return empty;
}

void
privdrop_chroot(const char *dir)
{
	struct stat st;

	if (!privdrop_possible())
		return;
	if (lstat(dir, &st) == -1)
		fatal("privdrop", "empty_dir");
	if (!S_ISDIR(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022) != 0 || !is_empty(dir))
		fatalx("privdrop",
		    "empty_dir must be an empty directory of root that only root can write");
	if (chroot(dir) == -1 || chdir("/") == -1)
		fatal("privdrop", "chroot");
}

static void
prove(uid_t uid, gid_t gid)
{
	uid_t ru, eu, su;
	gid_t rg, eg, sg, only;
	int groups;

	if (getresuid(&ru, &eu, &su) == -1 || getresgid(&rg, &eg, &sg) == -1)
		fatal("privdrop", "getresuid");
	if (ru != uid || eu != uid || su != uid || rg != gid || eg != gid || sg != gid)
		fatalx("privdrop", "the change of identity did not take");
	groups = getgroups(1, &only);
	if (groups < 0 || groups > 1 || (groups == 1 && only != gid))
		fatalx("privdrop", "other groups are left");
	if (setuid(0) != -1 || seteuid(0) != -1 || setresuid(0, 0, 0) != -1 || setgid(0) != -1)
		fatalx("privdrop", "root could be had back");
}

void
privdrop_become(uid_t uid, gid_t gid)
{
	if (!privdrop_possible())
		return;
	if (uid == 0 || gid == 0)
		fatalx("privdrop", "refusing to serve as root");
	if (setgroups(1, &gid) == -1 || setresgid(gid, gid, gid) == -1 ||
	    setresuid(uid, uid, uid) == -1)
		fatal("privdrop", "change of identity");
	prove(uid, gid);
}
