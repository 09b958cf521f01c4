/*
 * search.c: SEARCH and UID SEARCH.
 * Runs as: mail user.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "maildir/maildir.h"
#include "maildir/message/charset.h"
#include "maildir/message/search.h"
#include "server/imap/answer.h"
#include "server/imap/mailbox.h"
#include "server/imap/picked.h"
#include "server/imap/resync.h"
#include "server/imap/search.h"
#include "server/imap/session.h"

enum {
	DAY = 24 * 60 * 60,
	STOP_EVERY = 16,       /* messages between two looks whether the client is there */
	TELL_PIECE = 8 * 1024, /* octets of an answer collected before they go to the channel */
};

struct searching {
	struct session *session;
	struct search_program program;
	bool uid;
	bool gone; /* some message is expunged, and was not looked at */
	/* the present message */
	size_t place;
	struct maildir_message message;
	struct mdbuf fields;
	/* what was found */
	struct sequence found; /* numbers or UIDs */
	struct sequence uids;  /* for SAVE */
	uint64_t count;
	uint64_t modseq_first, modseq_last, modseq_highest;
};

/* --- one message --- */

/* Prices, rising: a key is asked at its price. */
enum price { PRICE_KNOWN, PRICE_DATE, PRICE_SIZE, PRICE_FIELDS, PRICE_TEXT, PRICES };

static enum price
price_of(enum search_key key)
{
	if (key <= SEARCH_MODSEQ)
		return PRICE_KNOWN;
	if (key <= SEARCH_EMAILID)
		return PRICE_DATE;
	if (key <= SEARCH_SIZE)
		return PRICE_SIZE;
	return key <= SEARCH_FIELD ? PRICE_FIELDS : PRICE_TEXT;
}

static bool
load_fields(struct searching *s, enum maildir_text text)
{
	s->fields.len = 0;
	return maildir_text(s->session->box->folder, s->message.uid, text, &s->fields) == 0 &&
	       !s->fields.failed;
}

/* Answers all matches of fields.  An unreadable message has none. */
static void
match_fields(struct searching *s)
{
	struct search_program *program = &s->program;
	struct mdbuf *fields = &s->fields;

	if (program->decoded && load_fields(s, MAILDIR_DECODED)) {
		remembered_search_decoded(
		    fields->data, fields->len, program->field, program->fields);
		return;
	}
	if (!load_fields(s, MAILDIR_FIELDS))
		fields->len = 0;
	(void)!remembered_search(fields->data, fields->len, program->field, program->fields);
}

/* Answers all matches of the whole message, in one reading.  An unreadable message has no text. */
static void
match_texts(struct searching *s)
{
	struct search_program *program = &s->program;

	for (size_t i = 0; i < program->texts; i++)
		program->text[i].found = false;
	(void)!maildir_search(
	    s->session->box->folder, s->message.uid, program->text, program->texts);
}

static bool
in_range(const struct search_step *step, int64_t number)
{
	return number >= step->low && number <= step->high;
}

static bool
ask(const struct searching *s, const struct search_step *step)
{
	const struct maildir_message *m = &s->message;
	struct mailbox *box = s->session->box;
	char id[MAILDIR_ID_SIZE];
	uint64_t octets;
	int64_t day;
	time_t date;
	bool newline;

	switch (step->key) {
	case SEARCH_FLAG:
		return (m->flags & step->flags) != 0 || (m->keywords & step->keywords) != 0;
	case SEARCH_RECENT:
		return mailbox_is_recent(box, m->uid) && (m->flags & step->flags) == 0;
	case SEARCH_NUMBERS:
		return sequence_has(&step->set, (uint32_t)s->place + 1);
	case SEARCH_UIDS:
		return sequence_has(&step->set, m->uid);
	case SEARCH_MODSEQ:
		return in_range(step, (int64_t)m->modseq);
	case SEARCH_DATE:
		return maildir_date(box->folder, m->uid, &date) == 0 && in_range(step, date);
	case SEARCH_SAVED:
		return maildir_save_date(box->folder, m->uid, &date) == 0 && in_range(step, date);
	case SEARCH_EMAILID:
		return maildir_message_id(box->folder, m->uid, id) == 0 &&
		       strcmp(id, step->id) == 0;
	case SEARCH_SIZE:
		return maildir_size(box->folder, m->uid, &octets, &newline) == 0 &&
		       in_range(step, (int64_t)octets);
	case SEARCH_SENT:
		return remembered_sent_day(s->fields.data, s->fields.len, &day) &&
		       in_range(step, day * DAY);
	case SEARCH_FIELD:
		return s->program.field[step->match].found;
	case SEARCH_TEXT:
		return s->program.text[step->match].found;
	case SEARCH_ALL:
	default:
		return true;
	}
}

static enum search_answer
both(enum search_answer a, enum search_answer b)
{
	if (a == SEARCH_NO || b == SEARCH_NO)
		return SEARCH_NO;
	return a == SEARCH_YES && b == SEARCH_YES ? SEARCH_YES : SEARCH_OPEN;
}

static enum search_answer
opposite(enum search_answer answer)
{
	if (answer == SEARCH_OPEN)
		return SEARCH_OPEN;
	return answer == SEARCH_YES ? SEARCH_NO : SEARCH_YES;
}

/* Joins the answers that there are (Kleene's logic: an open one may not matter). */
static enum search_answer
evaluate(const struct search_program *program)
{
	/* Each group that is open has at most two answers waiting. */
	enum search_answer stack[2 * IMAP_DEPTH_MAX + 2] = {SEARCH_NO};
	size_t top = 0;

	for (size_t i = 0; i < program->steps; i++) {
		const struct search_step *step = &program->step[i];

		if (step->key == SEARCH_NOT) {
			stack[top - 1] = opposite(stack[top - 1]);
		} else if (step->key == SEARCH_AND) {
			top--;
			stack[top - 1] = both(stack[top - 1], stack[top]);
		} else if (step->key == SEARCH_OR) {
			top--;
			stack[top - 1] =
			    opposite(both(opposite(stack[top - 1]), opposite(stack[top])));
		} else {
			stack[top++] = step->answer;
		}
	}
	return stack[0];
}

static bool
matches(struct searching *s)
{
	struct search_program *program = &s->program;
	enum search_answer answer = SEARCH_OPEN;

	for (size_t i = 0; i < program->steps; i++)
		program->step[i].answer = SEARCH_OPEN;
	for (int price = PRICE_KNOWN; price < PRICES && answer == SEARCH_OPEN; price++) {
		if ((program->prices & 1U << price) == 0)
			continue;
		if (price == PRICE_FIELDS)
			match_fields(s);
		if (price == PRICE_TEXT)
			match_texts(s);
		for (size_t i = 0; i < program->steps; i++) {
			struct search_step *step = &program->step[i];

			if (step->key < SEARCH_NOT && (int)price_of(step->key) == price)
				step->answer = ask(s, step) ? SEARCH_YES : SEARCH_NO;
		}
		answer = evaluate(program);
	}
	return answer == SEARCH_YES;
}

/* --- the answer --- */

/* Whether MIN or MAX was asked for, and nothing that needs all that was found. */
static bool
asks_ends_only(const struct searching *s)
{
	return (s->program.returns & (RETURN_MIN | RETURN_MAX)) != 0 &&
	       (s->program.returns & (RETURN_ALL | RETURN_COUNT)) == 0;
}

/* The mod-sequence to tell, if MODSEQ was asked for: RFC 7162 section 3.1.5, RFC 4731 section 3.2.  0: none. */
static uint64_t
modseq_of(const struct searching *s)
{
	if (!s->program.modseq || s->count == 0)
		return 0;
	if (!asks_ends_only(s))
		return s->modseq_highest;
	if ((s->program.returns & RETURN_MAX) == 0)
		return s->modseq_first;
	if ((s->program.returns & RETURN_MIN) == 0 || s->modseq_last > s->modseq_first)
		return s->modseq_last;
	return s->modseq_first;
}

static void
put_found(struct searching *s)
{
	struct session *session = s->session;
	struct mdbuf text = {0};

	imap_add(&text, "* SEARCH");
	for (size_t i = 0; i < s->found.count; i++) {
		for (uint64_t n = s->found.range[i].first; n <= s->found.range[i].last; n++) {
			imap_add(&text, " ");
			imap_add_number(&text, n);
			if (text.len >= TELL_PIECE)
				imap_put_text_on(session, &text);
		}
	}
	if (modseq_of(s) != 0)
		mdbuf_addf(&text, " (MODSEQ %" PRIu64 ")", modseq_of(s));
	imap_add(&text, "\r\n");
	imap_put_text(session, &text);
}

static void
put_extended(struct searching *s)
{
	struct channel *channel = s->session->channel;
	const struct sequence *found = &s->found;
	unsigned returns = s->program.returns;
	struct mdbuf all = {0};

	channel_printf(channel, "* ESEARCH (TAG \"%s\")%s", s->session->tag, s->uid ? " UID" : "");
	if (found->count > 0 && (returns & RETURN_MIN) != 0)
		channel_printf(channel, " MIN %" PRIu32, found->range[0].first);
	if (found->count > 0 && (returns & RETURN_MAX) != 0)
		channel_printf(channel, " MAX %" PRIu32, found->range[found->count - 1].last);
	if ((returns & RETURN_COUNT) != 0)
		channel_printf(channel, " COUNT %" PRIu64, s->count);
	if (found->count > 0 && (returns & RETURN_ALL) != 0) {
		sequence_put(found, &all);
		channel_puts(channel, " ALL ");
		imap_put_text(s->session, &all);
	}
	if (modseq_of(s) != 0)
		channel_printf(channel, " MODSEQ %" PRIu64, modseq_of(s));
	channel_puts(channel, "\r\n");
}

/* RFC 5182 section 2.4: with MIN or MAX alone only those are saved. */
static void
save(struct searching *s)
{
	struct sequence *saved = &s->session->saved;
	uint32_t first, last;

	sequence_clear(saved);
	if (s->uids.count == 0)
		return;
	if (!asks_ends_only(s)) {
		*saved = s->uids;
		s->uids = (struct sequence){0};
		return;
	}
	first = s->uids.range[0].first;
	last = s->uids.range[s->uids.count - 1].last;
	if ((s->program.returns & RETURN_MIN) == 0)
		first = last;
	sequence_add(saved, first);
	if ((s->program.returns & RETURN_MAX) != 0 && last != first)
		sequence_add(saved, last);
}

static void
note_found(struct searching *s)
{
	const struct maildir_message *message = &s->message;

	sequence_add(&s->found, s->uid ? message->uid : (uint32_t)s->place + 1);
	if ((s->program.returns & RETURN_SAVE) != 0)
		sequence_add(&s->uids, message->uid);
	if (s->count++ == 0)
		s->modseq_first = message->modseq;
	s->modseq_last = message->modseq;
	if (message->modseq > s->modseq_highest)
		s->modseq_highest = message->modseq;
}

/* --- all messages --- */

/* Looks at all messages, or only at those of a set outside of which nothing can be found. */
static void
look(struct searching *s)
{
	const struct search_step *bound =
	    s->program.bound > 0 ? &s->program.step[s->program.bound - 1] : NULL;
	struct mailbox *box = s->session->box;
	struct picked picked = {.by_uid = false};

	for (size_t i = 0; i < s->program.steps; i++)
		if (s->program.step[i].key < SEARCH_NOT)
			s->program.prices |= 1U << price_of(s->program.step[i].key);
	if (bound != NULL) {
		picked.set = bound->set; /* the program's */
		picked.by_uid = bound->key == SEARCH_UIDS;
	} else {
		picked_all(box, &picked);
	}
	for (unsigned n = 0; picked_next(box, &picked, &s->place); n++) {
		if (n % STOP_EVERY == 0 && channel_gone(s->session->channel))
			break;
		if (!mailbox_message(box, s->place, &s->message))
			s->gone = true;
		else if (matches(s))
			note_found(s);
	}
	if (bound == NULL)
		picked_clear(&picked);
}

static enum command_result
run_program(struct searching *s)
{
	struct session *session = s->session;
	bool plain = s->program.returns == 0 && !session->rev2;

	if (s->program.returns == 0)
		s->program.returns = RETURN_ALL;
	if (s->program.modseq)
		resync_enable(session);
	look(s);
	if (session->channel->end != CHANNEL_OPEN)
		return COMMAND_ANSWERED;
	if (mailbox_is_lost(session->box))
		return COMMAND_NO;
	if (s->found.failed || s->uids.failed) {
		errno = ENOMEM;
		return imap_failed(session, "search");
	}
	if ((s->program.returns & RETURN_SAVE) != 0)
		save(s);
	if (plain)
		put_found(s);
	else if (s->program.returns != RETURN_SAVE)
		put_extended(s);
	/* With numbers about the client hears of it later only: RFC 2180 section 4.3, RFC 5530. */
	if (s->gone && (!s->uid || session->by_number))
		return imap_say_expunged(session, COMMAND_OK);
	return COMMAND_OK;
}

static enum command_result
say_charsets(struct session *session)
{
	const char *name;

	session->reply.len = 0;
	mdbuf_addf(&session->reply, "[BADCHARSET (");
	for (size_t i = 0; (name = charset_name(i)) != NULL; i++)
		mdbuf_addf(&session->reply, "%s%s", i > 0 ? " " : "", name);
	mdbuf_addf(&session->reply, ")] That charset is not known");
	return COMMAND_NO;
}

enum command_result
run_search(struct session *session, struct args *args)
{
	struct searching s = {.session = session, .uid = imap_by_uid(session)};
	enum command_result result;

	switch (search_parse(session, args, time(NULL), &s.program)) {
	case SEARCH_PARSED:
		result = run_program(&s);
		break;
	case SEARCH_BAD_CHARSET:
		result = say_charsets(session);
		break;
	case SEARCH_TOO_MUCH:
		result =
		    imap_say(session, COMMAND_BAD, "[TOOBIG] The search is too large or too deep");
		break;
	case SEARCH_MALFORMED:
	default:
		result = imap_say(session, COMMAND_BAD, "The search is malformed");
		break;
	}
	/* RFC 5182 section 2.1: a search that fails leaves nothing to refer to. */
	if (result == COMMAND_NO && (s.program.returns & RETURN_SAVE) != 0)
		sequence_clear(&session->saved);
	search_clear(&s.program);
	sequence_clear(&s.found);
	sequence_clear(&s.uids);
	mdbuf_clear(&s.fields);
	return result;
}
