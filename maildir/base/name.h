/*
 * name.h: reads and makes file names of messages.  The head of name.c tells their form.
 */
#ifndef MAILDIR_BASE_NAME_H
#define MAILDIR_BASE_NAME_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Octets of a name with its NUL; no file system of Linux has longer names. */
#define NAME_SIZE (NAME_MAX + 1)

/* Counts the octets of a name's base, by which a message is known: all before the first colon.  mdname_base_in
 * takes a name of len octets without a NUL. */
size_t mdname_base(const char *name);
size_t mdname_base_in(const char *name, size_t len);

/* Whether a message can have that name: its base is not empty, begins with no dot, and it has no octet below 0x20. */
bool mdname_usable(const char *name);

/* The standard flags (enum maildir_flag), and the keywords as bits: a is bit 0, z is bit 25. */
void mdname_flags(const char *name, uint32_t *flags_r, uint32_t *keywords_r);

struct mdname_change {
	uint32_t add, remove;			/* enum maildir_flag */
	uint32_t add_keywords, remove_keywords; /* bits of letters */
};

/*
 * Writes to out the name after a change of flags.  Only letters that we know change.  Returns 1 if the name stays the
 * same (out is a copy), 0 if it changes, -1 with ENAMETOOLONG.
 */
int mdname_apply(const char *name, const struct mdname_change *change, char out[NAME_SIZE]);

/* Copies the name, and appends ":2," if it has no info.  -1 with ENAMETOOLONG. */
int mdname_with_info(const char *name, char out[NAME_SIZE]);

/* The number at the start of a name: when the message was delivered, in seconds since 1970.  0: no number. */
uint64_t mdname_time(const char *name);

/*
 * Writes to out a name that no other program makes, with the info of the name info_of, or ":2,".  The process gives
 * another counter with each call.  -1 with ENAMETOOLONG.
 */
int mdname_unique(const char *host, uint64_t counter, const char *info_of, char out[NAME_SIZE]);

#endif
