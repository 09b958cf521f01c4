/*
 * print.h: what the subcommands about a Maildir print.
 */
#ifndef SERVER_CMD_PRINT_H
#define SERVER_CMD_PRINT_H

#include <stdint.h>
#include <stdio.h>

/* Prints why something failed to standard error, and returns -1. */
int print_failure(const char *what, const char *why);
/* Prints a name as it is on the disk: it may hold any octet, and must not move a terminal's cursor. */
void print_name(FILE *to, const char *name);
/* "1.5 MB" */
void print_octets(FILE *to, uint64_t octets);
/* Returns the ending of a noun after that number. */
const char *print_plural(uint64_t number);

#endif
