/*
 * usersfile.c: the users file, line by line.
 * Runs as: root, in the short-lived children that check a login or the file; and `sallyport check`.
 */
#include "auth/usersfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/account.h"
#include "auth/lookup.h"
#include "auth/scheme.h"

/* The order of the fields; shell and extra fields are not looked at. */
enum { FIELD_NAME, FIELD_HASH, FIELD_UID, FIELD_GID, FIELD_GECOS, FIELD_HOME, FIELD_COUNT };

enum {
	ID_DIGITS_MAX = 10,	      /* of a 32 bit number */
	FILE_BUFFER_SIZE = 16 * 1024, /* octets read at once; our own, so that it can be wiped */
};

enum line_result { LINE_READ, LINE_UNREADABLE, LINE_END };

_Static_assert((int)LOOKUP_HASH_SIZE >= (int)USERSFILE_LINE_MAX, "a hash is part of a line");

/* Reads a uid or gid: decimal digits only, and not the number that means "none" to chown(2). */
static bool
usersfile_id(const char *text, uint32_t *id_r)
{
	size_t len = text != NULL ? strspn(text, "0123456789") : 0;
	unsigned long long number;

	if (len < 1 || len > ID_DIGITS_MAX || text[len] != '\0')
		return false;
	number = strtoull(text, NULL, 10);
	*id_r = (uint32_t)number;
	return number < UINT32_MAX;
}

/* Cuts the line at its colons; fields that are not there become NULL. */
static void
usersfile_cut(char *line, char *fields_r[FIELD_COUNT])
{
	char *rest = line;
	int i;

	for (i = 0; i < FIELD_COUNT; i++) {
		fields_r[i] = rest;
		if (rest != NULL)
			rest = strchr(rest, ':');
		if (rest != NULL)
			*rest++ = '\0';
	}
}

enum usersfile_result
usersfile_parse(char *line, struct usersfile_entry *entry_r, const char **reason_r)
{
	char *fields[FIELD_COUNT];
	size_t len = strlen(line);

	*reason_r = "";
	memset(entry_r, 0, sizeof(*entry_r));
	if (len > 0 && line[len - 1] == '\r')
		line[--len] = '\0';
	if (line[0] == '#' || strspn(line, " \t") == len)
		return USERSFILE_BLANK;

	usersfile_cut(line, fields);
	entry_r->name = fields[FIELD_NAME];
	entry_r->hash = fields[FIELD_HASH];
	entry_r->home = fields[FIELD_HOME] != NULL ? fields[FIELD_HOME] : "";
	if (!auth_name_valid(entry_r->name, strlen(entry_r->name)))
		*reason_r = "the name is empty, too long or has other characters "
			    "than letters, digits and ._+=@-";
	else if (entry_r->hash == NULL || entry_r->hash[0] == '\0')
		*reason_r = "the password field is empty: write a hash that "
			    "`sallyport passwd` prints, or ! to lock the account";
	else if (!usersfile_id(fields[FIELD_UID], &entry_r->uid))
		*reason_r = "the third field must be the uid, as a decimal number";
	else if (!usersfile_id(fields[FIELD_GID], &entry_r->gid))
		*reason_r = "the fourth field must be the gid, as a decimal number";
	return **reason_r == '\0' ? USERSFILE_ENTRY : USERSFILE_WRONG;
}

/*
 * Reads one line without its newline.  A line that is too long or has a NUL in it is read to its end
 * and unreadable; an unfinished last line is a line.
 */
static enum line_result
usersfile_line(FILE *file, char line_r[USERSFILE_LINE_MAX])
{
	enum line_result result = LINE_READ;
	size_t len = 0;
	int c;

	c = getc_unlocked(file);
	if (c == EOF)
		return LINE_END;
	for (; c != EOF && c != '\n'; c = getc_unlocked(file)) {
		if (c == '\0' || len + 1 >= USERSFILE_LINE_MAX)
			result = LINE_UNREADABLE;
		else
			line_r[len++] = (char)c;
	}
	line_r[len] = '\0';
	return result;
}

int
usersfile_find(FILE *file, const char *name, char line[USERSFILE_LINE_MAX],
    struct usersfile_entry *entry_r, bool *found_r, char fallback_r[USERSFILE_LINE_MAX])
{
	char other[USERSFILE_LINE_MAX] = "";
	char *into = line; /* where the next line goes: not into line once that is the entry's */
	struct usersfile_entry entry;
	enum line_result result;
	const char *reason;

	*found_r = false;
	fallback_r[0] = '\0';
	while ((result = usersfile_line(file, into)) != LINE_END) {
		if (result != LINE_READ ||
		    usersfile_parse(into, &entry, &reason) != USERSFILE_ENTRY)
			continue;
		/* Not {PLAIN}: a fallback is there for the cost of crypt(3). */
		if (fallback_r[0] == '\0' && scheme_usable(entry.hash, false))
			(void)lookup_copy(fallback_r, USERSFILE_LINE_MAX, entry.hash);
		if (*found_r || strcasecmp(entry.name, name) != 0)
			continue;
		*found_r = true;
		*entry_r = entry;
		into = other;
	}
	explicit_bzero(other, sizeof(other));
	return ferror(file) ? -1 : 0;
}

/* Why a well written entry can never log in (uid 0, uid below min_uid, no home), or NULL. */
static const char *
usersfile_refused(const struct usersfile_entry *entry, uid_t min_uid)
{
	if (entry->uid == 0 || entry->gid == 0)
		return "uid or gid 0 in the users file: mail is never read as root, give the "
		       "account other ones";
	if (entry->uid < min_uid)
		return "the uid in the users file is below the smallest one allowed: see min_uid";
	if (entry->home[0] != '/')
		return "the home in the users file (sixth field) is empty or does not begin with "
		       "/: write an absolute path";
	return NULL;
}

/* Why no login can ever use this line, or NULL; an account counts in *accounts. */
static const char *
usersfile_wrong_line(char *line, const struct auth_source *source, unsigned *accounts)
{
	struct usersfile_entry entry;
	const char *reason;
	enum usersfile_result result = usersfile_parse(line, &entry, &reason);

	if (result != USERSFILE_ENTRY)
		return result == USERSFILE_WRONG ? reason : NULL;
	++*accounts;
	reason = usersfile_refused(&entry, source->min_uid);
	if (reason == NULL && !scheme_locked(entry.hash) &&
	    !scheme_usable(entry.hash, source->allow_plain))
		reason = scheme_unusable;
	return reason;
}

unsigned
usersfile_check(FILE *file, const struct auth_source *source,
    void (*report)(void *ctx, unsigned line, const char *reason), void *ctx)
{
	char line[USERSFILE_LINE_MAX];
	unsigned number = 0, accounts = 0;
	enum line_result result;
	const char *reason;

	while ((result = usersfile_line(file, line)) != LINE_END) {
		number++;
		reason = result == LINE_READ ? usersfile_wrong_line(line, source, &accounts)
					     : "the line is too long, or holds a NUL";
		if (reason != NULL)
			report(ctx, number, reason);
	}
	explicit_bzero(line, sizeof(line));
	return accounts;
}

int
usersfile_open(const char *path, const char **reason_r)
{
	struct stat st;
	int fd;

	/* O_NONBLOCK: a FIFO must not make us wait before we can see that it is one. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd == -1) {
		*reason_r =
		    errno == ENOENT
			? "the users file does not exist: make it, or correct its path"
			: "the users file cannot be opened: see to the permissions of it and its folder";
		return -1;
	}
	*reason_r = NULL;
	if (fstat(fd, &st) == -1)
		*reason_r = "the users file cannot be examined (fstat failed)";
	else if (!S_ISREG(st.st_mode))
		*reason_r = "the users file is not a regular file";
	else if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		*reason_r = "group or others may write the users file: chmod go-w it";
	else if ((st.st_mode & S_IROTH) != 0)
		*reason_r = "others may read the users file: chmod o-r it";
	if (*reason_r == NULL)
		return fd;
	(void)close(fd);
	return -1;
}

/* Puts the entry that was found into *lookup, with what is unusable about it. */
static void
usersfile_take(const struct usersfile_entry *entry, uid_t min_uid, struct auth_lookup *lookup)
{
	struct auth_account *account = &lookup->account;

	lookup->found = true;
	account->uid = entry->uid;
	account->gid = entry->gid;
	lookup->refused = usersfile_refused(entry, min_uid);
	if (!lookup_copy(account->name, sizeof(account->name), entry->name) ||
	    !lookup_copy(account->home, sizeof(account->home), entry->home) ||
	    !lookup_copy(lookup->hash, sizeof(lookup->hash), entry->hash))
		lookup->refused = "a field of the entry is too long";
	lookup->broken = lookup->refused != NULL;
}

int
lookup_usersfile(const struct auth_source *source, const char *name, struct auth_lookup *lookup_r,
    const char **reason_r)
{
	char buffer[FILE_BUFFER_SIZE];
	char line[USERSFILE_LINE_MAX];
	struct usersfile_entry entry;
	FILE *file;
	bool found;
	int fd, result;

	fd = usersfile_open(source->users_file, reason_r);
	if (fd == -1)
		return -1;
	file = fdopen(fd, "r");
	if (file == NULL) {
		*reason_r = "the users file cannot be read: no memory";
		(void)close(fd);
		return -1;
	}
	(void)setvbuf(file, buffer, _IOFBF, sizeof(buffer));
	result = usersfile_find(file, name, line, &entry, &found, lookup_r->fallback);
	if (result == -1)
		*reason_r = "the users file cannot be read: reading it gave an error";
	else if (found)
		usersfile_take(&entry, source->min_uid, lookup_r);
	(void)fclose(file);
	explicit_bzero(buffer, sizeof(buffer));
	explicit_bzero(line, sizeof(line));
	return result;
}
