/*
 * scheme.h: password hashes as Dovecot writes them, {SCHEME}hash.
 *
 * CRYPT and its family ({CRYPT}, {SHA512-CRYPT}, {SHA256-CRYPT}, {BLF-CRYPT}, {MD5-CRYPT},
 * {DES-CRYPT}, no scheme at all) go to crypt(3); {PLAIN} and {CLEARTEXT} only when allowed.
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
 * Whether the password fits.  Compares in constant time.  A hash that cannot be used fits nothing.
 * One crypt(3) is always computed: of the hash itself or, where that cannot be, of fallback (a usable
 * hash) or of a fresh default setting.  Where it fails the result is SCHEME_FAILED for any hash, so
 * that this tells nothing about a user either.
 */
enum scheme_result scheme_verify(
    const char *hash, const char *password, bool allow_plain, const char *fallback);

/* Whether scheme_verify could ever say yes for it. */
bool scheme_usable(const char *hash, bool allow_plain);

/* Why another hash than a locked one is not usable. */
extern const char scheme_unusable[];

/* Whether an unusable hash was meant so: "", "x", or one that begins with "!" or "*". */
bool scheme_locked(const char *hash);

/*
 * A new {CRYPT} hash by the system's preferred method (yescrypt on Debian) into out_r, terminated;
 * 0 or -1 (password too long, out of memory or of randomness).
 */
int scheme_hash(const char *password, char *out_r, size_t size);

#endif
