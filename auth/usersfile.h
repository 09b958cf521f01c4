/*
 * usersfile.h: the users file, a passwd-file as Dovecot reads it (sallyport-users(5)):
 *
 *     name:{SCHEME}hash:uid:gid:gecos:home:shell:extra fields
 *
 * One account a line; blank lines and lines beginning with "#" are passed over; shell and extra
 * fields are ignored.  The parser works on one line and keeps nothing.
 */
#ifndef AUTH_USERSFILE_H
#define AUTH_USERSFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

enum { USERSFILE_LINE_MAX = 4096 }; /* octets; a hash has some 100, a path at most PATH_MAX */

/* Fields of one line; pointers into the line, which was cut apart. */
struct usersfile_entry {
	const char *name, *hash, *home;
	uid_t uid;
	gid_t gid;
};

enum usersfile_result { USERSFILE_ENTRY, USERSFILE_BLANK, USERSFILE_WRONG };

/*
 * Takes a line (without its newline; cut apart in place) to pieces.  On USERSFILE_WRONG *reason_r
 * says what is wrong and what to write instead.
 */
enum usersfile_result usersfile_parse(
    char *line, struct usersfile_entry *entry_r, const char **reason_r);

/*
 * Opens the file (a symbolic link is followed): a descriptor, or -1 with *reason_r, a constant text
 * that says what to do.  Refused: what is not a regular file, and one that group or others may
 * write or others may read.
 */
int usersfile_open(const char *path, const char **reason_r);

/*
 * Looks name up in an open file; ASCII letters are compared without regard to case, and the first
 * of several entries counts.  *found_r says whether it is there; then entry_r points into line,
 * which the caller provides and wipes.  fallback_r gets the hash of the first usable entry ("" if
 * there is none), for the cost of an unknown user.  Lines that are wrong are passed over.  The file
 * is always read to its end, so that the time does not tell where an entry stands.
 * 0, or -1 when the file cannot be read.
 */
int usersfile_find(FILE *file, const char *name, bool allow_plain, char line[USERSFILE_LINE_MAX],
    struct usersfile_entry *entry_r, bool *found_r, char fallback_r[USERSFILE_LINE_MAX]);

/*
 * Why an entry can never log in although it is well written (uid 0, uid below min_uid, no home), for
 * the administrator; NULL when it can.
 */
const char *usersfile_unusable(const struct usersfile_entry *entry, uid_t min_uid);

#endif
