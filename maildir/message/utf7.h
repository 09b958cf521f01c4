/*
 * utf7.h: modified UTF-7 (RFC 3501 section 5.1.3), from and to UTF-8.
 */
#ifndef MAILDIR_MESSAGE_UTF7_H
#define MAILDIR_MESSAGE_UTF7_H

#include <stddef.h>

enum utf7 {
	UTF7_OK,
	UTF7_WRONG,   /* not well-formed; of modified UTF-7 also what is not its canonical form */
	UTF7_CONTROL, /* a character that no name may have: RFC 6855 section 3 */
	UTF7_LONG,    /* it does not fit */
};

/* The text in the other encoding, with a NUL at its end; part of it when it is not UTF7_OK. */
enum utf7 utf7_decode(const char *utf7, size_t len, char *utf8_r, size_t size);
enum utf7 utf7_encode(const char *utf8, size_t len, char *utf7_r, size_t size);

#endif
