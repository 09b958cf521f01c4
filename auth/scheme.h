/*
 * scheme.h: password hashes as Dovecot writes them, {SCHEME}hash.
 *
 * CRYPT and its family ({CRYPT}, {SHA512-CRYPT}, {SHA256-CRYPT}, {BLF-CRYPT}, {MD5-CRYPT},
 * {DES-CRYPT}, no scheme at all) go to crypt(3); {PLAIN} and {CLEARTEXT} only when allowed.  All
 * arguments are C strings, borrowed.
 */
#ifndef AUTH_SCHEME_H
#define AUTH_SCHEME_H

#include <stdbool.h>
#include <stddef.h>

enum scheme_result {
	SCHEME_FITS,
	SCHEME_DIFFERS,
	SCHEME_FAILED, /* no hash could be computed, so that nothing was compared */
};

/*
 * Whether the password fits the hash, compared in constant time.  An unusable hash fits nothing.
 *
 * Each call computes one crypt(3), whatever it will say: of the hash itself, or else of fallback (a
 * usable hash), or else of a fresh setting.  If that fails the result is SCHEME_FAILED for any
 * hash, so that failures tell nothing about a user either.
 */
enum scheme_result scheme_verify(
    const char *hash, const char *password, bool allow_plain, const char *fallback);

/* Whether scheme_verify could ever say yes; the parameters are checked, nothing is computed. */
bool scheme_usable(const char *hash, bool allow_plain);

/* The cause, for the administrator, if a hash that is not locked is not usable. */
extern const char scheme_unusable[];

/* Whether an unusable hash was meant so: "", "x", or one that begins with "!" or "*". */
bool scheme_locked(const char *hash);

/*
 * Writes a new {CRYPT} hash by the system's preferred method (yescrypt on Debian) into out_r,
 * terminated.  0; or -1 if the password or the hash is too long, or memory or randomness is lacking.
 */
int scheme_hash(const char *password, char *out_r, size_t size);

#endif
