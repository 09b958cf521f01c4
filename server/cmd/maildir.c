/*
 * maildir.c: sallyport maildir.
 * Runs as: whoever types.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/cmd/cmd.h"
#include "server/cmd/maildir_check.h"
#include "server/cmd/owner.h"
#include "server/cmd/print.h"

static const char usage_text[] =
    "usage: sallyport maildir check PATH [--repair]\n"
    "       sallyport maildir index PATH\n"
    "\n"
    "  check     explain the Maildir at PATH, and say what is odd; nothing is changed\n"
    "  --repair  mend what can be mended without loss, and say what was done\n"
    "  index     build the index of all folders ahead; it may be interrupted\n";

static int
usage(const char *problem, const char *detail)
{
	(void)fprintf(stderr, "sallyport maildir: %s%s%s\n\n%s", problem,
	    detail != NULL ? ": " : "", detail != NULL ? detail : "", usage_text);
	return CMD_USAGE;
}

/* The process ends here: bound to the Maildir as it is, it could not do what libraries do at exit. */
_Noreturn static void
end(int status)
{
	if (fflush(stdout) == EOF && status == EXIT_SUCCESS) {
		(void)print_failure("standard output", strerror(errno));
		status = CMD_USAGE;
	}
	_exit(status);
}

int
cmd_maildir(int argc, char **argv)
{
	static const struct option long_options[] = {
	    {"repair", no_argument, NULL, 'r'}, {NULL, 0, NULL, 0}};
	bool repair = false, check;
	int c;

	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (c != 'r')
			return usage("an unknown option", argv[optind - 1]);
		repair = true;
	}
	if (optind == argc)
		return usage("check or index is wanted", NULL);
	check = strcmp(argv[optind], "check") == 0;
	if (!check && strcmp(argv[optind], "index") != 0)
		return usage("there is no such thing", argv[optind]);
	if (repair && !check)
		return usage("--repair is for check", NULL);
	if (argc - optind != 2)
		return usage("one PATH is wanted", NULL);
	if (owner_begin() == -1)
		end(CMD_USAGE);
	end(check ? maildir_check_run(argv[optind + 1], repair)
		  : maildir_index_run(argv[optind + 1]));
}
