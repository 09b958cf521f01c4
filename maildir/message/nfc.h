/*
 * nfc.h: Unicode's normalization form C, which names of folders are in.
 */
#ifndef MAILDIR_MESSAGE_NFC_H
#define MAILDIR_MESSAGE_NFC_H

#include <stddef.h>

/* The longest text, in octets.  Marks are sorted one by one, so that time is its square. */
enum { NFC_MAX = 1024 };

/* The text in form C, with a NUL at its end.  -1: it is not UTF-8 or too long, or does not fit. */
int nfc_text(const char *utf8, size_t len, char *utf8_r, size_t size);

#endif
