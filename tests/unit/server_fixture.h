/*
 * server_fixture.h: shared by the tests of server/: a scratch directory, a count of open descriptors, and a
 * socketpair with a limit to every wait.
 */
#ifndef TESTS_UNIT_SERVER_FIXTURE_H
#define TESTS_UNIT_SERVER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#if defined(__SANITIZE_ADDRESS__)
#define FIXTURE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIXTURE_SANITIZED 1
#endif
#endif
#ifndef FIXTURE_SANITIZED
#define FIXTURE_SANITIZED 0
#endif

static char fixture_dir[64];

/* For a group's setup and teardown. */
static inline int
fixture_make_dir(void **state)
{
	(void)state;
	(void)snprintf(fixture_dir, sizeof(fixture_dir), "/tmp/sallyport-unit-XXXXXX");
	return mkdtemp(fixture_dir) == NULL ? -1 : 0;
}

static inline int
fixture_remove_dir(void **state)
{
	char command[128];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", fixture_dir);
	return system(command);
}

/* A path in the scratch directory; eight of them are valid at a time. */
static inline const char *
fixture_path(const char *name)
{
	static char paths[8][256];
	static unsigned next;
	char *path = paths[next++ % 8];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", fixture_dir, name);
	return path;
}

static inline void
fixture_write(const char *path, const void *octets, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, octets, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

/* How many descriptors this process has open; without /proc, which a chroot may not have. */
static inline unsigned
fixture_descriptors(void)
{
	enum { HIGHEST = 16384 };
	unsigned n = 0;
	int fd;

	for (fd = 0; fd < HIGHEST; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

static inline void
fixture_pair(int type, int pair_r[2])
{
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair_r), 0);
}

/* Waits for a child that must have ended well. */
static inline void
fixture_ended_well(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#endif
