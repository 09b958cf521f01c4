/*
 * sallyport.c: the subcommands.
 * Runs as: the user who types them; `run` as root, see master.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cmd/cmd.h"
#include "server/process.h"
#include "tls/tls.h"

static int cmd_help(int argc, char **argv);

static int
cmd_version(int argc, char **argv)
{
	if (argc > 1)
		return cmd_help(argc, argv);
	printf("sallyport %s, %s\n", SALLYPORT_VERSION, tls_library_version());
	return EXIT_SUCCESS;
}

static const struct command {
	const char *name, *arguments, *what;
	int (*run)(int argc, char **argv);
} commands[] = {
    {"run", "[-c FILE] [-e]", "serve, in the foreground; -e: log to stderr", cmd_run},
    {"check", "[-c FILE]", "print what is wrong with the configuration", cmd_check},
    {"passwd", "[-u UID] [-g GID] [-h HOME] NAME", "print a line for the users file", cmd_passwd},
    {"cert", "ca | server NAME... | request NAME... | show FILE", "make and show certificates",
	cmd_cert},
    {"maildir", "check PATH [--repair] | index PATH",
	"explain a Maildir and mend it, build its index ahead", cmd_maildir},
    {"version", "", "print the version", cmd_version},
    {"help", "", "print this", cmd_help},
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void
usage(FILE *to)
{
	size_t i;

	fprintf(to, "usage:\n");
	for (i = 0; i < COMMANDS; i++)
		fprintf(to, "  sallyport %s %s\n      %s\n", commands[i].name,
		    commands[i].arguments, commands[i].what);
	fprintf(to, "See sallyport(8), sallyport.conf(5), sallyport-users(5).\n");
}

static int
cmd_help(int argc, char **argv)
{
	(void)argv;
	usage(argc > 1 ? stderr : stdout);
	return argc > 1 ? CMD_USAGE : EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	size_t i;

	process_init(argc, argv);
	if (argc > 1 && strcmp(argv[1], "--role") == 0)
		return cmd_role(argc - 1, argv + 1);
	for (i = 0; argc > 1 && i < COMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (argc > 1)
		fprintf(stderr, "sallyport: there is no command \"%s\"\n", argv[1]);
	usage(stderr);
	return CMD_USAGE;
}
