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

/*
 * Whether the password fits.  Compares in constant time.  A hash that cannot be used (locked "!" or
 * "*", unknown scheme, PLAIN not allowed) fits nothing.  One crypt(3) is always computed: of the
 * hash itself or, where that cannot be, of fallback (a usable hash) or of a fresh default setting.
 */
bool scheme_verify(const char *hash, const char *password, bool allow_plain, const char *fallback);

/* Whether scheme_verify could ever say yes for it. */
bool scheme_usable(const char *hash, bool allow_plain);

/*
 * A new {CRYPT} hash by the system's preferred method (yescrypt on Debian) into out_r, terminated;
 * 0 or -1 (password too long, out of memory or of randomness).
 */
int scheme_hash(const char *password, char *out_r, size_t size);

#endif
