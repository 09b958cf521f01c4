/*
 * scheme.c: {SCHEME}hash, by crypt(3).
 * Runs as: worker_user, in a process that does nothing else, for one login; and `sallyport passwd`.
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

/*
 * The verdict on a hash's parameters before it is computed.  crypt_checksalt(3) tells only whether the
 * method exists: in libxcrypt 4.4.33 and 4.4.38 (Debian 12 and 13) it takes "$2y$99$..." for usable.
 */
enum scheme_setting {
	SETTING_WRONG,	 /* crypt(3) refuses it, or it was cut off in copying */
	SETTING_UNKNOWN, /* a rare method, or rare parameters, not checked here */
	SETTING_RIGHT,	 /* crypt(3) computes it, if there is enough memory */
};

/* The digits of crypt(5)'s base64, from 0 to 63. */
static const char scheme_digits[] =
    "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* The value of a digit. */
static size_t
scheme_digit(char c)
{
	return (size_t)(strchr(scheme_digits, c) - scheme_digits);
}

/* "b$", the logarithm of the rounds from 04 to 31, "$", 22 digits of salt. */
static enum scheme_setting
setting_bcrypt(const char *at)
{
	bool number = strspn(at + 2, "0123456789") == 2 && at[4] == '$';
	int rounds = number ? (at[2] - '0') * 10 + at[3] - '0' : 0;

	return rounds >= 4 && rounds <= 31 && strspn(at + 5, scheme_digits) >= 22 ? SETTING_RIGHT
										  : SETTING_WRONG;
}

/* "rounds=", 1000 to 999999999 without leading zeros, "$", if it is there at all. */
static enum scheme_setting
setting_sha(const char *at)
{
	static const char rounds[] = "rounds=";
	const char *number = at + sizeof(rounds) - 1;
	size_t digits;

	if (strncmp(at, rounds, sizeof(rounds) - 1) != 0)
		return SETTING_RIGHT;
	digits = strspn(number, "0123456789");
	return number[0] != '0' && digits >= 4 && digits <= 9 && number[digits] == '$'
		   ? SETTING_RIGHT
		   : SETTING_WRONG;
}

/*
 * A digit each for the flavor, the logarithm of the blocks (2 to 31) and the size of a block, "$", and a
 * salt whose last digit has no bits beyond its octets.  crypt_gensalt(3) writes flavor j and no more
 * numbers; other programs may use the two other flavors, and more and longer numbers.
 */
static enum scheme_setting
setting_yescrypt(const char *at)
{
	size_t numbers = strspn(at, scheme_digits);
	const char *salt = at + numbers + 1;
	size_t len, blocks;

	if (numbers < 3 || at[numbers] != '$')
		return SETTING_WRONG;
	len = strspn(salt, scheme_digits);
	if (salt + len != strrchr(at, '$') || len > 86 || len % 4 == 1 ||
	    (len % 4 == 2 && scheme_digit(salt[len - 1]) > 3) ||
	    (len % 4 == 3 && scheme_digit(salt[len - 1]) > 15))
		return SETTING_WRONG;
	blocks = scheme_digit(at[1]) + 1;
	if (strchr("./j", at[0]) == NULL || blocks < 2 || blocks > 31)
		return SETTING_WRONG;
	return numbers == 3 && at[0] == 'j' && at[2] <= 'j' ? SETTING_RIGHT : SETTING_UNKNOWN;
}

/* tail: how many characters follow the last "$" of a whole hash; check gets what follows the prefix. */
static const struct {
	const char *prefix;
	size_t tail;
	enum scheme_setting (*check)(const char *at); /* NULL: SETTING_UNKNOWN */
} scheme_methods[] = {
    {"$1$", 22, NULL},
    {"$2", 53, setting_bcrypt},
    {"$5$", 43, setting_sha},
    {"$6$", 86, setting_sha},
    {"$7$", 43, NULL},
    {"$y$", 43, setting_yescrypt},
    {"$gy$", 43, setting_yescrypt},
};

const char scheme_unusable[] =
    "the hash is cut off, has parameters that crypt(3) refuses, or is of a "
    "scheme that is not known or not allowed";

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

/* crypted has no {SCHEME}.  Locked hashes ("!", "*") and empty ones are wrong. */
static enum scheme_setting
scheme_setting(const char *crypted)
{
	size_t len = strlen(crypted), tail, prefix, i;
	int salt;

	if (len == 0 || len >= CRYPT_OUTPUT_SIZE)
		return SETTING_WRONG;
	salt = crypt_checksalt(crypted);
	if (salt == CRYPT_SALT_INVALID || salt == CRYPT_SALT_METHOD_DISABLED)
		return SETTING_WRONG;
	if (crypted[0] == '_')
		return len == SCHEME_OTHER_LEN ? SETTING_UNKNOWN : SETTING_WRONG;
	if (crypted[0] != '$')
		return len >= SCHEME_DES_LEN && (len - SCHEME_DES_LEN) % SCHEME_DES_SEGMENT == 0
			   ? SETTING_RIGHT
			   : SETTING_WRONG;
	tail = strlen(strrchr(crypted, '$') + 1);
	for (i = 0; i < sizeof(scheme_methods) / sizeof(scheme_methods[0]); i++) {
		prefix = strlen(scheme_methods[i].prefix);
		if (strncmp(crypted, scheme_methods[i].prefix, prefix) != 0)
			continue;
		if (tail != scheme_methods[i].tail)
			return SETTING_WRONG;
		return scheme_methods[i].check == NULL ? SETTING_UNKNOWN
						       : scheme_methods[i].check(crypted + prefix);
	}
	return tail >= SCHEME_OTHER_LEN ? SETTING_UNKNOWN : SETTING_WRONG;
}

bool
scheme_usable(const char *hash, bool allow_plain)
{
	const char *rest;

	switch (scheme_split(hash, &rest)) {
	case SCHEME_CRYPT:
		return scheme_setting(rest) != SETTING_WRONG;
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

/* Computes a hash with a fresh setting of the system's preferred method; NULL if that fails. */
static const char *
scheme_fresh(const char *password, struct crypt_data *data)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];

	if (crypt_gensalt_rn(NULL, 0, NULL, 0, setting, sizeof(setting)) == NULL)
		return NULL;
	return crypt_rn(password, setting, data, sizeof(*data));
}

/*
 * Computes a hash for its cost alone: of fallback, else of a fresh setting.  A fallback
 * whose parameters are unknown may be refused, which must not become the answer for unknown users.
 */
static const char *
scheme_waste(const char *password, const char *fallback, struct crypt_data *data)
{
	enum scheme_setting setting = SETTING_WRONG;
	const char *rest, *computed = NULL;

	if (fallback != NULL && scheme_split(fallback, &rest) == SCHEME_CRYPT)
		setting = scheme_setting(rest);
	if (setting != SETTING_WRONG)
		computed = crypt_rn(password, rest, data, sizeof(*data));
	if (computed == NULL && setting != SETTING_RIGHT)
		computed = scheme_fresh(password, data);
	return computed;
}

/* crypt(3)'s work space holds the password. */
static void
scheme_data_free(struct crypt_data *data)
{
	explicit_bzero(data, sizeof(*data));
	free(data);
}

enum scheme_result
scheme_verify(const char *hash, const char *password, bool allow_plain, const char *fallback)
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	enum scheme_result result = SCHEME_FAILED;
	const char *rest, *computed;
	bool usable = scheme_usable(hash, allow_plain);

	if (data == NULL)
		return SCHEME_FAILED;
	if (scheme_split(hash, &rest) == SCHEME_CRYPT && usable) {
		computed = crypt_rn(password, rest, data, sizeof(*data));
		if (computed != NULL)
			result = scheme_equal(computed, rest) ? SCHEME_FITS : SCHEME_DIFFERS;
	} else if (scheme_waste(password, fallback, data) != NULL) {
		result = usable && scheme_equal(password, rest) ? SCHEME_FITS : SCHEME_DIFFERS;
	}
	scheme_data_free(data);
	return result;
}

int
scheme_hash(const char *password, char *out_r, size_t size)
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	const char *computed;
	int len = -1;

	if (data == NULL)
		return -1;
	computed = scheme_fresh(password, data);
	if (computed != NULL)
		len = snprintf(out_r, size, "{CRYPT}%s", computed);
	scheme_data_free(data);
	return len > 0 && (size_t)len < size ? 0 : -1;
}
