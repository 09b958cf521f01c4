/*
 * source.h: where a message's octets come from.  Only their owner knows whether that is a file.
 */
#ifndef MAILDIR_MESSAGE_SOURCE_H
#define MAILDIR_MESSAGE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Octets are on the wire: CRLF lines.  A source is at the first of them when it is handed over. */
struct source {
	void *ctx;
	/* The next octets, at most size: > 0, 0 at the end, -1 with errno. */
	ssize_t (*read)(void *ctx, void *buf, size_t size);
	/* Goes to that octet, forward or back; a message that ends before is read as ended. */
	int (*seek)(void *ctx, uint64_t at);
	/* Whether to give up, after so many octets more were looked at beside reading: then errno is set. */
	bool (*stopped)(void *ctx, size_t octets);
};

#endif
