/*
 * error.c: one line of text about what went wrong.
 * Runs as: anyone.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/error.h>

#include "tls/error.h"

/* File names are part of errors and may hold anything; a log line may not. */
static void
make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

int
tls_error_set(struct tls_error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	/* clang-tidy 14 takes va_start for nothing when it looks at several files at once. */
	(void)vsnprintf(/* NOLINT(clang-analyzer-valist.Uninitialized) */
	    error->text, sizeof error->text, format, args);
	va_end(args);
	make_printable(error->text);
	return -1;
}

int
tls_error_library(struct tls_error *error, int code, const char *format, ...)
{
	char why[128] = "";
	size_t used;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(/* NOLINT(clang-analyzer-valist.Uninitialized) */
	    error->text, sizeof error->text, format, args);
	va_end(args);
	used = strlen(error->text);
	mbedtls_strerror(code, why, sizeof why);
	(void)snprintf(
	    error->text + used, sizeof error->text - used, ": %s (-0x%04x)", why, (unsigned)-code);
	make_printable(error->text);
	return -1;
}
