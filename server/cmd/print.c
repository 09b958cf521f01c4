/*
 * print.c: what the subcommands about a Maildir print.
 * Runs as: whoever types.
 */
#include <stdio.h>

#include "server/cmd/print.h"

int
print_failure(const char *what, const char *why)
{
	(void)fflush(stdout);
	(void)fprintf(stderr, "sallyport maildir: %s: %s\n", what, why);
	return -1;
}

void
print_name(FILE *to, const char *name)
{
	for (; *name != '\0'; name++) {
		unsigned char c = (unsigned char)*name;

		if (c < 0x20 || c > 0x7e || c == '\\' || c == '\'')
			(void)fprintf(to, "\\x%02x", c);
		else
			(void)putc(c, to);
	}
}

void
print_octets(FILE *to, uint64_t octets)
{
	static const char *const unit[] = {"octets", "kB", "MB", "GB", "TB"};
	double value = (double)octets;
	size_t i = 0;

	for (; value >= 1000 && i + 1 < sizeof(unit) / sizeof(unit[0]); i++)
		value /= 1000;
	(void)fprintf(to, i == 0 ? "%.0f %s" : "%.1f %s", value, unit[i]);
}

const char *
print_plural(uint64_t number)
{
	return number == 1 ? "" : "s";
}
