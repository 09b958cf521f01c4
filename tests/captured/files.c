/*
 * files.c: a captured process reaches for files that are not its own.
 * Runs as: worker, mail user.
 */
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/captured/captured.h"

/* open PATH */
static void
open_file(struct channel *channel, char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	captured_say_result(channel, "open", fd);
	if (fd != -1)
		close(fd);
}
CAPTURED_ATTACK("open", open_file)

/* stat PATH: whether there is such a file, how large it is, and when it was read. */
static void
stat_file(struct channel *channel, char *path)
{
	struct stat st;

	captured_say_result(channel, "stat", stat(path, &st));
}
CAPTURED_ATTACK("stat", stat_file)

/* watch PATH: files that come and go there.  The watch lasts as long as the process. */
static void
watch(struct channel *channel, char *path)
{
	int fd = inotify_init1(IN_CLOEXEC);

	captured_say_result(channel, "inotify_add_watch",
	    fd == -1 ? -1 : inotify_add_watch(fd, path, IN_ALL_EVENTS));
}
CAPTURED_ATTACK("watch", watch)

/* touch PATH: the time of a file that others rely on. */
static void
touch(struct channel *channel, char *path)
{
	static const struct timespec times[2] = {{1, 0}, {1, 0}};

	captured_say_result(channel, "utimensat", utimensat(AT_FDCWD, path, times, 0));
}
CAPTURED_ATTACK("touch", touch)
