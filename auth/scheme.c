/*
 * scheme.c: {SCHEME}hash, by crypt(3).
 * Runs as: root, in the short-lived child that checks one login; and `sallyport passwd`.
 *
 * Every check computes exactly one hash whose cost does not depend on whether the user exists, and
 * what crypt(3) worked on is wiped.
 */
#include "auth/scheme.h"

#include <crypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/account.h"

enum scheme_kind { SCHEME_CRYPT, SCHEME_PLAIN, SCHEME_UNKNOWN };

enum {
	SCHEME_TEXT_MAX = 512, /* octets compared: a password or CRYPT_OUTPUT_SIZE, with its NUL */
	SCHEME_DES_LEN = 13,   /* characters of a traditional hash, 2 of them salt */
	SCHEME_DES_SEGMENT = 11, /* that bigcrypt adds for every further 8 octets of password */
	SCHEME_OTHER_LEN = 20, /* characters of the shortest hash that is not in the table below */
};

static const struct {
	const char *name;
	enum scheme_kind kind;
} scheme_names[] = {
    {"CRYPT", SCHEME_CRYPT},
    {"SHA512-CRYPT", SCHEME_CRYPT},
    {"SHA256-CRYPT", SCHEME_CRYPT},
    {"BLF-CRYPT", SCHEME_CRYPT},
    {"MD5-CRYPT", SCHEME_CRYPT},
    {"DES-CRYPT", SCHEME_CRYPT},
    {"PLAIN", SCHEME_PLAIN},
    {"CLEARTEXT", SCHEME_PLAIN},
};

/* How many characters follow the last "$" of a whole hash: it finds those cut off in copying. */
static const struct {
	const char *prefix;
	size_t len;
} scheme_lengths[] = {
    {"$1$", 22},
    {"$2", 53},
    {"$5$", 43},
    {"$6$", 86},
    {"$7$", 43},
    {"$y$", 43},
    {"$gy$", 43},
};

const char scheme_unusable[] =
    "the hash is cut off, or of a scheme that is not known or not allowed";

/* The kind of the hash; *rest_r is what follows {SCHEME}.  Without a scheme it is CRYPT. */
static enum scheme_kind
scheme_split(const char *hash, const char **rest_r)
{
	const char *end;
	size_t i, len;

	*rest_r = hash;
	if (hash[0] != '{')
		return SCHEME_CRYPT;
	end = strchr(hash, '}');
	if (end == NULL)
		return SCHEME_UNKNOWN;
	*rest_r = end + 1;
	len = (size_t)(end - hash) - 1;
	for (i = 0; i < sizeof(scheme_names) / sizeof(scheme_names[0]); i++)
		if (strlen(scheme_names[i].name) == len &&
		    strncasecmp(scheme_names[i].name, hash + 1, len) == 0)
			return scheme_names[i].kind;
	return SCHEME_UNKNOWN;
}

/* Whether the hash is as long as its method makes them. */
static bool
scheme_whole(const char *crypted)
{
	size_t len = strlen(crypted);
	size_t i, tail;

	if (crypted[0] == '_')
		return len == SCHEME_OTHER_LEN;
	if (crypted[0] != '$')
		return len >= SCHEME_DES_LEN && (len - SCHEME_DES_LEN) % SCHEME_DES_SEGMENT == 0;
	tail = strlen(strrchr(crypted, '$') + 1);
	for (i = 0; i < sizeof(scheme_lengths) / sizeof(scheme_lengths[0]); i++)
		if (strncmp(crypted, scheme_lengths[i].prefix, strlen(scheme_lengths[i].prefix)) ==
		    0)
			return tail == scheme_lengths[i].len;
	return tail >= SCHEME_OTHER_LEN;
}

/* Whether crypt(3) can compute it.  Locked ones ("!", "*") and empty ones are none. */
static bool
scheme_crypt_usable(const char *crypted)
{
	int salt;

	if (crypted[0] == '\0' || strlen(crypted) >= CRYPT_OUTPUT_SIZE)
		return false;
	salt = crypt_checksalt(crypted);
	if (salt == CRYPT_SALT_INVALID || salt == CRYPT_SALT_METHOD_DISABLED)
		return false;
	return scheme_whole(crypted);
}

bool
scheme_usable(const char *hash, bool allow_plain)
{
	const char *rest;

	switch (scheme_split(hash, &rest)) {
	case SCHEME_CRYPT:
		return scheme_crypt_usable(rest);
	case SCHEME_PLAIN:
		return allow_plain && rest[0] != '\0' && strlen(rest) < SCHEME_TEXT_MAX;
	case SCHEME_UNKNOWN:
		break;
	}
	return false;
}

/*
 * Compares in a time that does not depend on where the texts differ, nor on their lengths: both
 * are laid out in buffers of one size, padded with NUL, which neither can hold.
 */
static bool
scheme_equal(const char *one, const char *other)
{
	char a[SCHEME_TEXT_MAX] = {0};
	char b[SCHEME_TEXT_MAX] = {0};
	size_t one_len = strlen(one);
	size_t other_len = strlen(other);
	volatile unsigned char differ = 0;
	size_t i;

	if (one_len >= sizeof(a) || other_len >= sizeof(b))
		return false;
	memcpy(a, one, one_len + 1);
	memcpy(b, other, other_len + 1);
	for (i = 0; i < sizeof(a); i++)
		differ = (unsigned char)(differ | (a[i] ^ b[i]));
	explicit_bzero(a, sizeof(a));
	explicit_bzero(b, sizeof(b));
	return differ == 0;
}

bool
scheme_locked(const char *hash)
{
	const char *rest;

	(void)scheme_split(hash, &rest);
	return rest[0] == '\0' || strchr("!*", rest[0]) != NULL || strcmp(hash, "x") == 0;
}

/* One crypt(3) that nobody looks at: of fallback, else of what a new password would cost. */
static const char *
scheme_waste(const char *password, const char *fallback, struct crypt_data *data)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	const char *rest;

	if (fallback != NULL && scheme_split(fallback, &rest) == SCHEME_CRYPT &&
	    scheme_crypt_usable(rest))
		return crypt_rn(password, rest, data, sizeof(*data));
	if (crypt_gensalt_rn(NULL, 0, NULL, 0, setting, sizeof(setting)) == NULL)
		return NULL;
	return crypt_rn(password, setting, data, sizeof(*data));
}

/* The same with the memory that crypt(3) works on. */
static enum scheme_result
scheme_compute(const char *hash, const char *password, bool allow_plain, const char *fallback,
    struct crypt_data *data)
{
	const char *rest, *computed;
	enum scheme_kind kind = scheme_split(hash, &rest);
	bool usable = scheme_usable(hash, allow_plain);
	bool by_crypt = usable && kind == SCHEME_CRYPT;

	if (by_crypt)
		computed = crypt_rn(password, rest, data, sizeof(*data));
	else
		computed = scheme_waste(password, fallback, data);
	if (computed == NULL)
		return SCHEME_FAILED;
	if (!by_crypt)
		computed = password;
	return usable && scheme_equal(computed, rest) ? SCHEME_FITS : SCHEME_DIFFERS;
}

enum scheme_result
scheme_verify(const char *hash, const char *password, bool allow_plain, const char *fallback)
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	enum scheme_result result;

	if (data == NULL)
		return SCHEME_FAILED;
	result = scheme_compute(hash, password, allow_plain, fallback, data);
	explicit_bzero(data, sizeof(*data));
	free(data);
	return result;
}

int
scheme_hash(const char *password, char *out_r, size_t size)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *data;
	const char *computed;
	int result = -1;
	int len;

	if (crypt_gensalt_rn(NULL, 0, NULL, 0, setting, sizeof(setting)) == NULL)
		return -1;
	data = calloc(1, sizeof(*data));
	if (data == NULL)
		return -1;
	computed = crypt_rn(password, setting, data, sizeof(*data));
	if (computed != NULL) {
		len = snprintf(out_r, size, "{CRYPT}%s", computed);
		if (len > 0 && (size_t)len < size)
			result = 0;
	}
	explicit_bzero(data, sizeof(*data));
	free(data);
	return result;
}
