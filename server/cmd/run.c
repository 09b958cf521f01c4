/*
 * run.c: `sallyport run`: reads the configuration and serves.
 * Runs as: root, or the user of a demo.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "maildir/message/charset.h"
#include "server/cmd/check.h"
#include "server/cmd/run.h"
#include "server/conf.h"
#include "server/master/master.h"

/* Descriptors 0 to 2 are open, so that no socket becomes one of them. */
static int
fill_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd == -1)
		return -1;
	if (dup2(fd, 0) == -1)
		return -1;
	return close(fd);
}

int
cmd_run(int argc, char **argv)
{
	struct conf_complaints complaints;
	const char *path = CHECK_CONF_PATH;
	static char absolute[PATH_MAX]; /* for SIGHUP: the arguments become a title, / the folder */
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
		return 2;
	}
	conf = conf_load(path, &complaints);
	if (conf == NULL) {
		check_print(stderr, path, &complaints);
		return EXIT_FAILURE;
	}
	if (realpath(path, absolute) == NULL || fill_standard() == -1 || chdir("/") == -1) {
		perror("sallyport: run");
		return EXIT_FAILURE;
	}
	charset_load(); /* for the readers, which can load nothing */
	return master_run(absolute, conf, to_stderr);
}
