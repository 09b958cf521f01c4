/*
 * root.c: notices for the log of the program that uses the library.
 * Runs as: mail user.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "maildir/base/root.h"

void
root_notice(struct maildir *md, const char *format, ...)
{
	char text[768]; /* a folder's name and a file's, and some words */
	int saved = errno;
	va_list args;

	if (md->notice == NULL)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (char *p = text; (p = strpbrk(p, "\r\n")) != NULL;)
		*p = '?';
	md->notice(md->ctx, text);
	errno = saved;
}
