/*
 * channel.h: the client's connection: lines in, octets out, with deadlines.  It hides whether an octet was
 * encrypted.  Both sides of a login use it: the worker over TLS, the reader over its stream to the worker.
 *
 * Memory is two fixed buffers, whatever the client sends or does not read, and a larger one while much is
 * sent.  Output is collected, and sent when the buffer is full or no input is left (pipelining).
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
	CHANNEL_LAST_WORDS = 2000,	/* ms for a last line to a client that may not read */
	CHANNEL_LOOK = 100,  /* ms between two looks, in long work, whether the client is there */
	CHANNEL_HALF = 1000, /* ms that a client waits for long work after it has closed its side */
	/* Octets collected in the clear while much is sent: each write wakes the other side up, which
	 * costs more than the octets. */
	CHANNEL_OUT_LARGE = 131072,
};

enum channel_end {
	CHANNEL_OPEN,	   /* it has not ended */
	CHANNEL_CLOSED,	   /* by the client */
	CHANNEL_TRUNCATED, /* by the network: no close_notify */
	CHANNEL_TIMEOUT,   /* the client sent nothing, or read nothing, for too long */
	CHANNEL_DEADLINE,  /* the time to log in is over */
	CHANNEL_STOPPED,   /* SIGTERM */
	CHANNEL_TOO_LONG,  /* a line */
	CHANNEL_FAILED,	   /* an error of TLS or of the network */
};

struct channel {
	int fd;			/* non-blocking; owned */
	struct tls_stream *tls; /* NULL: in the clear; owned */
	enum channel_end end;	/* once set, nothing more is read or written */
	int64_t deadline;	/* the moment that ends the channel, or CLOCK_NEVER */
	int64_t idle;		/* ms without progress that end it */
	int64_t looked;		/* when channel_gone looked last */
	int64_t
	    half_since; /* since when the client's side is closed and it took nothing, or CLOCK_NEVER */
	uint64_t octets_in, octets_out;
	uint64_t half_out;    /* octets_out at that time */
	size_t in_at, in_end; /* input in in[] that is not used yet */
	size_t out_len;
	size_t scanned; /* octets from in_at known to hold no newline */
	/* Called before collected octets are sent, to put on disk what they promise; or NULL. */
	void (*before_send)(void *ctx);
	void *ctx;
	char *large; /* CHANNEL_OUT_LARGE octets, used instead of out[]; or NULL; owned */
	char in[CHANNEL_IN];
	char out[CHANNEL_OUT];
};

/* The channel owns fd from now on.  deadline and idle: see struct channel. */
void channel_init(struct channel *channel, int fd, int64_t deadline, int64_t idle);
/* Sends close_notify and closes. */
void channel_clear(struct channel *channel);

/*
 * The next line without its CRLF or LF (a bare CR ends nothing), terminated by a NUL, in memory that the next
 * call overwrites.  Output is sent before a wait.  max: octets that a line may have.  The octets may include
 * NUL, so use *len_r.  Returns false if the channel has ended.
 */
bool channel_line(struct channel *channel, size_t max, char **line_r, size_t *len_r);

/*
 * Input that is not taken yet: one octet at least, after a wait for it (output is sent before).  It stays there
 * until channel_take says how much of it was used.  Returns false if the channel has ended.
 */
bool channel_input(struct channel *channel, char **at_r, size_t *len_r);
void channel_take(struct channel *channel, size_t len);

/* How a wait for the client, or for something else, ended. */
enum channel_event {
	CHANNEL_INPUT, /* the client has sent something, or has gone: channel_input tells */
	CHANNEL_OTHER, /* the other descriptor can be read */
	CHANNEL_QUIET, /* the time that was asked for is over */
	CHANNEL_OVER,  /* the channel has ended */
};

/*
 * Sends all that was collected, then waits for the client, for fd (-1: none) or for ms (-1: for ever).
 * idle_since: when the client last sent something; the channel's idle time runs from there.
 */
enum channel_event channel_wait_either(struct channel *channel, int fd, int ms, int64_t idle_since);

/*
 * Whether the client has gone (SIGTERM counts as well), and then the channel has ended.  For long work, which may
 * call it as often as it likes.  A client that has closed its side may still wait for its answer: it is gone
 * when it takes nothing for a second.
 */
bool channel_gone(struct channel *channel);

/*
 * Whether SIGTERM has come, and then the channel has ended.  For a wait that SIGTERM does not end.
 */
bool channel_stopped(struct channel *channel);

/* Whether input waits that was not taken yet, in memory or in the kernel. */
bool channel_input_waits(struct channel *channel);

/* Collects octets; sends when the buffer is full.  Errors show in channel->end. */
void channel_put(struct channel *channel, const void *octets, size_t len);
void channel_puts(struct channel *channel, const char *text);
void channel_number(struct channel *channel, uint64_t number);
void channel_printf(struct channel *channel, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Room in the output buffer, which is sent first if it is full: fill *at_r, then call channel_wrote. */
size_t channel_room(struct channel *channel, char **at_r);
void channel_wrote(struct channel *channel, size_t len);

/* Sends all that was collected.  Returns false if the channel has ended. */
bool channel_flush(struct channel *channel);

/* Sends a last line to a client of a session that we end; the channel has ended before. */
void channel_last_words(struct channel *channel, const char *line);

/*
 * Waits for poll(2) events on the client's descriptor.  SIGTERM, the deadline and idle time end the channel.
 * Returns false if it has ended.
 */
bool channel_wait(struct channel *channel, short events);

/* Set by SIGTERM, the only signal that a worker or reader handles.  See channel_on_sigterm. */
extern volatile sig_atomic_t channel_stop;

/* Installs the handler, blocks SIGTERM but for waits, and ignores SIGPIPE. */
void channel_on_sigterm(void);

/* Why a channel ended, for the log. */
const char *channel_end_text(enum channel_end end);

#endif
