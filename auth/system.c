/*
 * system.c: accounts of the system, from passwd and shadow.
 * Runs as: root, in the short-lived child that checks one login.
 *
 * A user whom login(1) refuses may not fetch mail either.  A mail client cannot ask for a new password,
 * so a user who would have to choose one is refused until that is done.
 */
#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <shadow.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "auth/lookup.h"
#include "auth/scheme.h"

enum {
	SYSTEM_BUFFER_SIZE = 64 * 1024, /* octets for one entry, also from a directory service */
	SECONDS_A_DAY = 24 * 60 * 60,
};

static const char system_no_shadow[] =
    "the shadow passwords cannot be read: run as root, or use a users file";

/*
 * Gets the hash of the first account that has a usable one, at each login, so that the time it takes
 * says nothing about the user.  0, or -1 if shadow cannot be read.
 */
static int
system_fallback(char fallback_r[LOOKUP_HASH_SIZE])
{
	const struct spwd *spwd;
	bool denied;

	setspent();
	do {
		errno = 0;
		spwd = getspent();
	} while (spwd != NULL && !scheme_usable(spwd->sp_pwdp, false));
	denied = spwd == NULL && (errno == EACCES || errno == EPERM);
	if (spwd != NULL && !lookup_copy(fallback_r, LOOKUP_HASH_SIZE, spwd->sp_pwdp))
		fallback_r[0] = '\0';
	endspent();
	return denied ? -1 : 0;
}

/* Whether the shell is in /etc/shells; an empty one is /bin/sh (passwd(5)). */
static bool
system_shell(const char *shell)
{
	const char *allowed;

	if (shell[0] == '\0')
		shell = "/bin/sh";
	setusershell();
	do
		allowed = getusershell();
	while (allowed != NULL && strcmp(allowed, shell) != 0);
	endusershell();
	return allowed != NULL;
}

/*
 * Why the account or its password is over, or NULL (shadow(5)).  Fields that are not set are -1.
 * Without a number of inactive days login(1) would ask for a new password for ever.
 */
static const char *
system_expired(const struct spwd *spwd, long today)
{
	long age, grace;

	if (spwd->sp_expire >= 0 && today >= spwd->sp_expire)
		return "the account has expired";
	if (spwd->sp_lstchg == 0)
		return "the password must be changed before it can be used";
	if (spwd->sp_lstchg < 0 || spwd->sp_max < 0 || today < spwd->sp_lstchg)
		return NULL;
	age = today - spwd->sp_lstchg;
	grace = spwd->sp_inact > 0 ? spwd->sp_inact : 0;
	if (age > spwd->sp_max && age - spwd->sp_max > grace)
		return "the password has expired";
	return NULL;
}

static const char *
system_refused(const struct passwd *pwd, uid_t min_uid)
{
	if (pwd->pw_uid == 0 || pwd->pw_gid == 0)
		return "uid 0 and gid 0 never fetch mail";
	if (pwd->pw_uid < min_uid)
		return "the uid is below the smallest one allowed";
	if (pwd->pw_dir[0] != '/')
		return "the home is not an absolute path";
	if (!system_shell(pwd->pw_shell))
		return "the shell is not in /etc/shells";
	return NULL;
}

/* Errors with which getpwnam(3) says "not found" on one system or another. */
static bool
system_not_found(int error)
{
	return error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM;
}

/* Fills *lookup; hash and age are in shadow if passwd(5) says "x", else passwd has the hash. */
static int
system_take(
    const struct passwd *pwd, uid_t min_uid, struct auth_lookup *lookup, const char **reason_r)
{
	struct auth_account *account = &lookup->account;
	char buffer[SYSTEM_BUFFER_SIZE];
	struct spwd entry, *spwd = NULL;
	const char *hash = pwd->pw_passwd;
	int result = 0;
	int error;

	lookup->found = true;
	lookup->refused = system_refused(pwd, min_uid);
	account->uid = pwd->pw_uid;
	account->gid = pwd->pw_gid;
	if (!lookup_copy(account->name, sizeof(account->name), pwd->pw_name) ||
	    !lookup_copy(account->home, sizeof(account->home), pwd->pw_dir))
		lookup->refused = "the name or the home is too long";
	if (strcmp(hash, "x") == 0) {
		error = getspnam_r(pwd->pw_name, &entry, buffer, sizeof(buffer), &spwd);
		if (spwd == NULL && !system_not_found(error)) {
			*reason_r = system_no_shadow;
			result = -1;
		}
		hash = spwd != NULL ? spwd->sp_pwdp : "!";
	}
	if (spwd != NULL && lookup->refused == NULL)
		lookup->refused = system_expired(spwd, (long)(time(NULL) / SECONDS_A_DAY));
	if (!lookup_copy(lookup->hash, sizeof(lookup->hash), hash))
		lookup->hash[0] = '\0';
	explicit_bzero(buffer, sizeof(buffer));
	return result;
}

/* A look-up in passwd. */
struct system_entry {
	struct passwd entry, *found;
	int error;
	char buffer[SYSTEM_BUFFER_SIZE];
};

static void
system_find(const char *name, struct system_entry *entry_r)
{
	entry_r->error = getpwnam_r(
	    name, &entry_r->entry, entry_r->buffer, sizeof(entry_r->buffer), &entry_r->found);
}

/*
 * The name as given counts first, since the system's names can have capitals; then the name in lower
 * case, since a mail program may capitalize it.  Both are looked up in any case, so that the time
 * does not tell which one is there.
 */
int
lookup_system(const struct auth_source *source, const char *name, struct auth_lookup *lookup_r,
    const char **reason_r)
{
	struct system_entry given, lowered = {.found = NULL};
	char lower[AUTH_NAME_MAX + 1] = "";
	const struct passwd *pwd;
	int result = 0;
	size_t i;

	if (system_fallback(lookup_r->fallback) == -1) {
		*reason_r = system_no_shadow;
		return -1;
	}
	for (i = 0; name[i] != '\0'; i++)
		lower[i] = (char)tolower((unsigned char)name[i]);
	system_find(name, &given);
	if (strcmp(name, lower) != 0)
		system_find(lower, &lowered);
	pwd = given.found != NULL ? given.found : lowered.found;
	if (!system_not_found(given.error) || !system_not_found(lowered.error)) {
		*reason_r = "the passwd database cannot be read";
		result = -1;
	} else if (pwd != NULL) {
		result = system_take(pwd, source->min_uid, lookup_r, reason_r);
	}
	explicit_bzero(&given, sizeof(given));
	explicit_bzero(&lowered, sizeof(lowered));
	return result;
}
