/*
 * privdrop.h: the only place where a process changes its identity.  Each change is proven.
 */
#ifndef SERVER_PRIVDROP_H
#define SERVER_PRIVDROP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct conf;

/* The users that workers and the key process become. */
struct service_users {
	uid_t worker_uid, key_uid;
	gid_t worker_gid, key_gid;
};

/*
 * Looks up worker_user and key_user: two different users, neither of them root.  Returns 0; or -1, with what
 * is wrong and what to type in wrong_r, and *users_r as it was.
 */
int privdrop_find_users(
    const struct conf *conf, struct service_users *users_r, char *wrong_r, size_t size);

/* Returns whether this process can change identities, which means: it is root.  The demo is not. */
bool privdrop_possible(void);

/*
 * Makes dir the root directory.  dir must be empty, belong to root, and be writable by no other user.
 * Ends the process if that fails.  Without root it does nothing.
 */
void privdrop_chroot(const char *dir);

/*
 * Takes on uid and gid with no other groups and no capability, for good; then tries to get root back, and ends the
 * process if that works.  Refuses uid 0 and gid 0.  Without root it does nothing.
 */
void privdrop_become(uid_t uid, gid_t gid);

/*
 * The same in two steps, for a root directory that belongs to the user.  privdrop_become_user keeps one capability,
 * CAP_SYS_CHROOT, for privdrop_enter, which makes dir the root directory and gives that capability up.  So no path that
 * the user controls is followed with the rights of root.
 *
 * privdrop_enter returns the path of dir as this process sees it from then on: "/", and without root dir itself.
 * NULL: errno; the user cannot enter dir.  The capability is gone then, too.
 */
void privdrop_become_user(uid_t uid, gid_t gid);
const char *privdrop_enter(const char *dir);

#endif
