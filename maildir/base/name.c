/*
 * name.c: file names of messages: base, flags, keywords, new unique ones.
 * Runs as: mail user.
 *
 * A name is <base>:2,<letters>[,<more>].  Dovecot and we take it apart by the same two rules:
 *
 * - The base ends before the first colon.  dovecot-uidlist and all that is kept about a message know it by its base,
 *   since another program that changes flags may rewrite all that follows the first colon.
 * - The info begins at the last colon, if ":2," stands there.  Other colons may stand before it: of a program that
 *   added a second info, of Maildir's experimental ":1,", of a time in a name that a user gave.
 *
 * Letters may be unsorted, twice or unknown.  A change of flags keeps what it does not know: octets between base and
 * info, unknown letters, and all from a second comma on.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "maildir/base/name.h"
#include "maildir/base/number.h"
#include "maildir/maildir.h"

/* The letters of enum maildir_flag, by bit. */
static const char letters[] = "PRSTDF";

size_t
mdname_base_in(const char *name, size_t len)
{
	const char *colon = memchr(name, ':', len);

	return colon != NULL ? (size_t)(colon - name) : len;
}

size_t
mdname_base(const char *name)
{
	return mdname_base_in(name, strlen(name));
}

/* The info, from its colon on; the end of the name if it has no info. */
static const char *
name_info(const char *name)
{
	const char *colon = strrchr(name, ':');

	return colon != NULL && strncmp(colon, ":2,", 3) == 0 ? colon : name + strlen(name);
}

bool
mdname_usable(const char *name)
{
	if (name[0] == '.' || name[0] == ':' || name[0] == '\0')
		return false;
	for (const char *p = name; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == '/')
			return false;
	}
	return strlen(name) <= NAME_MAX;
}

/* The letters of an info; an empty info has no letters. */
static const char *
info_letters(const char *info, size_t *len_r)
{
	const char *letter = *info != '\0' ? info + 3 : info;

	*len_r = strcspn(letter, ",");
	return letter;
}

void
mdname_flags(const char *name, uint32_t *flags_r, uint32_t *keywords_r)
{
	size_t len;
	const char *list = info_letters(name_info(name), &len);

	*flags_r = *keywords_r = 0;
	for (size_t i = 0; i < len; i++) {
		const char *known = strchr(letters, list[i]);

		if (list[i] >= 'a' && list[i] <= 'z')
			*keywords_r |= UINT32_C(1) << (list[i] - 'a');
		else if (known != NULL)
			*flags_r |= UINT32_C(1) << (known - letters);
	}
}

/* Adds and removes letters; alphabet has the letters of the bits. */
static void
name_mark(bool present[256], const char *alphabet, uint32_t add, uint32_t remove)
{
	for (size_t i = 0; alphabet[i] != '\0'; i++) {
		const uint32_t bit = UINT32_C(1) << i;

		if (((add | remove) & bit) != 0)
			present[(unsigned char)alphabet[i]] = (remove & bit) == 0;
	}
}

/* Writes a name: what stands before the info, and an info of the letters in set and the rest after them. */
static int
name_put(char out[NAME_SIZE], const char *name, const char *info, const char *set, const char *rest)
{
	int n = snprintf(out, NAME_SIZE, "%.*s:2,%s%s", (int)(info - name), name, set, rest);

	if (n < 0 || n >= NAME_SIZE) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

static int
name_copy(char out[NAME_SIZE], const char *name)
{
	size_t len = strlen(name);

	if (len > NAME_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(out, name, len + 1);
	return 0;
}

int
mdname_apply(const char *name, const struct mdname_change *change, char out[NAME_SIZE])
{
	bool before[256] = {false}, after[256];
	char set[257];
	size_t len, n = 0;
	const char *info = name_info(name), *list = info_letters(info, &len);

	for (size_t i = 0; i < len; i++)
		before[(unsigned char)list[i]] = true;
	memcpy(after, before, sizeof(after));
	name_mark(after, letters, change->add, change->remove);
	name_mark(
	    after, "abcdefghijklmnopqrstuvwxyz", change->add_keywords, change->remove_keywords);
	if (memcmp(before, after, sizeof(after)) == 0)
		return name_copy(out, name) < 0 ? -1 : 1;
	for (unsigned c = 1; c < 256; c++) {
		if (after[c])
			set[n++] = (char)c;
	}
	set[n] = '\0';
	return name_put(out, name, info, set, list + len);
}

int
mdname_with_info(const char *name, char out[NAME_SIZE])
{
	const char *info = name_info(name);

	return *info == '\0' ? name_put(out, name, info, "", "") : name_copy(out, name);
}

uint64_t
mdname_time(const char *name)
{
	uint64_t seconds;

	/* No clock has more digits. */
	(void)number_read(name, 18, UINT64_MAX, &seconds);
	return seconds;
}

/* The host as the Maildir specification wants it in names: '/' is \057, ':' is \072. */
static void
name_host(const char *host, char *out, size_t size)
{
	size_t n = 0;

	for (; *host != '\0' && n + 5 < size; host++) {
		if (*host == '/' || *host == ':')
			n += (size_t)snprintf(out + n, size - n, "\\%03o", (unsigned)*host);
		else if ((unsigned char)*host > 0x20)
			out[n++] = *host;
	}
	out[n] = '\0';
}

int
mdname_unique(const char *host, uint64_t counter, const char *info_of, char out[NAME_SIZE])
{
	const char *info = info_of + mdname_base(info_of);
	struct timespec now;
	char clean[100];
	int n;

	clock_gettime(CLOCK_REALTIME, &now);
	name_host(host, clean, sizeof(clean));
	n = snprintf(out, NAME_SIZE, "%lld.M%06ldP%ldQ%llu.%s%s", (long long)now.tv_sec,
	    now.tv_nsec / 1000, (long)getpid(), (unsigned long long)counter, clean,
	    *info != '\0' ? info : ":2,");
	if (n < 0 || n >= NAME_SIZE) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}
