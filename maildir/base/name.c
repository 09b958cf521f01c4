/*
 * name.c: file names of messages: base, flags, keywords, new unique ones.
 * Runs as: mail user.
 *
 * A name is <base>:2,<letters>[,<more>].  Two rules take it apart, the same that Dovecot has:
 *
 * - The base, by which dovecot-uidlist and all that is kept about a message know it, ends before the
 *   first colon: another program's change of flags may rewrite whatever follows that.
 * - The info is at the last colon, if ":2," stands there.  In front of it other colons may stand: a
 *   program that added a second info, Maildir's experimental ":1,", a time in a name that a user gave.
 *   All of that stays as it is.
 *
 * Letters may be unsorted, twice, or unknown.  A change of flags keeps what it does not understand.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "maildir/base/name.h"
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

/* Where the info begins, with its colon; the end of the name when there is none. */
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

/* The letters of an info, none of an empty one. */
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

static void
name_mark(bool present[256], const struct mdname_change *change)
{
	for (size_t i = 0; letters[i] != '\0'; i++) {
		unsigned char c = (unsigned char)letters[i];

		if (change->add & (UINT32_C(1) << i))
			present[c] = true;
		if (change->remove & (UINT32_C(1) << i))
			present[c] = false;
	}
	for (unsigned i = 0; i < 26; i++) {
		if (change->add_keywords & (UINT32_C(1) << i))
			present['a' + i] = true;
		if (change->remove_keywords & (UINT32_C(1) << i))
			present['a' + i] = false;
	}
}

/* What stands in front of the info, and another info with these letters and what follows them. */
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
	name_mark(after, change);
	if (memcmp(before, after, sizeof(after)) == 0) {
		n = strlen(name);
		if (n > NAME_MAX) {
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(out, name, n + 1);
		return 1;
	}
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
	size_t len = strlen(name);

	if (*name_info(name) == '\0')
		return name_put(out, name, name + len, "", "");
	if (len > NAME_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(out, name, len + 1);
	return 0;
}

uint64_t
mdname_time(const char *name)
{
	uint64_t seconds = 0;

	/* 18 digits cannot overflow; no clock has as many. */
	for (size_t i = 0; i < 18 && name[i] >= '0' && name[i] <= '9'; i++)
		seconds = seconds * 10 + (uint64_t)(name[i] - '0');
	return seconds;
}

/* The host as the Maildir specification wants it in names: '/' as \057, ':' as \072. */
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
