/* file.h: reads and makes the PEM files of tls/; for the files of tls/ only. */
#ifndef TLS_FILE_H
#define TLS_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "tls/tls.h"

/* A whole file with a NUL behind it (len does not count it). */
struct tls_file {
	char *text;
	size_t len;
};

/*
 * Reads a regular file.  secret: it is a private key, so that group and others may not have any
 * right to it.  Symbolic links are followed (certificate clients make them); what is judged is
 * the file that was opened.  Filled without stdio, so that no copy stays behind.
 */
int tls_file_read(const char *path, bool secret, struct tls_file *file_r, struct tls_error *error);

/* Wipes and frees. */
void tls_file_clear(struct tls_file *file);

/* Whether the file holds a private key, encrypted or not. */
bool tls_file_has_key(const struct tls_file *file);

/* Makes a new file with this text and mode, on disk when this returns; an existing one is an error. */
int tls_file_make(const char *path, unsigned mode, const char *text, struct tls_error *error);

#endif
