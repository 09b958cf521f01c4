/*
 * idle.c: IDLE (RFC 2177).
 * Runs as: mail user.
 *
 * The session waits for its client and for inotify at once.  Without inotify it looks every few seconds, and
 * without a selected mailbox it only waits.  Now and then it says that it is still there (the setting
 * imap_still_here), so that no network on the way forgets the connection.
 *
 * After a while without changes the session learns ahead what clients will ask of messages, a little at a time.
 * This writes into the folder, which wakes the other sessions there up; so only one session learns at a time.
 */
#include <malloc.h>
#include <sys/random.h>
#include <time.h>

#include "maildir/folder/watch.h"
#include "maildir/maildir.h"
#include "server/conf.h"
#include "server/imap/answer.h"
#include "server/imap/mailbox.h"
#include "server/imap/session.h"
#include "server/reader/reader.h"

enum {
	IDLE_LOOK = 3 * 1000, /* ms between looks without inotify */
	/* ms to wait after the first event of a burst: a delivery is three events, a client that
	 * marks 1,000 messages is some thousand. */
	IDLE_SETTLE = 20,
	/* ms from an event to one more look: the change may not have been over.  Inotify does not tell the end of
	 * a folder's deletion while we have it open. */
	IDLE_LOOK_AFTER = 1000,
	/* ms between looks with inotify: on a network file system it tells only of changes by our own machine. */
	IDLE_LOOK_ANYWAY = 60 * 1000,
	IDLE_DONE_MAX = 64, /* octets of the line that ends IDLE */

	FILL_AFTER = 5 * 1000, /* ms of quiet before learning ahead: clients look around first */
	FILL_SPREAD =
	    2 * 1000,	 /* ms more at most, at random, so that sessions do not begin together */
	FILL_WORK = 4,	 /* ms of work at a time: no client waits longer for an answer */
	FILL_REST = 200, /* ms of rest between: work takes a fiftieth of a processor */
};

/* When each step is due; or CLOCK_NEVER.  These are moments, so that events without a change put no step off. */
struct plan {
	int64_t fill;  /* the next step of learning ahead */
	int64_t look;  /* one more look after an event */
	int64_t again; /* a look that needs no event */
	int64_t say;   /* "Still here" */
};

/* The time ms from now, or up to part ms less at random, so that sessions that began together do not act together. */
static int64_t
spread(int64_t ms, int64_t part)
{
	uint32_t random = 0;

	(void)!getrandom(&random, sizeof(random), 0);
	return clock_in(ms - (int64_t)random % (part + 1));
}

/* After an event: there may be more to learn, but not now.  A read-only session does not learn. */
static void
fill_later(const struct session *session, struct plan *plan)
{
	plan->fill = CLOCK_NEVER;
	if (session->box != NULL && !session->box->read_only)
		plan->fill = spread(FILL_AFTER + FILL_SPREAD, FILL_SPREAD);
}

static bool
client_speaks(void *ctx)
{
	return channel_input_waits(ctx);
}

/* Learns for a moment, a message at a time.  Stops when the client speaks, also in the middle of a message. */
static void
fill_step(struct session *session, struct plan *plan)
{
	struct maildir_folder *folder = session->box->folder;
	int64_t until = clock_now() + FILL_WORK;
	ssize_t left;

	maildir_on_stop(session->maildir, client_speaks, session->channel);
	do {
		left = maildir_read_ahead(folder, 1);
	} while (left > 0 && clock_now() < until && !channel_input_waits(session->channel));
	reader_stops_when_gone(session->reader);
	if (!maildir_save_findings(folder)) { /* another session has the folder's lock */
		fill_later(session, plan);
		return;
	}
	plan->fill = left > 0 ? clock_in(FILL_REST) : CLOCK_NEVER;
	if (left <= 0)
		(void)malloc_trim(0);
}

static void
say_later(const struct session *session, struct plan *plan)
{
	plan->say = spread(session->conf->imap_still_here, session->conf->imap_still_here / 10);
}

/* After a look: plans the next one, should no event come before. */
static void
look_later(const struct session *session, bool watched, struct plan *plan)
{
	int most = watched ? IDLE_LOOK_ANYWAY : IDLE_LOOK, again;

	plan->again = CLOCK_NEVER;
	if (session->box == NULL)
		return;
	again = maildir_look_again(session->box->folder);
	plan->again = clock_in(again >= 0 && again < most ? again : most);
}

/* Tells the client what changes, until it says something. */
static enum channel_event
watch(struct session *session, struct maildir_watch *watch)
{
	static const struct timespec settle = {.tv_nsec = IDLE_SETTLE * 1000000L};
	int fd = watch != NULL ? maildir_watch_fd(watch) : -1;
	int64_t since = clock_now();
	enum channel_event event;
	struct plan plan = {.look = CLOCK_NEVER};

	say_later(session, &plan);
	fill_later(session, &plan);
	look_later(session, watch != NULL, &plan);
	for (;;) {
		int64_t look = clock_earlier(plan.look, plan.again);
		int64_t due = clock_earlier(look, clock_earlier(plan.fill, plan.say));

		event = channel_wait_either(session->channel, fd, clock_left(due), since);
		if (event == CHANNEL_INPUT || event == CHANNEL_OVER)
			return event;
		if (clock_left(plan.say) == 0) {
			channel_puts(session->channel, "* OK Still here\r\n");
			say_later(session, &plan);
		}
		if (event == CHANNEL_OTHER) {
			(void)nanosleep(&settle, NULL);
			fill_later(session, &plan);
		} else if (clock_left(look) != 0 && clock_left(plan.fill) == 0) {
			fill_step(session, &plan);
		}
		if (clock_left(plan.look) == 0)
			plan.look = CLOCK_NEVER;
		/* The look below sees what these events tell; those of our own writes tell nothing. */
		if (watch != NULL && maildir_watch_take(watch))
			plan.look = clock_in(IDLE_LOOK_AFTER);
		else if (event == CHANNEL_OTHER && clock_left(look) != 0)
			continue;
		if (session->box != NULL)
			mailbox_news(session, true);
		if (session->leaving != NULL)
			return CHANNEL_OVER;
		look_later(session, watch != NULL, &plan);
	}
}

/* Tells changes until the client sends a line that is not empty, as clients send empty lines, too.  false: the session
 * is over. */
static bool
next_line(struct session *session, struct maildir_watch *events, struct args *line_r)
{
	size_t len;

	do {
		if (session->leaving != NULL || watch(session, events) == CHANNEL_OVER ||
		    !channel_line(session->channel, IDLE_DONE_MAX, &line_r->at, &len))
			return false;
		line_r->end = line_r->at + len;
	} while (args_end(line_r));
	return true;
}

enum command_result
run_idle(struct session *session, struct args *args)
{
	struct args line = {.utf8 = false};
	bool watched = false, said;
	struct word word;

	(void)args;
	/* Begin to watch before the look, so that no change between the two is missed. */
	if (session->box != NULL) {
		watched = maildir_watch_open(session->box->folder, &session->watch) == 0;
		mailbox_news(session, true);
	}
	channel_puts(session->channel, "+ idling\r\n");
	channel_flush(session->channel);
	imap_input_next(&session->input); /* frees the command's text */
	(void)malloc_trim(0);
	said = next_line(session, watched ? session->watch : NULL, &line);
	if (watched)
		maildir_watch_pause(session->watch);
	if (session->leaving != NULL)
		return imap_leave(session);
	if (!said)
		return COMMAND_ANSWERED;
	if (!args_atom(&line, NULL, &word) || !word_is(word, "DONE") || !args_end(&line))
		return imap_say(session, COMMAND_BAD, "IDLE ends with DONE");
	return COMMAND_OK;
}
