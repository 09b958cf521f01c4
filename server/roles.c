/*
 * roles.c: the two users that workers and the key process become.
 * Runs as: root, before they become them; whoever types `sallyport check`.
 */
#include <pwd.h>
#include <stdio.h>

#include "server/conf.h"
#include "server/roles.h"

static int
find(const char *setting, const char *name, uid_t *uid_r, gid_t *gid_r, char *wrong_r, size_t size)
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
roles_find(const struct conf *conf, struct roles *roles_r, char *wrong_r, size_t size)
{
	if (find("worker_user", conf->worker_user, &roles_r->worker_uid, &roles_r->worker_gid,
		wrong_r, size) == -1 ||
	    find("key_user", conf->key_user, &roles_r->key_uid, &roles_r->key_gid, wrong_r, size) ==
		-1)
		return -1;
	if (roles_r->worker_uid != roles_r->key_uid)
		return 0;
	snprintf(wrong_r, size,
	    "worker_user and key_user must be different, so that a worker cannot reach the keys");
	return -1;
}
