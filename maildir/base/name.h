/*
 * name.h: what the file name of a message says, and how one is made.
 */
#ifndef MAILDIR_BASE_NAME_H
#define MAILDIR_BASE_NAME_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A name with its NUL; no file system of Linux holds longer ones. */
#define NAME_SIZE (NAME_MAX + 1)

/* How many octets of name are its base, by which a message is known: all up to the first colon.  _in: of
 * a name of len octets without a NUL. */
size_t mdname_base(const char *name);
size_t mdname_base_in(const char *name, size_t len);

/* Whether dovecot-uidlist can hold it: a base that is not empty, no octet below 0x20, no dot first. */
bool mdname_usable(const char *name);

/* The standard flags (enum maildir_flag) and the letters a to z. */
void mdname_flags(const char *name, uint32_t *flags_r, uint32_t *keywords_r);

struct mdname_change {
	uint32_t add, remove;			/* enum maildir_flag */
	uint32_t add_keywords, remove_keywords; /* bits of letters */
};

/*
 * Writes to out the name that remains after the change: what stands before the info, letters that we
 * do not know, and what follows a second comma, stay.  1 when the name need not change (out is a copy), 0 when it does,
 * -1 with ENAMETOOLONG.
 */
int mdname_apply(const char *name, const struct mdname_change *change, char out[NAME_SIZE]);

/* The name, with ":2," at its end where it has no info.  -1 with ENAMETOOLONG. */
int mdname_with_info(const char *name, char out[NAME_SIZE]);

/* The seconds at the head of a base name, when the message was delivered; 0 without digits. */
uint64_t mdname_time(const char *name);

/*
 * A base name that nobody else makes, with the info part of info_of behind it.  counter is the
 * caller's, to be different at each call.  -1 with ENAMETOOLONG.
 */
int mdname_unique(const char *host, uint64_t counter, const char *info_of, char out[NAME_SIZE]);

#endif
