/*
 * listen.c: master's listening sockets.
 * Runs as: root (master).
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/log.h"
#include "server/master/listen.h"

enum {
	/* Connections that the kernel keeps while master pauses; its own limit may be lower. */
	BACKLOG = 1024,
	/* Seconds of silence before the kernel asks whether the client is still there.  Networks for phones forget
	 * a connection after five minutes, some after less; the kernel's own default is two hours. */
	KEEPALIVE_AFTER = 120,
};

/* Accepted sockets inherit these options.  Without NODELAY a handshake waits for late ACKs. */
static int
set_options(int fd)
{
	int yes = 1, after = KEEPALIVE_AFTER;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes)) == -1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &after, sizeof(after)) == -1)
		return -1;
	return 0;
}

static int
open_listener(const struct conf_listener *l)
{
	int fd, yes = 1;

	fd = socket(l->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	if (set_options(fd) == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == -1 ||
	    (l->address.ss_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes)) == -1) ||
	    bind(fd, (const struct sockaddr *)&l->address, l->address_len) == -1 ||
	    listen(fd, BACKLOG) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Takes the open socket for l out of old, or opens a new one. */
static int
obtain(struct listeners *old, const struct conf_listener *l)
{
	size_t i;
	int fd;

	for (i = 0; i < old->len; i++)
		if (old->list[i].fd != -1 && old->list[i].what.address_len == l->address_len &&
		    memcmp(&old->list[i].what.address, &l->address, l->address_len) == 0) {
			fd = old->list[i].fd;
			old->list[i].fd = -1;
			return fd;
		}
	return open_listener(l);
}

void
listeners_inherit(struct listeners *listeners)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	long n = 0;

	/* The manager counts them from descriptor 3 on, for the process with that number, and so not for its children. */
	if (pid != NULL && fds != NULL && strtol(pid, NULL, 10) == (long)getpid())
		n = strtol(fds, NULL, 10);
	for (int fd = 3; fd - 3 < n && listeners->len < CONF_LISTENERS_MAX; fd++) {
		struct conf_listener what = {.text = ""};
		socklen_t len = sizeof(what.address);

		if (getsockname(fd, (struct sockaddr *)&what.address, &len) == -1 ||
		    fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 || fcntl(fd, F_SETFL, O_NONBLOCK) == -1 ||
		    set_options(fd) == -1) {
			log_event(LOG_ERROR, "master", "cannot-listen", "what",
			    "a socket of the service manager", "error", strerror(errno));
			continue;
		}
		what.address_len = len;
		listeners->list[listeners->len].what = what;
		listeners->list[listeners->len++].fd = fd;
	}
}

size_t
listeners_set(struct listeners *listeners, const struct conf *conf)
{
	struct listeners old = *listeners;
	size_t i, failed = 0;
	int fd;

	listeners->len = 0;
	for (i = 0; i < conf->listeners_len; i++) {
		fd = obtain(&old, &conf->listeners[i]);
		/* A machine without IPv6 is no error when "*" was written. */
		if (fd == -1 && errno == EAFNOSUPPORT &&
		    conf->listeners[i].address.ss_family == AF_INET6)
			continue;
		if (fd == -1) {
			log_event(LOG_ERROR, "master", "cannot-listen", "address",
			    conf->listeners[i].text, "error", strerror(errno));
			failed++;
			continue;
		}
		listeners->list[listeners->len].what = conf->listeners[i];
		listeners->list[listeners->len++].fd = fd;
	}
	listeners_close(&old);
	return failed;
}

void
listeners_close(struct listeners *listeners)
{
	size_t i;

	for (i = 0; i < listeners->len; i++)
		if (listeners->list[i].fd != -1)
			close(listeners->list[i].fd);
	listeners->len = 0;
}
