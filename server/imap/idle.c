/*
 * idle.c: IDLE (RFC 2177).
 * Runs as: mail user.
 *
 * The session waits for its client and for inotify at once.  Where there is no inotify to be had, or
 * no mailbox is selected, it looks every few seconds, or only waits.  Now and then it says that it is still
 * there (the setting imap_still_here), so that no network on the way forgets the connection.
 *
 * When nothing has happened for a while it learns ahead what clients will ask of messages, a little at a
 * time.  Who does so writes into the folder, which the other sessions there hear as something that
 * has happened: so one of them does it at a time.
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
	IDLE_LOOK = 3 * 1000, /* ms between looks where nothing tells of changes */
	/* ms in which a burst of changes is taken for one: a delivery is three events, a client
	 * that marks 1,000 messages is some thousand. */
	IDLE_SETTLE = 20,
	/* ms; once more after the last that happened: it may not have been over, as when a folder is deleted,
	 * of which nothing is told any more while we have it open. */
	IDLE_LOOK_AFTER = 1000,
	/* ms; also with inotify: on a network file system it tells of our own machine only. */
	IDLE_LOOK_ANYWAY = 60 * 1000,
	IDLE_DONE_MAX = 64, /* octets of the line that ends it */

	FILL_AFTER = 5 * 1000,	/* ms of quiet before learning ahead: clients look around first */
	FILL_SPREAD = 2 * 1000, /* ms; and some more, not the same for all sessions */
	FILL_WORK = 4,		/* ms of work at a time: nobody waits longer for an answer */
	FILL_REST =
	    200, /* ms between: a fiftieth of a processor, at 50 messages or more a second */
};

/* When what is due, or CLOCK_NEVER. */
struct plan {
	int64_t fill; /* the next step of learning ahead */
	int64_t look; /* after something has happened */
	int64_t say;  /* a word to the client */
};

static void
pause_ms(long ms)
{
	const struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};

	(void)nanosleep(&pause, NULL);
}

/* Milliseconds to the next look without being told of anything; -1: never. */
static int
look_in(const struct session *session, bool watched)
{
	int look = watched ? IDLE_LOOK_ANYWAY : IDLE_LOOK, again;

	if (session->box == NULL)
		return -1;
	again = maildir_look_again(session->box->folder);
	return again >= 0 && again < look ? again : look;
}

/* The moment in about ms: up to a part of it is random, so that sessions which began together do not act
 * together. */
static int64_t
spread(int64_t ms, int64_t part)
{
	uint32_t random = 0;

	(void)!getrandom(&random, sizeof(random), 0);
	return clock_in(ms - (int64_t)random % (part + 1));
}

/* Something has happened: there may be more to learn, but not now.  Who may change nothing learns nothing. */
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

/* A message at a time, for a moment, until the client speaks; then a large one is left, too. */
static void
fill_step(struct session *session, struct plan *plan)
{
	struct maildir_folder *folder = session->box->folder;
	int64_t until = clock_now() + FILL_WORK;
	ssize_t left;

	maildir_on_stop(session->maildir, client_speaks, session->channel);
	do {
		left = maildir_learn(folder, 1);
	} while (left > 0 && clock_now() < until && !channel_input_waits(session->channel));
	reader_stops_when_gone(session->reader);
	if (!maildir_remember(folder)) { /* others have it */
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

/* The next wait, in ms. */
static int
wait_ms(const struct session *session, bool watched, const struct plan *plan)
{
	int look = look_in(session, watched);
	int64_t next = clock_earlier(clock_earlier(plan->fill, plan->look), plan->say);
	int left = clock_left(next);

	return left >= 0 && (look < 0 || left < look) ? left : look;
}

/* Tells what happens until the client says something. */
static enum channel_event
watch(struct session *session, struct maildir_watch *watch)
{
	int fd = watch != NULL ? maildir_watch_fd(watch) : -1;
	int64_t since = clock_now();
	enum channel_event event;
	struct plan plan = {.look = CLOCK_NEVER};

	say_later(session, &plan);
	fill_later(session, &plan);
	for (;;) {
		event = channel_wait_either(
		    session->channel, fd, wait_ms(session, watch != NULL, &plan), since);
		if (event == CHANNEL_INPUT || event == CHANNEL_OVER)
			return event;
		if (clock_left(plan.say) == 0) {
			channel_puts(session->channel, "* OK Still here\r\n");
			say_later(session, &plan);
		}
		if (event == CHANNEL_OTHER) {
			pause_ms(IDLE_SETTLE);
			fill_later(session, &plan);
			if (!maildir_watch_take(watch))
				continue;
			plan.look = clock_in(IDLE_LOOK_AFTER);
		} else if (clock_left(plan.look) == 0) {
			plan.look = CLOCK_NEVER;
		} else if (clock_left(plan.fill) == 0) {
			fill_step(session, &plan);
			/* Our own writes are no event; what else there was, the look below sees. */
			if (watch != NULL)
				(void)maildir_watch_take(watch);
		}
		if (session->box != NULL)
			mailbox_news(session, true);
		if (session->leaving != NULL)
			return CHANNEL_OVER;
	}
}

/* Tells what happens until the client sends a line that is not empty; clients send empty lines.  false: the
 * session is over. */
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
	/* First the watch, then the look: what changes between the two is seen by one of them. */
	if (session->box != NULL) {
		watched = maildir_watch_open(session->box->folder, &session->watch) == 0;
		mailbox_news(session, true);
	}
	channel_puts(session->channel, "+ idling\r\n");
	channel_flush(session->channel);
	imap_input_next(&session->input); /* its text is not needed any more */
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
