/*
 * run.c: `sallyport run`: reads the configuration and serves.
 * Runs as: root, or the user of a demo.
 */
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/cmd/cmd.h"
#include "server/conf.h"
#include "server/master/master.h"
#include "server/process.h"

int
cmd_run(int argc, char **argv)
{
	struct conf_complaints complaints;
	const char *path = CMD_CONF_PATH;
	static char absolute[PATH_MAX]; /* for SIGHUP: by then / is the working directory */
	struct conf *conf;
	bool to_stderr = false;
	int c;

	while ((c = getopt(argc, argv, "c:e")) == 'c' || c == 'e') {
		if (c == 'c')
			path = optarg;
		else
			to_stderr = true;
	}
	if (c != -1 || optind != argc) {
		fprintf(stderr, "usage: sallyport run [-c FILE] [-e]\n");
		return CMD_USAGE;
	}
	conf = conf_load(path, &complaints);
	if (conf == NULL) {
		check_print(stderr, path, &complaints);
		return EXIT_FAILURE;
	}
	if (realpath(path, absolute) == NULL || process_fill_standard() == -1 || chdir("/") == -1) {
		perror("sallyport: run");
		return EXIT_FAILURE;
	}
	return master_run(absolute, conf, to_stderr);
}
