/*
 * search_parse.c: SEARCH's keys, made into a program.
 * Runs as: mail user.
 *
 * Open groups (a parenthesis, a NOT, an OR) are on a stack of IMAP_DEPTH_MAX.  Each key that is whole closes
 * the groups that it completes.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "maildir/base/array.h"
#include "maildir/base/number.h"
#include "maildir/maildir.h"
#include "maildir/message/charset.h"
#include "maildir/message/message.h"
#include "maildir/message/search.h"
#include "server/imap/mailbox.h"
#include "server/imap/search.h"
#include "server/imap/session.h"

enum { DAY = 24 * 60 * 60 };

enum open { OPEN_LIST, OPEN_NOT, OPEN_OR };

/* A search that is being read. */
struct parsing {
	struct session *session;
	struct args *args;
	struct search_program *program;
	const struct charset *charset; /* NULL: UTF-8 */
	int64_t now;
	enum search_parsed result; /* why it failed */
	struct {
		enum open open;
		unsigned have; /* keys that are whole */
	} stack[IMAP_DEPTH_MAX];
	size_t depth;
};

/* How a key with one limit limits a number. */
enum limit { LIMIT_BELOW, LIMIT_ON, LIMIT_FROM };

/* A row of the table of keys. */
struct key {
	const char *name;
	enum search_key key;
	bool negated; /* a NOT follows */
	/* Reads the argument into the step.  NULL: the key has none. */
	bool (*take)(struct parsing *p, const struct key *key, struct search_step *step);
	unsigned detail;   /* MAILDIR_ flags; or enum limit, or enum search_where */
	const char *field; /* of the header */
};

/* Returns false; without it the search is malformed. */
static bool
fail(struct parsing *p, enum search_parsed why)
{
	p->result = why;
	return false;
}

static struct search_step *
add(struct parsing *p, enum search_key key)
{
	struct search_program *program = p->program;
	struct search_step *step = NULL;

	if (program->steps < SEARCH_STEPS_MAX)
		step = array_grow(program->step, program->steps, &program->room, sizeof(*step));
	if (step == NULL) {
		(void)fail(p, SEARCH_TOO_MUCH);
		return NULL;
	}
	program->step = step;
	step += program->steps++;
	*step = (struct search_step){.key = key, .low = INT64_MIN, .high = INT64_MAX};
	return step;
}

/* --- arguments --- */

static bool
take_keyword(struct parsing *p, const struct key *key, struct search_step *step)
{
	struct flag_list list = {.count = 1};
	struct word *word = &list.keyword[0];

	(void)key;
	if (!args_atom(p->args, NULL, word) || word->len > FLAGS_KEYWORD_MAX)
		return false;
	(void)flags_keywords(p->session->box->folder, &list, false, &step->keywords);
	if (word_is(*word, "$Forwarded"))
		step->flags = MAILDIR_PASSED;
	return true;
}

/* A set of numbers or of UIDs. */
static bool
take_set(struct parsing *p, const struct key *key, struct search_step *step)
{
	struct mailbox *box = p->session->box;
	struct word set;
	uint32_t star;

	if (!args_set(p->args, &set))
		return false;
	if (key->key == SEARCH_NUMBERS)
		p->session->by_number = true; /* also in UID SEARCH: RFC 9051 section 7.5.1 */
	if (word_is(set, "$")) {
		step->key = SEARCH_UIDS;
		return sequence_copy(&p->session->saved, &step->set) || fail(p, SEARCH_TOO_MUCH);
	}
	star = key->key == SEARCH_UIDS ? mailbox_last_uid(box) : (uint32_t)box->count;
	return sequence_parse(&step->set, set.at, set.len, star) == SEQUENCE_OK;
}

/* A day, in UTC as INTERNALDATE tells it. */
static bool
take_day(struct parsing *p, const struct key *key, struct search_step *step)
{
	int64_t day;

	if (!args_date(p->args, &day))
		return false;
	if (key->detail != LIMIT_BELOW)
		step->low = day * DAY;
	if (key->detail != LIMIT_FROM)
		step->high = (day + (key->detail == LIMIT_ON ? 1 : 0)) * DAY - 1;
	if (key->key == SEARCH_SENT)
		p->program->decoded = false; /* no days are there */
	return true;
}

static bool
take_seconds(struct parsing *p, const struct key *key, struct search_step *step)
{
	uint32_t seconds;

	if (!args_nz_number(p->args, &seconds))
		return false;
	*(key->detail == LIMIT_FROM ? &step->low : &step->high) = p->now - (int64_t)seconds;
	return true;
}

/* LARGER and SMALLER do not find the size that they name. */
static bool
take_size(struct parsing *p, const struct key *key, struct search_step *step)
{
	uint64_t size;

	if (!args_number64(p->args, &size))
		return false;
	if (key->detail == LIMIT_BELOW)
		step->high = (int64_t)size - 1;
	else
		step->low = (int64_t)size + (size < INT64_MAX ? 1 : 0);
	return true;
}

/*
 * "\"/flags/\\\\draft\" all 620162338": RFC 7162 section 3.1.5.  A message has one mod-sequence here, so
 * the flag does not matter.
 */
static bool
take_modseq(struct parsing *p, const struct key *key, struct search_step *step)
{
	struct word entry, type;
	uint64_t modseq;

	(void)key;
	p->program->modseq = true;
	if (args_next_is(p->args, '"')) {
		if (!args_quoted(p->args, &entry) || entry.len < 8 ||
		    strncasecmp(entry.at, "/flags/", 7) != 0 || !args_space(p->args) ||
		    !args_atom(p->args, NULL, &type) || !args_space(p->args) ||
		    !(word_is(type, "priv") || word_is(type, "shared") || word_is(type, "all")))
			return false;
	}
	if (!args_number64(p->args, &modseq))
		return false;
	step->low = (int64_t)modseq;
	return true;
}

/* RFC 8474 section 7: letters, digits, "_" and "-". */
static bool
take_id(struct parsing *p, const struct key *key, struct search_step *step)
{
	struct word id;

	(void)key;
	if (!args_astring(p->args, &id) || id.len == 0 || id.len >= MAILDIR_ID_SIZE)
		return false;
	for (size_t i = 0; i < id.len; i++)
		if (!isalnum((unsigned char)id.at[i]) && id.at[i] != '_' && id.at[i] != '-')
			return false;
	step->id = strndup(id.at, id.len);
	return step->id != NULL || fail(p, SEARCH_TOO_MUCH);
}

static bool
map_text(struct parsing *p, struct word word, struct search_question *match)
{
	struct mdbuf text = {0};

	search_prepare(p->charset, match->where, word.at, word.len, &text);
	match->text = text.data;
	match->len = text.len;
	return !text.failed || fail(p, SEARCH_TOO_MUCH);
}

/* A match to be filled in: of fields that the index holds, or of the whole message.  NULL: too many. */
static struct search_question *
add_match(struct parsing *p, enum search_where where, struct word field, struct search_step *step)
{
	struct search_program *program = p->program;
	bool indexed = where == SEARCH_IN_HEADER && remembered_has(field.at, field.len);
	struct search_question **all = indexed ? &program->field : &program->text, *match;
	size_t *count = indexed ? &program->fields : &program->texts;

	if (program->fields + program->texts == SEARCH_TEXTS_MAX)
		return NULL;
	if (*all == NULL)
		*all = calloc(SEARCH_TEXTS_MAX, sizeof(**all));
	if (*all == NULL)
		return NULL;
	step->key = indexed ? SEARCH_FIELD : SEARCH_TEXT;
	step->match = *count;
	match = &(*all)[(*count)++];
	match->where = where;
	if (where != SEARCH_IN_HEADER)
		return match;
	match->field = strndup(field.at, field.len);
	if (match->field != NULL && indexed)
		program->decoded = program->decoded && remembered_decoded_has(match->field);
	return match->field != NULL ? match : NULL;
}

static bool
take_text(struct parsing *p, const struct key *key, struct search_step *step)
{
	struct word field = {(char *)(uintptr_t)key->field, 0}, text;
	struct search_question *match;

	if (key->field != NULL)
		field.len = strlen(key->field);
	else if (key->detail == SEARCH_IN_HEADER &&
		 (!args_astring(p->args, &field) || !args_space(p->args)))
		return false;
	if (!args_astring(p->args, &text))
		return false;
	/* An empty text is in every message; in a field it asks whether the field is there. */
	if (text.len == 0 && key->detail != SEARCH_IN_HEADER) {
		step->key = SEARCH_ALL;
		return true;
	}
	match = add_match(p, key->detail, field, step);
	return match != NULL ? map_text(p, text, match) : fail(p, SEARCH_TOO_MUCH);
}

/* Whether all that is found must match the key that is read: no NOT or OR is open. */
static bool
must_match(const struct parsing *p)
{
	for (size_t i = 0; i < p->depth; i++)
		if (p->stack[i].open != OPEN_LIST)
			return false;
	return true;
}

static bool
add_key(struct parsing *p, const struct key *key)
{
	struct search_step *step = add(p, key->key);

	if (step == NULL)
		return false;
	if (key->take == take_set && p->program->bound == 0 && must_match(p))
		p->program->bound = p->program->steps;
	if (key->take == NULL)
		step->flags = key->detail;
	else if (!key->take(p, key, step))
		return false;
	return !key->negated || add(p, SEARCH_NOT) != NULL;
}

static const struct key keys[] = {
    {"ALL", SEARCH_ALL}, {"ANSWERED", SEARCH_FLAG, false, NULL, MAILDIR_REPLIED},
    {"DELETED", SEARCH_FLAG, false, NULL, MAILDIR_TRASHED},
    {"DRAFT", SEARCH_FLAG, false, NULL, MAILDIR_DRAFT},
    {"FLAGGED", SEARCH_FLAG, false, NULL, MAILDIR_FLAGGED},
    {"SEEN", SEARCH_FLAG, false, NULL, MAILDIR_SEEN},
    {"UNANSWERED", SEARCH_FLAG, true, NULL, MAILDIR_REPLIED},
    {"UNDELETED", SEARCH_FLAG, true, NULL, MAILDIR_TRASHED},
    {"UNDRAFT", SEARCH_FLAG, true, NULL, MAILDIR_DRAFT},
    {"UNFLAGGED", SEARCH_FLAG, true, NULL, MAILDIR_FLAGGED},
    {"UNSEEN", SEARCH_FLAG, true, NULL, MAILDIR_SEEN}, {"RECENT", SEARCH_RECENT},
    {"NEW", SEARCH_RECENT, false, NULL, MAILDIR_SEEN}, {"OLD", SEARCH_RECENT, true},
    {"KEYWORD", SEARCH_FLAG, false, take_keyword}, {"UNKEYWORD", SEARCH_FLAG, true, take_keyword},
    {"BEFORE", SEARCH_DATE, false, take_day, LIMIT_BELOW},
    {"ON", SEARCH_DATE, false, take_day, LIMIT_ON},
    {"SINCE", SEARCH_DATE, false, take_day, LIMIT_FROM},
    {"SENTBEFORE", SEARCH_SENT, false, take_day, LIMIT_BELOW},
    {"SENTON", SEARCH_SENT, false, take_day, LIMIT_ON},
    {"SENTSINCE", SEARCH_SENT, false, take_day, LIMIT_FROM},
    {"SAVEDBEFORE", SEARCH_SAVED, false, take_day, LIMIT_BELOW},
    {"SAVEDON", SEARCH_SAVED, false, take_day, LIMIT_ON},
    {"SAVEDSINCE", SEARCH_SAVED, false, take_day, LIMIT_FROM}, {"SAVEDATESUPPORTED", SEARCH_ALL},
    {"OLDER", SEARCH_DATE, false, take_seconds, LIMIT_BELOW},
    {"YOUNGER", SEARCH_DATE, false, take_seconds, LIMIT_FROM},
    {"LARGER", SEARCH_SIZE, false, take_size, LIMIT_FROM},
    {"SMALLER", SEARCH_SIZE, false, take_size, LIMIT_BELOW},
    {"BCC", SEARCH_TEXT, false, take_text, SEARCH_IN_HEADER, "Bcc"},
    {"CC", SEARCH_TEXT, false, take_text, SEARCH_IN_HEADER, "Cc"},
    {"FROM", SEARCH_TEXT, false, take_text, SEARCH_IN_HEADER, "From"},
    {"SUBJECT", SEARCH_TEXT, false, take_text, SEARCH_IN_HEADER, "Subject"},
    {"TO", SEARCH_TEXT, false, take_text, SEARCH_IN_HEADER, "To"},
    {"HEADER", SEARCH_TEXT, false, take_text, SEARCH_IN_HEADER},
    {"BODY", SEARCH_TEXT, false, take_text, SEARCH_IN_BODY},
    {"TEXT", SEARCH_TEXT, false, take_text, SEARCH_IN_TEXT}, {"UID", SEARCH_UIDS, false, take_set},
    {"MODSEQ", SEARCH_MODSEQ, false, take_modseq}, {"EMAILID", SEARCH_EMAILID, false, take_id},
    {"THREADID", SEARCH_ALL, true, take_id}, /* no message has one */
};
static const struct key numbers = {"", SEARCH_NUMBERS, false, take_set};

/* --- the structure --- */

static bool
open_group(struct parsing *p, enum open open)
{
	if (p->depth == IMAP_DEPTH_MAX)
		return fail(p, SEARCH_TOO_MUCH);
	p->stack[p->depth].open = open;
	p->stack[p->depth++].have = 0;
	return true;
}

/*
 * A key is whole: closes all that it completes.  *more_r: another key follows, and the cursor stands at it;
 * else the search is over.
 */
static bool
close_key(struct parsing *p, bool *more_r)
{
	for (;;) {
		unsigned have = ++p->stack[p->depth - 1].have;
		enum open open = p->stack[p->depth - 1].open;

		if (open == OPEN_NOT || (open == OPEN_OR && have == 2)) {
			if (add(p, open == OPEN_NOT ? SEARCH_NOT : SEARCH_OR) == NULL)
				return false;
			p->depth--;
			continue;
		}
		if (open == OPEN_LIST && have > 1 && add(p, SEARCH_AND) == NULL)
			return false;
		*more_r = args_more(p->args);
		if (*more_r)
			return true;
		if (open != OPEN_LIST)
			return false;
		if (p->depth == 1)
			return args_end(p->args);
		if (!args_close(p->args))
			return false;
		p->depth--;
	}
}

/* Reads a key, or what opens a group of them.  *whole_r: it was a key. */
static bool
take_one(struct parsing *p, bool *whole_r)
{
	struct args *args = p->args;
	const struct key *key;
	struct word word;

	*whole_r = false;
	if (args_open(args))
		return open_group(p, OPEN_LIST);
	*whole_r = true;
	if (args->at < args->end &&
	    (number_is_digit(*args->at) || *args->at == '*' || *args->at == '$'))
		return add_key(p, &numbers);
	if (!args_atom(args, NULL, &word))
		return false;
	if (word_is(word, "NOT") || word_is(word, "OR")) {
		*whole_r = false;
		return open_group(p, word_is(word, "NOT") ? OPEN_NOT : OPEN_OR) && args_space(args);
	}
	key = word_row(word, keys, sizeof(keys) / sizeof(keys[0]), sizeof(keys[0]));
	return key != NULL && (key->take == NULL || args_space(args)) && add_key(p, key);
}

static bool
take_keys(struct parsing *p)
{
	bool whole, more = true;

	if (!open_group(p, OPEN_LIST))
		return false;
	while (more)
		if (!take_one(p, &whole) || (whole && !close_key(p, &more)))
			return false;
	return true;
}

/* "RETURN (MIN MAX) " */
static bool
take_returns(struct args *args, unsigned *returns_r)
{
	static const char *const names[] = {"MIN", "MAX", "ALL", "COUNT", "SAVE"}; /* as RETURN_ */
	struct args ahead = *args;
	struct word word;

	if (!args_atom(&ahead, NULL, &word) || !word_is(word, "RETURN"))
		return true;
	*args = ahead;
	if (!args_space(args) ||
	    !args_names(args, names, sizeof(names) / sizeof(names[0]), returns_r))
		return false;
	if (*returns_r == 0)
		*returns_r = RETURN_ALL; /* RFC 4731 section 3.1 */
	return args_space(args);
}

/* "CHARSET utf-8 " */
static bool
take_charset(struct parsing *p)
{
	struct args ahead = *p->args;
	struct word word;

	if (!args_atom(&ahead, NULL, &word) || !word_is(word, "CHARSET"))
		return true;
	*p->args = ahead;
	if (!args_space(p->args) || !args_astring(p->args, &word) || !args_space(p->args))
		return false;
	/* RFC 6855 section 3: all is UTF-8 then, and CHARSET is BAD. */
	if (p->session->utf8_accept)
		return false;
	p->charset = charset_find(word.at, word.len);
	return p->charset != NULL || fail(p, SEARCH_BAD_CHARSET);
}

enum search_parsed
search_parse(
    struct session *session, struct args *args, int64_t now, struct search_program *program_r)
{
	struct parsing p = {
	    .session = session,
	    .args = args,
	    .program = program_r,
	    .now = now,
	    .result = SEARCH_MALFORMED,
	};

	*program_r = (struct search_program){.decoded = true};
	if (!take_returns(args, &program_r->returns) || !take_charset(&p) || !take_keys(&p))
		return p.result;
	return SEARCH_PARSED;
}

static void
clear_matches(struct search_question *match, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free((void *)(uintptr_t)match[i].field);
		free((void *)(uintptr_t)match[i].text);
	}
	free(match);
}

void
search_clear(struct search_program *program)
{
	for (size_t i = 0; i < program->steps; i++) {
		sequence_clear(&program->step[i].set);
		free(program->step[i].id);
	}
	clear_matches(program->text, program->texts);
	clear_matches(program->field, program->fields);
	free(program->step);
	memset(program, 0, sizeof(*program));
}
