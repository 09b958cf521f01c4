/*
 * privdrop.c: changes of identity, proven.
 * Runs as: root before, another user after; privdrop_find_users also as the user who types `sallyport check`.
 */
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/conf.h"
#include "server/log.h"
#include "server/privdrop.h"

bool
privdrop_possible(void)
{
	return geteuid() == 0;
}

static int
find_user(
    const char *setting, const char *name, uid_t *uid_r, gid_t *gid_r, char *wrong_r, size_t size)
{
	const struct passwd *pw = getpwnam(name);

	if (pw == NULL) {
		snprintf(wrong_r, size,
		    "%s: there is no user %s: useradd -r -M -d /nonexistent -s /usr/sbin/nologin %s",
		    setting, name, name);
		return -1;
	}
	if (pw->pw_uid == 0 || pw->pw_gid == 0) {
		snprintf(wrong_r, size, "%s: %s has root's uid or gid; write another user", setting,
		    name);
		return -1;
	}
	*uid_r = pw->pw_uid;
	*gid_r = pw->pw_gid;
	return 0;
}

int
privdrop_find_users(
    const struct conf *conf, struct service_users *users_r, char *wrong_r, size_t size)
{
	struct service_users found;

	if (find_user("worker_user", conf->worker_user, &found.worker_uid, &found.worker_gid,
		wrong_r, size) == -1 ||
	    find_user("key_user", conf->key_user, &found.key_uid, &found.key_gid, wrong_r, size) ==
		-1)
		return -1;
	if (found.worker_uid == found.key_uid) {
		snprintf(wrong_r, size,
		    "worker_user and key_user must be different, "
		    "so that a worker cannot reach the keys");
		return -1;
	}
	*users_r = found;
	return 0;
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

/* --- capabilities, without libcap --- */

/* Capabilities 0 to 31 and 32 to 63: the kernel wants both. */
struct capabilities {
	struct __user_cap_data_struct half[2];
};

static void
set_capabilities(uint32_t effective, uint32_t permitted)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct capabilities wanted = {{{effective, permitted, 0}}};

	if (syscall(SYS_capset, &header, wanted.half) == -1)
		fatal("privdrop", "capset");
}

/* Ends the process if it has other capabilities than permitted. */
static void
prove_capabilities(uint32_t permitted)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct capabilities are;

	if (syscall(SYS_capget, &header, are.half) == -1)
		fatal("privdrop", "capget");
	if (are.half[0].effective != 0 || are.half[0].permitted != permitted ||
	    are.half[1].effective != 0 || are.half[1].permitted != 0)
		fatalx("privdrop", "capabilities are left");
}

/* --- identities --- */

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

static void
change(uid_t uid, gid_t gid)
{
	if (uid == 0 || gid == 0)
		fatalx("privdrop", "refusing to serve as root");
	if (setgroups(1, &gid) == -1 || setresgid(gid, gid, gid) == -1 ||
	    setresuid(uid, uid, uid) == -1)
		fatal("privdrop", "change of identity");
}

void
privdrop_become(uid_t uid, gid_t gid)
{
	if (!privdrop_possible())
		return;
	change(uid, gid);
	prove(uid, gid);
	prove_capabilities(0);
}

static bool may_enter; /* between privdrop_become_user and privdrop_enter */

void
privdrop_become_user(uid_t uid, gid_t gid)
{
	if (!privdrop_possible())
		return;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == -1)
		fatal("privdrop", "prctl");
	change(uid, gid);
	set_capabilities(0, CAP_TO_MASK(CAP_SYS_CHROOT));
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == -1)
		fatal("privdrop", "prctl");
	prove(uid, gid);
	prove_capabilities(CAP_TO_MASK(CAP_SYS_CHROOT));
	may_enter = true;
}

const char *
privdrop_enter(const char *dir)
{
	int entered, error;

	if (!may_enter)
		return dir;
	may_enter = false;
	/* A change of the directory needs no capability; from "." nothing can be exchanged any more. */
	entered = chdir(dir);
	if (entered == 0) {
		set_capabilities(CAP_TO_MASK(CAP_SYS_CHROOT), CAP_TO_MASK(CAP_SYS_CHROOT));
		entered = chroot(".");
	}
	error = errno;
	set_capabilities(0, 0);
	prove_capabilities(0);
	errno = error;
	return entered == 0 ? "/" : NULL;
}
