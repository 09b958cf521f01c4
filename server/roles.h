/*
 * roles.h: the two users that workers and the key process become.
 */
#ifndef SERVER_ROLES_H
#define SERVER_ROLES_H

#include <stddef.h>
#include <sys/types.h>

struct conf;

struct roles {
	uid_t worker_uid, key_uid;
	gid_t worker_gid, key_gid;
};

/*
 * Looks up worker_user and key_user: two different users, neither root.  0; or -1, with what is wrong
 * and what to type in wrong_r.
 */
int roles_find(const struct conf *conf, struct roles *roles_r, char *wrong_r, size_t size);

#endif
