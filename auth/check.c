/*
 * check.c: whether a name and a password belong together.
 * Runs as: root, in the short-lived child that checks one login.
 *
 * Every check does the same work, whatever its outcome: one look-up, one crypt(3), and only then a
 * decision.
 */
#include <string.h>

#include "auth/account.h"
#include "auth/lookup.h"
#include "auth/scheme.h"

static const char hash_failed[] =
    "crypt(3) cannot compute the password's hash: is there enough memory? "
    "yescrypt takes 16 MB and more";

static enum auth_verdict
decide(const struct auth_source *source, const struct auth_lookup *lookup, const char *password,
    auth_verify *verify, void *ctx, const char **reason_r)
{
	bool plain = source->kind == AUTH_FILE && source->allow_plain;
	const char *hash = lookup->found ? lookup->hash : "!";
	enum scheme_result result = verify(ctx, hash, password, plain, lookup->fallback);

	if (result == SCHEME_FAILED) {
		*reason_r = hash_failed;
		return AUTH_BROKEN;
	}
	if (!lookup->found) {
		*reason_r = "no such user";
		return AUTH_DENIED;
	}
	if (!scheme_usable(hash, plain)) {
		*reason_r = scheme_locked(hash) ? "the account is locked or has no password"
						: scheme_unusable;
		return scheme_locked(hash) ? AUTH_DENIED : AUTH_BROKEN;
	}
	if (result != SCHEME_FITS || password[0] == '\0') {
		*reason_r = "wrong password";
		return AUTH_DENIED;
	}
	if (lookup->refused != NULL) {
		*reason_r = lookup->refused;
		return lookup->broken ? AUTH_BROKEN : AUTH_DENIED;
	}
	*reason_r = "";
	return AUTH_OK;
}

enum auth_verdict
auth_check(const struct auth_source *source, const char *name, const char *password,
    auth_verify *verify, void *ctx, struct auth_account *account_r, const char **reason_r)
{
	struct auth_lookup lookup;
	enum auth_verdict verdict = AUTH_BROKEN;
	int result;

	memset(account_r, 0, sizeof(*account_r));
	memset(&lookup, 0, sizeof(lookup));
	*reason_r = "";
	/* A name that may not be looked up becomes "": no source has it, and it costs the same. */
	if (!auth_name_valid(name, strnlen(name, AUTH_NAME_MAX + 1)))
		name = "";
	if (source->kind == AUTH_SYSTEM)
		result = lookup_system(source, name, &lookup, reason_r);
	else
		result = lookup_usersfile(source, name, &lookup, reason_r);
	if (result == 0)
		verdict = decide(source, &lookup, password, verify, ctx, reason_r);
	if (verdict == AUTH_OK)
		*account_r = lookup.account;
	else if (lookup.found)
		memcpy(account_r->name, lookup.account.name, sizeof(account_r->name));
	explicit_bzero(&lookup, sizeof(lookup));
	return verdict;
}
