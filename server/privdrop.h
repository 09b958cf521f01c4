/*
 * privdrop.h: the only place where a process changes its identity.  Each change is proven.
 */
#ifndef SERVER_PRIVDROP_H
#define SERVER_PRIVDROP_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether this process may change identities at all: it is root.  The demo is not. */
bool privdrop_possible(void);

/*
 * Makes dir the root directory.  It must belong to root, be writable by nobody else, and be empty.
 * Ends the process when that fails.  Without root it does nothing.
 */
void privdrop_chroot(const char *dir);

/*
 * Takes on uid and gid with no other groups, for good; then tries to get root back, and ends the
 * process if that works.  uid 0 and gid 0 are refused.  Without root it does nothing.
 */
void privdrop_become(uid_t uid, gid_t gid);

#endif
