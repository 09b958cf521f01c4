/*
 * account.h: who a user is and whether the password is right.
 *
 * A leaf library, called only in the short-lived child that a login gets (see server/reader/auth_answer.c),
 * never in a worker.  It reads the password files, logs nothing and never exits.
 */
#ifndef AUTH_ACCOUNT_H
#define AUTH_ACCOUNT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
	AUTH_NAME_MAX = 255, /* octets of a user name with its domain */
	AUTH_PASSWORD_MAX =
	    511, /* octets; crypt(3) takes no longer ones (CRYPT_MAX_PASSPHRASE_SIZE) */
};

enum auth_kind { AUTH_SYSTEM, AUTH_FILE };

/* Where accounts come from. */
struct auth_source {
	enum auth_kind kind;
	const char *users_file; /* AUTH_FILE: its path */
	bool allow_plain;	/* AUTH_FILE: {PLAIN} entries count; else they are refused */
	uid_t min_uid;		/* accounts below are refused; uid 0 and gid 0 always are */
};

/* An account that logged in.  home is absolute. */
struct auth_account {
	char name[AUTH_NAME_MAX + 1];
	uid_t uid;
	gid_t gid;
	char home[PATH_MAX];
};

enum auth_verdict {
	AUTH_OK,
	AUTH_DENIED, /* unknown user, wrong password, locked, expired, no shell: never say which */
	/* No verdict: the source cannot be read, its entry is unusable, or no hash can be computed. */
	AUTH_BROKEN,
};

/*
 * Looks the user up and checks the password.  Both are C strings of at most AUTH_*_MAX octets; the
 * caller wipes its password.  The work done for an unknown user is that for a wrong password (a
 * hash of the same method and cost is computed).  *reason_r is a constant text for the
 * administrator's log: it holds neither name nor password, and is never for the client.  For the log
 * too, account_r->name is set for any user who is known, and is "" for one who is not.
 */
enum auth_verdict auth_check(const struct auth_source *source, const char *name,
    const char *password, struct auth_account *account_r, const char **reason_r);

/*
 * Whether a user name may be looked up at all: 1 to AUTH_NAME_MAX octets of letters, digits and
 * "._+=@-", not beginning with "-" or ".", no "..", at most one "@" with something on both sides.
 */
bool auth_name_valid(const char *name, size_t len);

#endif
