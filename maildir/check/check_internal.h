/*
 * check_internal.h: what check.c does for check_tree.c.
 */
#ifndef MAILDIR_CHECK_CHECK_INTERNAL_H
#define MAILDIR_CHECK_CHECK_INTERNAL_H

struct maildir;
struct maildir_check;

/* A directory with files of our own beside the messages: a folder's, or the Maildir's. */
struct check_place {
	int fd;
	const char *folder;	      /* its name, or NULL */
	const char *lock;	      /* a lock file as Dovecot makes it */
	const char *const *temporary; /* names of temporary files; ends with NULL */
};

/* Tells of a lock whose process is dead, and of temporary files that no process can still be writing. */
void check_left(
    const struct maildir_check *check, struct maildir *md, const struct check_place *place);

#endif
