/*
 * account.h: whether a user and a password belong together, and which account that is.
 *
 * The face of auth/: a leaf library that reads the password files, logs nothing and never exits.
 * auth_check runs only in the short-lived child that each login gets (server/reader/auth_answer.c),
 * never in a worker.  The program may also include sasl.h (in a worker), usersfile.h (check,
 * master's look at the file) and scheme.h (`sallyport passwd`); lookup.h is private.
 */
#ifndef AUTH_ACCOUNT_H
#define AUTH_ACCOUNT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "auth/scheme.h"

enum {
	AUTH_NAME_MAX = 255, /* octets of a user name with its domain */
	AUTH_PASSWORD_MAX =
	    511, /* octets; crypt(3) takes no longer ones (CRYPT_MAX_PASSPHRASE_SIZE) */
};

enum auth_kind { AUTH_SYSTEM, AUTH_FILE };

/* A source of accounts. */
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
	/* Unknown user, wrong password, locked, expired, no shell: the client never hears which. */
	AUTH_DENIED,
	/* No verdict: the source cannot be read, its entry is unusable, or no hash can be computed. */
	AUTH_BROKEN,
};

/* Computes and compares one hash, as scheme_verify does; perhaps in a process that can do nothing else. */
typedef enum scheme_result auth_verify(
    void *ctx, const char *hash, const char *password, bool allow_plain, const char *fallback);

/*
 * Looks the user up and checks the password by one call of verify: C strings of at most AUTH_*_MAX octets, and the
 * caller wipes the password.  An unknown user costs the work of a wrong password: a hash of the same
 * method and cost.
 *
 * *reason_r gets a constant text for the administrator's log, without name or password, never for the
 * client.  account_r is filled if the verdict is AUTH_OK; otherwise only its name is, for the log, and
 * only if the user is known ("" if not).
 */
enum auth_verdict auth_check(const struct auth_source *source, const char *name,
    const char *password, auth_verify *verify, void *ctx, struct auth_account *account_r,
    const char **reason_r);

/*
 * Whether a user name may be looked up at all: 1 to AUTH_NAME_MAX octets of letters, digits and
 * "._+=@-", not beginning with "-" or ".", no "..", at most one "@" with something on both sides.
 */
bool auth_name_valid(const char *name, size_t len);

#endif
