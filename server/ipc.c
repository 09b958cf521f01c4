/*
 * ipc.c: typed messages between processes.  The receiving side trusts nothing.
 * Runs as: every process.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/ipc.h"

enum { RECORD_HEADER = 2 }; /* octets: how many of a record are the message */

void
ipc_begin(struct ipc_message *message, enum ipc_type type)
{
	message->len = message->at = 0;
	message->bad = false;
	ipc_put_u8(message, (uint8_t)type);
}

static void
put(struct ipc_message *message, const void *octets, size_t len)
{
	if (message->bad || len > sizeof(message->data) - message->len) {
		message->bad = true;
		return;
	}
	if (len > 0)
		memcpy(message->data + message->len, octets, len);
	message->len += len;
}

/* The highest octet first. */
static void
put_number(struct ipc_message *message, uint32_t value, unsigned octets)
{
	unsigned char octet;

	while (octets-- > 0) {
		octet = (unsigned char)(value >> (8 * octets));
		put(message, &octet, 1);
	}
}

void
ipc_put_u8(struct ipc_message *message, uint8_t value)
{
	put_number(message, value, 1);
}

void
ipc_put_u16(struct ipc_message *message, uint16_t value)
{
	put_number(message, value, 2);
}

void
ipc_put_u32(struct ipc_message *message, uint32_t value)
{
	put_number(message, value, 4);
}

void
ipc_put_bytes(struct ipc_message *message, const void *bytes, size_t len)
{
	if (len > IPC_MAX) {
		message->bad = true;
		return;
	}
	ipc_put_u16(message, (uint16_t)len);
	put(message, bytes, len);
}

void
ipc_put_string(struct ipc_message *message, const char *string)
{
	ipc_put_bytes(message, string, strlen(string));
}

unsigned
ipc_open(struct ipc_message *message)
{
	message->at = 0;
	message->bad = false;
	return ipc_get_u8(message);
}

static uint32_t
get_number(struct ipc_message *message, size_t octets)
{
	uint32_t value = 0;

	if (message->bad || octets > message->len - message->at) {
		message->bad = true;
		return 0;
	}
	while (octets-- > 0)
		value = value << 8 | message->data[message->at++];
	return value;
}

uint8_t
ipc_get_u8(struct ipc_message *message)
{
	return (uint8_t)get_number(message, 1);
}

uint16_t
ipc_get_u16(struct ipc_message *message)
{
	return (uint16_t)get_number(message, 2);
}

uint32_t
ipc_get_u32(struct ipc_message *message)
{
	return get_number(message, 4);
}

size_t
ipc_get_bytes(struct ipc_message *message, void *out_r, size_t size)
{
	size_t len = ipc_get_u16(message);

	if (message->bad || len > message->len - message->at || len > size) {
		message->bad = true;
		return 0;
	}
	memcpy(out_r, message->data + message->at, len);
	message->at += len;
	return len;
}

void
ipc_get_string(struct ipc_message *message, char *out_r, size_t size)
{
	size_t len = ipc_get_bytes(message, out_r, size - 1);

	out_r[len] = '\0';
	if (memchr(out_r, '\0', len) != NULL)
		message->bad = true;
	if (message->bad)
		out_r[0] = '\0';
}

bool
ipc_done(const struct ipc_message *message)
{
	return !message->bad && message->at == message->len;
}

void
ipc_wipe(struct ipc_message *message)
{
	explicit_bzero(message, sizeof(*message));
}

/* --- descriptors and waiting --- */

union fd_space {
	struct cmsghdr header; /* for its alignment */
	char space[CMSG_SPACE(IPC_FDS_MAX * sizeof(int))];
};

static void
attach(struct msghdr *header, union fd_space *control, const int fds[], size_t n)
{
	struct cmsghdr *c;

	memset(control, 0, sizeof(*control));
	header->msg_control = control->space;
	header->msg_controllen = CMSG_SPACE(n * sizeof(int));
	c = CMSG_FIRSTHDR(header);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
}

/* Takes up to n descriptors, each in place of one that came before, which is closed. */
static void
detach(struct msghdr *header, int fds_r[], size_t n)
{
	struct cmsghdr *c;
	size_t got;
	int fd;

	/* There is room for n descriptors only (see receive_with_descriptors): the kernel closes all others. */
	for (c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		got = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < got; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (i >= n || fds_r[i] != -1)
				close(i < n ? fds_r[i] : fd);
			if (i < n)
				fds_r[i] = fd;
		}
	}
}

static ssize_t
send_octets(
    int fd, const unsigned char *octets, size_t len, const int fds[], size_t n_fds, int flags)
{
	union fd_space control;
	struct iovec iov = {(void *)(uintptr_t)octets, len};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	/* Most processes may not pass descriptors, so sendmsg(2) is forbidden to them: see confine.c. */
	if (n_fds > 0)
		attach(&header, &control, fds, n_fds);
	do
		n = n_fds > 0 ? sendmsg(fd, &header, flags | MSG_NOSIGNAL)
			      : send(fd, octets, len, flags | MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	return n;
}

/* Waits until fd can be read, or until that moment.  -1: errno, ETIMEDOUT. */
static int
wait_until(int fd, int64_t until)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	int n = poll(&wait, 1, clock_left(until));

	if (n == 0)
		errno = ETIMEDOUT;
	return n > 0 ? 0 : -1;
}

static ssize_t
receive_with_descriptors(int fd, unsigned char *out, size_t size, int fds_r[], size_t n_fds)
{
	union fd_space control = {.space = ""};
	struct iovec iov = {out, size};
	struct msghdr header = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.space,
	    /* Not CMSG_SPACE: its padding may have room for one more descriptor, which would stay open. */
	    .msg_controllen = CMSG_LEN(n_fds * sizeof(int))};
	ssize_t n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n == -1)
		return -1;
	detach(&header, fds_r, n_fds);
	return (header.msg_flags & MSG_TRUNC) != 0 ? (ssize_t)size + 1 : n;
}

/*
 * Waits for octets until that moment, and receives once.  Without room for descriptors it needs no recvmsg(2), which most
 * processes may not call, and the kernel drops those that come along.  -1: errno; ETIMEDOUT, EPIPE at the end,
 * EMSGSIZE.
 */
static ssize_t
recv_octets(int fd, unsigned char *out, size_t size, int64_t until, int fds_r[], size_t n_fds)
{
	ssize_t n;

	/* MSG_TRUNC gives the length of a whole packet.  A stream ignores it. */
	do {
		n = wait_until(fd, until);
		if (n == 0)
			n = n_fds > 0 ? receive_with_descriptors(fd, out, size, fds_r, n_fds)
				      : recv(fd, out, size, MSG_TRUNC | MSG_DONTWAIT);
	} while (n == -1 && (errno == EINTR || errno == EAGAIN));
	if (n == 0)
		errno = EPIPE;
	else if (n > (ssize_t)size)
		errno = EMSGSIZE;
	return n == 0 || n > (ssize_t)size ? -1 : n;
}

/* Ends a receive: len octets (-1: it failed) are in the message. */
static int
received(struct ipc_message *message, ssize_t len, int fds_r[], size_t n_fds)
{
	message->len = len == -1 ? 0 : (size_t)len;
	message->at = 0;
	message->bad = len == -1;
	for (size_t i = 0; len == -1 && i < n_fds; i++) {
		if (fds_r[i] != -1)
			close(fds_r[i]);
		fds_r[i] = -1;
	}
	return len == -1 ? -1 : 0;
}

static int
send_packet(int fd, const struct ipc_message *message, const int fds[], size_t n, int flags)
{
	if (message->bad) {
		errno = EMSGSIZE;
		return -1;
	}
	return send_octets(fd, message->data, message->len, fds, n, flags) == -1 ? -1 : 0;
}

int
ipc_send(int fd, const struct ipc_message *message, int fd_pass)
{
	return send_packet(fd, message, &fd_pass, fd_pass != -1, 0);
}

int
ipc_post(int fd, const struct ipc_message *message, const int fds[], size_t n)
{
	return send_packet(fd, message, fds, n, MSG_DONTWAIT);
}

int
ipc_recv_fds(int fd, struct ipc_message *message_r, int timeout_ms, int fds_r[], size_t n)
{
	ssize_t len;

	for (size_t i = 0; i < n; i++)
		fds_r[i] = -1;
	len = recv_octets(
	    fd, message_r->data, sizeof(message_r->data), clock_in(timeout_ms), fds_r, n);
	return received(message_r, len, fds_r, n);
}

int
ipc_recv(int fd, struct ipc_message *message_r, int timeout_ms, int *fd_r)
{
	return ipc_recv_fds(fd, message_r, timeout_ms, fd_r, fd_r != NULL);
}

int
ipc_send_record(int fd, const struct ipc_message *message, int fd_pass)
{
	unsigned char record[IPC_RECORD] = {0};
	size_t sent = 0;
	ssize_t n = 0;

	if (message->bad || message->len > sizeof(record) - RECORD_HEADER) {
		errno = EMSGSIZE;
		return -1;
	}
	record[0] = (unsigned char)(message->len >> 8);
	record[1] = (unsigned char)message->len;
	memcpy(record + RECORD_HEADER, message->data, message->len);
	while (sent < sizeof(record) && n != -1) {
		n = send_octets(fd, record + sent, sizeof(record) - sent, &fd_pass,
		    sent == 0 && fd_pass != -1, 0);
		sent += n > 0 ? (size_t)n : 0;
	}
	explicit_bzero(record, sizeof(record));
	return n == -1 ? -1 : 0;
}

int
ipc_recv_record(int fd, struct ipc_message *message_r, int timeout_ms, int *fd_r)
{
	unsigned char record[IPC_RECORD] = {0};
	int64_t until = clock_in(timeout_ms);
	size_t have = 0;
	ssize_t n = 0, len = -1;

	if (fd_r != NULL)
		*fd_r = -1;
	memset(message_r, 0, sizeof(*message_r));
	while (have < sizeof(record) && n != -1) {
		n = recv_octets(
		    fd, record + have, sizeof(record) - have, until, fd_r, fd_r != NULL);
		have += n > 0 ? (size_t)n : 0;
	}
	if (n != -1) {
		len = record[0] << 8 | record[1];
		if ((size_t)len <= sizeof(record) - RECORD_HEADER) {
			memcpy(message_r->data, record + RECORD_HEADER, (size_t)len);
		} else {
			errno = EMSGSIZE;
			len = -1;
		}
	}
	explicit_bzero(record, sizeof(record));
	return received(message_r, len, fd_r, fd_r != NULL);
}
