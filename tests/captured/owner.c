/*
 * owner.c: the hole in `sallyport maildir`: the environment names an attack, which runs after the Maildir was opened.
 * Runs as: the owner of the Maildir, confined.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/captured/captured.h"

struct maildir;

void __real_courier_import(struct maildir *md);
void __wrap_courier_import(struct maildir *md);

void
__wrap_courier_import(struct maildir *md)
{
	const char *attack = getenv("SALLYPORT_CAPTURED_OWNER");
	char text[64] = "";
	struct iovec room = {text, sizeof(text) - 1};
	ssize_t n = -1;

	__real_courier_import(md);
	if (attack == NULL)
		return;
	if (strcmp(attack, "read") == 0)
		n = read(STDOUT_FILENO, text, sizeof(text) - 1);
	else if (strcmp(attack, "readv") == 0)
		n = readv(STDERR_FILENO, &room, 1);
	else if (strcmp(attack, "recv") == 0)
		n = recv(STDOUT_FILENO, text, sizeof(text) - 1, 0);
	else if (strcmp(attack, "dup") == 0)
		n = read(dup(STDERR_FILENO), text, sizeof(text) - 1);
	else if (strcmp(attack, "recvmsg") == 0)
		n = recvmsg(STDIN_FILENO, &(struct msghdr){.msg_iov = &room, .msg_iovlen = 1}, 0);
	else if (strcmp(attack, "socket") == 0)
		n = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	else
		n = open(attack, O_RDONLY | O_CLOEXEC); /* a path outside */
	printf("%s: %s %s\n", attack, n == -1 ? strerrorname_np(errno) : "done", text);
	(void)fflush(stdout);
	_exit(n == -1 ? EXIT_FAILURE : EXIT_SUCCESS);
}
