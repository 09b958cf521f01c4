/*
 * arm.c: arms the layer in the program.  The environment names a file with the plan; it is mapped, so
 * all processes of the program share it with the test, which may change it at any time.
 * Runs as: root, before the program does anything.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fault/layer.h"

__attribute__((constructor)) static void
arm(void)
{
	const char *path = getenv("SALLYPORT_FAULT");
	struct fault_plan *plan;
	int fd;

	if (path == NULL)
		return;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		perror(path);
		_exit(2);
	}
	plan = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (plan == MAP_FAILED) {
		perror("mmap");
		_exit(2);
	}
	layer_follow(plan);
}
