/*
 * usersfile.h: the users file, a passwd-file as Dovecot reads it (sallyport-users(5)):
 *
 *     name:{SCHEME}hash:uid:gid:gecos:home:shell:extra fields
 *
 * A line is an account; blank lines and lines beginning with "#" are comments; gecos, shell and extra
 * fields are ignored.  Nothing is kept between two calls.
 */
#ifndef AUTH_USERSFILE_H
#define AUTH_USERSFILE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

struct auth_source;

enum { USERSFILE_LINE_MAX = 4096 }; /* octets; a hash has some 100, a path at most PATH_MAX */

/* Fields of one line; pointers into the line, which was cut apart. */
struct usersfile_entry {
	const char *name, *hash, *home;
	uid_t uid;
	gid_t gid;
};

enum usersfile_result { USERSFILE_ENTRY, USERSFILE_BLANK, USERSFILE_WRONG };

/*
 * Takes a line (without its newline; cut apart in place) to pieces.  USERSFILE_WRONG: *reason_r says
 * what is wrong and what to write instead.
 */
enum usersfile_result usersfile_parse(
    char *line, struct usersfile_entry *entry_r, const char **reason_r);

/*
 * Opens the file (a symbolic link is followed): a descriptor, or -1 with *reason_r, a constant text
 * that says what to do.  Refused: anything but a regular file, and a file that group or others may
 * write or others may read.
 */
int usersfile_open(const char *path, const char **reason_r);

/*
 * Looks name up in an open file; ASCII letters are compared without regard to case, and the first
 * of several entries counts.  *found_r says whether it is there; then entry_r points into line,
 * which the caller provides and wipes.  fallback_r gets the hash of the first usable entry ("" if
 * there is none), for the cost of an unknown user.  Wrong lines are passed over.  The file is
 * always read to its end, so that the time does not tell where an entry stands.  0, or -1 if
 * reading fails.
 */
int usersfile_find(FILE *file, const char *name, char line[USERSFILE_LINE_MAX],
    struct usersfile_entry *entry_r, bool *found_r, char fallback_r[USERSFILE_LINE_MAX]);

/*
 * Reads an open file to its end and reports each line that no login can ever use, unless the
 * account is locked: its number, from 1, and the cause, a constant text for the administrator.
 * Returns the number of accounts, those reported included.
 */
unsigned usersfile_check(FILE *file, const struct auth_source *source,
    void (*report)(void *ctx, unsigned line, const char *reason), void *ctx);

#endif
