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
#include "maildir/message/fields.h"
#include "server/imap/answer.h"
#include "server/imap/mailbox.h"
#include "server/imap/resync.h"
#include "server/imap/search.h"
#include "server/imap/session.h"

enum {
	DAY = 24 * 60 * 60,
	STOP_EVERY = 16,       /* messages between two questions whether to stop */
	TELL_PIECE = 8 * 1024, /* octets of an answer collected before they go to the channel */
};

struct searching {
	struct session *session;
	struct search_program program;
	bool uid, extended;
	unsigned returns;
	struct sequence found; /* numbers or UIDs */
	struct sequence uids;  /* for SAVE */
	uint64_t count;
	uint64_t modseq_first, modseq_last, modseq_highest; /* of what was found */
	struct mdtext fields;				    /* of the present message */
	bool gone; /* some message is expunged, and was not looked at */
};

/* --- one message --- */

/* Prices, rising: a key is asked at its price. */
enum price { PRICE_KNOWN, PRICE_DATE, PRICE_SIZE, PRICE_FIELDS, PRICE_TEXT, PRICES };

static enum price
price_of(enum search_key key)
{
	if (key <= SEARCH_NOTHING)
		return PRICE_KNOWN;
	if (key <= SEARCH_EMAILID)
		return PRICE_DATE;
	if (key <= SEARCH_SMALLER)
		return PRICE_SIZE;
	return key <= SEARCH_FIELD ? PRICE_FIELDS : PRICE_TEXT;
}

struct asking {
	struct searching *s;
	size_t place;
	struct maildir_message m;
};

static bool
known(const struct asking *a, const struct search_step *step)
{
	switch (step->key) {
	case SEARCH_FLAG:
		return (a->m.flags & step->flags) != 0 || (a->m.keywords & step->keywords) != 0;
	case SEARCH_RECENT:
		return mailbox_is_recent(a->s->session->box, a->m.uid) &&
		       (step->value == 0 || (a->m.flags & MAILDIR_SEEN) == 0);
	case SEARCH_NUMBERS:
		return sequence_has(&step->set, (uint32_t)a->place + 1);
	case SEARCH_UIDS:
		return sequence_has(&step->set, a->m.uid);
	case SEARCH_MODSEQ:
		return a->m.modseq >= (uint64_t)step->value;
	case SEARCH_NOTHING:
		return false;
	case SEARCH_ALL:
	default:
		return true;
	}
}

static int64_t
day_of(int64_t time)
{
	return (time - (time < 0 ? DAY - 1 : 0)) / DAY;
}

/* BEFORE, ON, SINCE of a day; key counts from the first of the three. */
static bool
day_fits(int64_t day, int64_t wanted, int which)
{
	return which == 0 ? day < wanted : which == 1 ? day == wanted : day >= wanted;
}

static bool
saved(const struct asking *a, const struct search_step *step)
{
	time_t date;

	return maildir_save_date(a->s->session->box->folder, a->m.uid, &date) == 0 &&
	       day_fits(day_of(date), step->value, (int)step->key - SEARCH_SAVEDBEFORE);
}

static bool
identified(const struct asking *a, const struct search_step *step)
{
	char id[MAILDIR_ID_SIZE];

	return maildir_message_id(a->s->session->box->folder, a->m.uid, id) == 0 &&
	       strcmp(id, step->id) == 0;
}

static bool
dated(const struct asking *a, const struct search_step *step)
{
	time_t date;

	if (step->key == SEARCH_EMAILID)
		return identified(a, step);
	if (step->key >= SEARCH_SAVEDBEFORE)
		return saved(a, step);
	if (maildir_date(a->s->session->box->folder, a->m.uid, &date) == -1)
		return false;
	if (step->key == SEARCH_OLDER)
		return date <= step->value;
	if (step->key == SEARCH_YOUNGER)
		return date >= step->value;
	return day_fits(day_of(date), step->value, (int)step->key - SEARCH_BEFORE);
}

static bool
sized(const struct asking *a, const struct search_step *step)
{
	uint64_t octets;
	bool newline;

	if (maildir_size(a->s->session->box->folder, a->m.uid, &octets, &newline) == -1)
		return false;
	return step->key == SEARCH_LARGER ? octets > (uint64_t)step->value
					  : octets < (uint64_t)step->value;
}

static bool
sent(const struct asking *a, const struct search_step *step)
{
	int64_t day;

	return fields_sent_day(a->s->fields.data, a->s->fields.len, &day) &&
	       day_fits(day, step->value, (int)step->key - SEARCH_SENTBEFORE);
}

static bool
load_fields(const struct asking *a, enum maildir_text text)
{
	struct mdtext *fields = &a->s->fields;

	fields->len = 0;
	return maildir_text(a->s->session->box->folder, a->m.uid, text, fields) == 0 &&
	       !fields->failed;
}

/* One that cannot be read has no field that could be found. */
static void
ask_fields(const struct asking *a)
{
	struct search_program *program = &a->s->program;
	struct mdtext *fields = &a->s->fields;

	if (program->decoded && load_fields(a, MAILDIR_DECODED)) {
		fields_match_decoded(fields->data, fields->len, program->field, program->fields);
		return;
	}
	if (!load_fields(a, MAILDIR_FIELDS))
		fields->len = 0;
	(void)!fields_match(fields->data, fields->len, program->field, program->fields);
}

/* All texts that the message is asked for, in one reading. */
static void
ask_texts(const struct asking *a)
{
	struct search_program *program = &a->s->program;

	for (size_t i = 0; i < program->texts; i++)
		program->text[i].found = false;
	/* One that cannot be read has no text that could be found. */
	(void)!maildir_match(a->s->session->box->folder, a->m.uid, program->text, program->texts);
}

static bool
ask(const struct asking *a, const struct search_step *step, enum price price)
{
	switch (price) {
	case PRICE_KNOWN:
		return known(a, step);
	case PRICE_DATE:
		return dated(a, step);
	case PRICE_SIZE:
		return sized(a, step);
	case PRICE_FIELDS:
		return step->key == SEARCH_FIELD ? a->s->program.field[step->value].found
						 : sent(a, step);
	case PRICE_TEXT:
	default:
		return a->s->program.text[step->value].found;
	}
}

static enum search_answer
both(enum search_answer a, enum search_answer b)
{
	if (a == SEARCH_NO || b == SEARCH_NO)
		return SEARCH_NO;
	return a == SEARCH_YES && b == SEARCH_YES ? SEARCH_YES : SEARCH_OPEN;
}

static enum search_answer not(enum search_answer a) {
	return a == SEARCH_OPEN	 ? SEARCH_OPEN
	       : a == SEARCH_YES ? SEARCH_NO
				 : SEARCH_YES;
}

/* The program with the answers that there are (Kleene's logic: an open one may not matter). */
static enum search_answer
evaluate(const struct search_program *program)
{
	/* Each level that is open has at most two answers waiting. */
	enum search_answer stack[2 * IMAP_DEPTH_MAX + 2] = {SEARCH_NO};
	size_t top = 0;

	for (size_t i = 0; i < program->steps; i++) {
		const struct search_step *step = &program->step[i];

		if (step->key == SEARCH_NOT) {
			stack[top - 1] = not(stack[top - 1]);
		} else if (step->key == SEARCH_AND) {
			stack[top - 2] = both(stack[top - 2], stack[top - 1]);
			top--;
		} else if (step->key == SEARCH_OR) {
			stack[top - 2] = not(both(not(stack[top - 2]), not(stack[top - 1])));
			top--;
		} else {
			stack[top++] = step->answer;
		}
	}
	return stack[0];
}

static bool
matches(const struct asking *a)
{
	struct search_program *program = &a->s->program;
	enum search_answer answer = SEARCH_OPEN;
	int price;

	for (size_t i = 0; i < program->steps; i++)
		program->step[i].answer = SEARCH_OPEN;
	for (price = PRICE_KNOWN; price < PRICES && answer == SEARCH_OPEN; price++) {
		if ((program->prices & 1U << price) == 0)
			continue;
		if (price == PRICE_FIELDS)
			ask_fields(a);
		if (price == PRICE_TEXT)
			ask_texts(a);
		for (size_t i = 0; i < program->steps; i++) {
			struct search_step *step = &program->step[i];

			if (step->key < SEARCH_NOT && (int)price_of(step->key) == price)
				step->answer = ask(a, step, price) ? SEARCH_YES : SEARCH_NO;
		}
		answer = evaluate(program);
	}
	return answer == SEARCH_YES;
}

/* --- the answer --- */

/* RFC 7162 section 3.1.5, RFC 4731 section 3.2: of what is told, when MODSEQ was asked for. */
static uint64_t
modseq_of(const struct searching *s)
{
	unsigned ends = s->returns & (RETURN_MIN | RETURN_MAX);

	if (!s->program.modseq || s->count == 0)
		return 0;
	if (ends == 0 || (s->returns & (RETURN_ALL | RETURN_COUNT)) != 0)
		return s->modseq_highest;
	if (ends == RETURN_MIN)
		return s->modseq_first;
	if (ends == RETURN_MAX || s->modseq_last > s->modseq_first)
		return s->modseq_last;
	return s->modseq_first;
}

static void
put_found(struct searching *s)
{
	struct session *session = s->session;
	struct mdtext text = {0};

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
		mdtext_addf(&text, " (MODSEQ %" PRIu64 ")", modseq_of(s));
	imap_add(&text, "\r\n");
	imap_put_text(session, &text);
}

static void
put_extended(struct searching *s)
{
	struct channel *channel = s->session->channel;
	const struct sequence *found = &s->found;
	struct mdtext all = {0};

	channel_printf(channel, "* ESEARCH (TAG \"%s\")%s", s->session->tag, s->uid ? " UID" : "");
	if (found->count > 0) {
		if ((s->returns & RETURN_MIN) != 0)
			channel_printf(channel, " MIN %" PRIu32, found->range[0].first);
		if ((s->returns & RETURN_MAX) != 0)
			channel_printf(
			    channel, " MAX %" PRIu32, found->range[found->count - 1].last);
	}
	if ((s->returns & RETURN_COUNT) != 0)
		channel_printf(channel, " COUNT %" PRIu64, s->count);
	if ((s->returns & RETURN_ALL) != 0 && found->count > 0) {
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
	const struct sequence *uids = &s->uids;
	unsigned ends = s->returns & (RETURN_MIN | RETURN_MAX);
	uint32_t first, last;

	sequence_clear(saved);
	if (uids->count == 0)
		return;
	if (ends == 0 || (s->returns & (RETURN_ALL | RETURN_COUNT)) != 0) {
		*saved = *uids;
		memset(&s->uids, 0, sizeof(s->uids));
		return;
	}
	first = uids->range[0].first;
	last = uids->range[uids->count - 1].last;
	if ((ends & RETURN_MIN) != 0)
		sequence_add(saved, first);
	if ((ends & RETURN_MAX) != 0 && (last != first || (ends & RETURN_MIN) == 0))
		sequence_add(saved, last);
}

static void
note_found(struct searching *s, size_t place, const struct maildir_message *message)
{
	sequence_add(&s->found, s->uid ? message->uid : (uint32_t)place + 1);
	if ((s->returns & RETURN_SAVE) != 0)
		sequence_add(&s->uids, message->uid);
	if (s->count++ == 0)
		s->modseq_first = message->modseq;
	s->modseq_last = message->modseq;
	if (message->modseq > s->modseq_highest)
		s->modseq_highest = message->modseq;
}

/*
 * A set outside of which nothing can be found, so that a search that names a few messages looks at those
 * alone.  NULL: there is none.
 */
static const struct search_step *
bound(const struct search_program *program)
{
	const struct search_step *stack[2 * IMAP_DEPTH_MAX + 2] = {NULL};
	size_t top = 0;

	for (size_t i = 0; i < program->steps; i++) {
		const struct search_step *step = &program->step[i];

		if (step->key == SEARCH_NOT) {
			stack[top - 1] = NULL;
		} else if (step->key == SEARCH_OR) {
			stack[--top - 1] = NULL;
		} else if (step->key == SEARCH_AND) {
			top--;
			if (stack[top - 1] == NULL)
				stack[top - 1] = stack[top];
		} else {
			bool set = step->key == SEARCH_UIDS || step->key == SEARCH_NUMBERS;

			stack[top++] = set ? step : NULL;
		}
	}
	return stack[0];
}

static void
look_at(struct searching *s, struct picked *picked)
{
	struct mailbox *box = s->session->box;
	struct asking a = {.s = s};
	unsigned n = 0;

	while (picked_next(box, picked, &a.place)) {
		if (n++ % STOP_EVERY == 0 && channel_gone(s->session->channel))
			break;
		if (!mailbox_message(box, a.place, &a.m))
			s->gone = true;
		else if (matches(&a))
			note_found(s, a.place, &a.m);
	}
}

static void
look(struct searching *s)
{
	const struct search_step *step = bound(&s->program);
	struct picked picked = {.by_uid = false};

	for (size_t i = 0; i < s->program.steps; i++)
		if (s->program.step[i].key < SEARCH_NOT)
			s->program.prices |= 1U << price_of(s->program.step[i].key);
	if (step == NULL) {
		mailbox_pick_all(s->session->box, &picked);
		look_at(s, &picked);
		picked_clear(&picked);
		return;
	}
	picked.set = step->set; /* the program's */
	picked.by_uid = step->key == SEARCH_UIDS;
	look_at(s, &picked);
}

static enum command_result
run_program(struct searching *s)
{
	if (s->program.modseq)
		resync_enable(s->session);
	look(s);
	if (s->session->channel->end != CHANNEL_OPEN)
		return COMMAND_ANSWERED;
	if (s->session->box->anew)
		return COMMAND_NO;
	if (s->found.failed || s->uids.failed) {
		errno = ENOMEM;
		return imap_failed(s->session, "search");
	}
	if ((s->returns & RETURN_SAVE) != 0)
		save(s);
	if (!s->extended && !s->session->rev2)
		put_found(s);
	else if (s->returns != RETURN_SAVE)
		put_extended(s);
	/* With numbers about the client hears of it later only: RFC 2180 section 4.3, RFC 5530. */
	if (s->gone && (!s->uid || s->session->by_number))
		return imap_say_expunged(s->session, COMMAND_OK);
	return COMMAND_OK;
}

static enum command_result
say_charsets(struct session *session)
{
	const char *name;

	session->reply.len = 0;
	mdtext_addf(&session->reply, "[BADCHARSET (");
	for (size_t i = 0; (name = charset_name(i)) != NULL; i++)
		mdtext_addf(&session->reply, "%s%s", i > 0 ? " " : "", name);
	mdtext_addf(&session->reply, ")] That charset is not known");
	return COMMAND_NO;
}

enum command_result
run_search(struct session *session, struct args *args)
{
	struct searching s = {.session = session, .uid = (session->flags & BY_UID) != 0};
	enum command_result result;

	switch (search_parse(session, args, time(NULL), &s.program, &s.extended, &s.returns)) {
	case SEARCH_PARSED:
		if (!s.extended)
			s.returns = RETURN_ALL;
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
	if (result == COMMAND_NO && (s.returns & RETURN_SAVE) != 0)
		sequence_clear(&session->saved);
	search_clear(&s.program);
	sequence_clear(&s.found);
	sequence_clear(&s.uids);
	mdtext_clear(&s.fields);
	return result;
}
