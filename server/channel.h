/*
 * channel.h: the way to the client: lines in, octets out, with deadlines.  It hides whether an octet
 * was encrypted, and is used on both sides of a login: in the worker over TLS, in the reader over
 * the stream to the worker.
 *
 * Memory is two fixed buffers whatever the client sends or does not read, and a larger one while much is
 * sent.  Output is collected and goes out when the buffer is full or when there is nothing left to read
 * (pipelining).
 */
#ifndef SERVER_CHANNEL_H
#define SERVER_CHANNEL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/clock.h"

struct tls_stream;

enum {
	CHANNEL_IN = 4096,     /* octets: the longest line, and a good deal of pipelined commands */
	CHANNEL_LINGER = 1000, /* ms in which unread input is dropped at the end */
	CHANNEL_LINGER_OCTETS = 262144, /* and how much of it */
	CHANNEL_OUT = 16384,		/* octets: one TLS record at its largest */
	CHANNEL_LOOK = 100,  /* ms between looks whether the client of long work is there */
	CHANNEL_HALF = 1000, /* ms that a client waits for long work after it has closed its side */
	/* Octets collected once more than that was sent without a pause, in the clear: each write wakes
	 * the other side up, which costs more than the octets. */
	CHANNEL_OUT_LARGE = 131072,
};

enum channel_end {
	CHANNEL_OPEN,	   /* it has not ended */
	CHANNEL_CLOSED,	   /* by the client */
	CHANNEL_TRUNCATED, /* by the network: no close_notify */
	CHANNEL_TIMEOUT,   /* nothing came for too long, or was read for too long */
	CHANNEL_DEADLINE,  /* the time to log in is over */
	CHANNEL_STOPPED,   /* SIGTERM */
	CHANNEL_TOO_LONG,  /* a line without end */
	CHANNEL_FAILED,	   /* an error of TLS or of the network */
};

struct channel {
	int fd;			/* non-blocking; owned */
	struct tls_stream *tls; /* NULL: in the clear; owned */
	enum channel_end end;	/* once set nothing more is read or written */
	int64_t deadline;	/* see clock.h; for all that comes */
	int64_t idle;		/* ms without progress */
	int64_t looked;		/* when channel_gone has looked last */
	int64_t half_since;	/* the client's side is closed, and it took nothing; CLOCK_NEVER */
	uint64_t octets_in, octets_out;
	uint64_t half_out;    /* octets_out at that time */
	size_t in_at, in_end; /* what of in[] is not used yet */
	size_t out_len;
	size_t scanned; /* octets from in_at known to hold no newline */
	/* Called before collected octets are sent, to make true what they say; or NULL. */
	void (*before_send)(void *ctx);
	void *ctx;
	char *large; /* CHANNEL_OUT_LARGE octets that are used instead of out[], or NULL; owned */
	char in[CHANNEL_IN];
	char out[CHANNEL_OUT];
};

/* Takes fd over.  idle in ms. */
void channel_init(struct channel *channel, int fd, int64_t deadline, int64_t idle);
/* Closes properly: close_notify, close. */
void channel_clear(struct channel *channel);

/*
 * The next line without its CRLF or LF (a bare CR ends nothing), terminated, in memory that the next
 * call overwrites.  Output is sent before waiting.  max: octets a line may have.  The octets may
 * include NUL: len tells.  false: channel->end says why.
 */
bool channel_line(struct channel *channel, size_t max, char **line_r, size_t *len_r);

/*
 * What came in and is not taken yet: at least one octet, waiting for it (output is sent before).  It
 * stays there until channel_take says how much of it is used up.  false: channel->end.
 */
bool channel_input(struct channel *channel, char **at_r, size_t *len_r);
void channel_take(struct channel *channel, size_t len);

/* What a wait for the client or for something else ended with. */
enum channel_event {
	CHANNEL_INPUT, /* the client has said something, or has gone: channel_input tells */
	CHANNEL_OTHER, /* the other descriptor can be read */
	CHANNEL_QUIET, /* neither, for as long as was asked */
	CHANNEL_OVER,  /* channel->end */
};

/*
 * Sends all that was collected and waits for the client, for fd (-1: none) or for ms (-1: for ever).
 * idle_since is when the client last said something: the channel's idle time runs from there.
 */
enum channel_event channel_wait_either(struct channel *channel, int fd, int ms, int64_t idle_since);

/*
 * For long work, as often as one likes: whether nobody is there any more to hear the answer; then the
 * channel has ended.  SIGTERM counts as well.  A client that has closed its side only may be there still: it is given a
 * second in which it takes nothing.
 */
bool channel_gone(struct channel *channel);

/* Whether octets came in that were not asked for yet: in memory or on their way in the kernel. */
bool channel_input_waits(struct channel *channel);

/* Collects octets; sends when the buffer is full.  Errors show in channel->end. */
void channel_put(struct channel *channel, const void *octets, size_t len);
void channel_puts(struct channel *channel, const char *text);
void channel_number(struct channel *channel, uint64_t number);
void channel_printf(struct channel *channel, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Room in the output buffer, sent empty first when there is none: fill *at_r, then channel_wrote. */
size_t channel_room(struct channel *channel, char **at_r);
void channel_wrote(struct channel *channel, size_t len);

/* Sends all that was collected.  false: channel->end. */
bool channel_flush(struct channel *channel);

/*
 * Waits for poll(2) events on the client's descriptor; SIGTERM, the deadline and idleness end the
 * channel.  false: it has ended.
 */
bool channel_wait(struct channel *channel, short events);

/* SIGTERM sets this; the only signal that a worker or reader handles.  See channel_on_sigterm. */
extern volatile sig_atomic_t channel_stop;

/* Installs the handler with SIGTERM blocked but while waiting, and ignores SIGPIPE. */
void channel_on_sigterm(void);

/* Why a channel ended, for the log. */
const char *channel_end_text(enum channel_end end);

#endif
