/*
 * name.c: file names of messages: base, flags, keywords, new unique ones.
 * Runs as: mail user.
 *
 * A name is <base>:2,<letters>[,<more>].  Programs differ in what they put behind the colon, and a
 * user may have renamed files by hand; so nothing is taken for granted: no info at all, ":1,"
 * (Maildir's experimental kind), letters unsorted or twice, letters nobody defined.  Whatever it is,
 * a change of flags keeps what it does not understand.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "maildir/maildir.h"
#include "maildir/name.h"

/* The letters of enum maildir_flag, by bit. */
static const char letters[] = "PRSTDF";

size_t
mdname_base(const char *name)
{
	return (size_t)(strchrnul(name, ':') - name);
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

/* The letters behind ":2,", NULL when the info part is missing or another kind. */
static const char *
name_letters(const char *name, size_t *len_r)
{
	const char *info = name + mdname_base(name);

	*len_r = 0;
	if (strncmp(info, ":2,", 3) != 0)
		return NULL;
	*len_r = strcspn(info + 3, ",");
	return info + 3;
}

void
mdname_flags(const char *name, uint32_t *flags_r, uint32_t *keywords_r)
{
	size_t len;
	const char *list = name_letters(name, &len);

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

/*
 * What follows the letters: the part from a second comma on, or an info part of another kind, which
 * is kept behind a comma of its own.
 */
static const char *
name_rest(const char *name, const char *list, size_t len, const char **comma_r)
{
	const char *info = name + mdname_base(name);

	*comma_r = "";
	if (list != NULL)
		return list + len;
	if (info[0] == '\0' || info[1] == '\0')
		return "";
	*comma_r = ",";
	return info + 1;
}

static int
name_put(
    char out[NAME_SIZE], const char *name, const char *set, const char *comma, const char *rest)
{
	int n = snprintf(
	    out, NAME_SIZE, "%.*s:2,%s%s%s", (int)mdname_base(name), name, set, comma, rest);

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
	const char *list = name_letters(name, &len), *rest, *comma;

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
	rest = name_rest(name, list, len, &comma);
	return name_put(out, name, set, comma, rest);
}

int
mdname_with_info(const char *name, char out[NAME_SIZE])
{
	size_t len = strlen(name);

	if (name[mdname_base(name)] == '\0')
		return name_put(out, name, "", "", "");
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
