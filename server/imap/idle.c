/*
 * idle.c: IDLE (RFC 2177).
 * Runs as: mail user.
 *
 * The session waits for its client and for inotify at once.  Where there is no inotify to be had, or
 * no mailbox is selected, it looks every few seconds, or only waits.
 */
#include <malloc.h>
#include <string.h>
#include <time.h>

#include "maildir/maildir.h"
#include "maildir/watch.h"
#include "server/imap/answer.h"
#include "server/imap/mailbox.h"
#include "server/imap/session.h"

enum {
	IDLE_LOOK = 3 * 1000, /* ms between looks where nothing tells of changes */
	/* ms in which a burst of changes is taken for one: a delivery is three events, a client
	 * that marks 1,000 messages is some thousand. */
	IDLE_SETTLE = 20,
	/* ms; also with inotify: on a network file system it tells of our own machine only. */
	IDLE_LOOK_ANYWAY = 60 * 1000,
	IDLE_DONE_MAX = 64, /* octets of the line that ends it */
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

/* Tells what happens until the client says something. */
static enum channel_event
watch(struct session *session, struct maildir_watch *watch)
{
	int fd = watch != NULL ? maildir_watch_fd(watch) : -1;
	int64_t since = clock_now();
	enum channel_event event;

	for (;;) {
		event = channel_wait_either(
		    session->channel, fd, look_in(session, watch != NULL), since);
		if (event == CHANNEL_INPUT || event == CHANNEL_OVER)
			return event;
		if (event == CHANNEL_OTHER) {
			pause_ms(IDLE_SETTLE);
			if (!maildir_watch_take(watch))
				continue;
		}
		mailbox_news(session, true);
		if (session->leaving != NULL)
			return CHANNEL_OVER;
	}
}

enum imap_result
run_idle(struct session *session, struct args *args)
{
	struct maildir_watch *events = NULL;
	enum channel_event event;
	char *line;
	size_t len;

	if (!args_end(args))
		return IMAP_BAD;
	/* First the watch, then the look: what changes between the two is seen by one of them. */
	if (session->box != NULL) {
		if (maildir_watch_open(session->box->folder, &events) == -1)
			events = NULL;
		mailbox_news(session, true);
	}
	imap_command_next(&session->command); /* its text is not needed any more */
	(void)malloc_trim(0);
	channel_puts(session->channel, "+ idling\r\n");
	event = session->leaving == NULL ? watch(session, events) : CHANNEL_OVER;
	maildir_watch_close(&events);
	if (session->leaving != NULL)
		return imap_leave(session);
	if (event == CHANNEL_OVER || !channel_line(session->channel, IDLE_DONE_MAX, &line, &len))
		return IMAP_GONE;
	if (len != 4 || strncasecmp(line, "DONE", 4) != 0)
		return imap_say(session, IMAP_BAD, "IDLE ends with DONE");
	return IMAP_OK;
}
