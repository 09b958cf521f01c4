/*
 * search_parse.c: SEARCH's keys, made into a program.
 * Runs as: mail user.
 *
 * What is open (a parenthesis, a NOT, an OR) is on a stack of IMAP_DEPTH_MAX; each key that is whole
 * closes what it can.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "maildir/maildir.h"
#include "maildir/message/casemap.h"
#include "maildir/message/charset.h"
#include "maildir/message/fields.h"
#include "maildir/message/words.h"
#include "server/imap/mailbox.h"
#include "server/imap/search.h"
#include "server/imap/session.h"

enum argument {
	ARG_NONE,
	ARG_FLAG,   /* none: flag in the row */
	ARG_UNFLAG, /* the same, not set */
	ARG_KEYWORD,
	ARG_UNKEYWORD,
	ARG_DATE,
	ARG_NUMBER,
	ARG_SECONDS,
	ARG_TEXT,	/* in the field of the row */
	ARG_FIELD_TEXT, /* a field's name and a text */
	ARG_UIDS,
	ARG_MODSEQ,
	ARG_ID,
};

static const struct key {
	const char *name;
	enum argument argument;
	enum search_key key;
	uint32_t flag; /* also: SEARCH_RECENT's value, MATCH_ */
	const char *field;
} keys[] = {
    {"ALL", ARG_NONE, SEARCH_ALL},
    {"ANSWERED", ARG_FLAG, SEARCH_FLAG, MAILDIR_REPLIED},
    {"DELETED", ARG_FLAG, SEARCH_FLAG, MAILDIR_TRASHED},
    {"DRAFT", ARG_FLAG, SEARCH_FLAG, MAILDIR_DRAFT},
    {"FLAGGED", ARG_FLAG, SEARCH_FLAG, MAILDIR_FLAGGED},
    {"SEEN", ARG_FLAG, SEARCH_FLAG, MAILDIR_SEEN},
    {"UNANSWERED", ARG_UNFLAG, SEARCH_FLAG, MAILDIR_REPLIED},
    {"UNDELETED", ARG_UNFLAG, SEARCH_FLAG, MAILDIR_TRASHED},
    {"UNDRAFT", ARG_UNFLAG, SEARCH_FLAG, MAILDIR_DRAFT},
    {"UNFLAGGED", ARG_UNFLAG, SEARCH_FLAG, MAILDIR_FLAGGED},
    {"UNSEEN", ARG_UNFLAG, SEARCH_FLAG, MAILDIR_SEEN},
    {"RECENT", ARG_FLAG, SEARCH_RECENT, 0},
    {"NEW", ARG_FLAG, SEARCH_RECENT, 1},
    {"OLD", ARG_UNFLAG, SEARCH_RECENT, 0},
    {"KEYWORD", ARG_KEYWORD, SEARCH_FLAG},
    {"UNKEYWORD", ARG_UNKEYWORD, SEARCH_FLAG},
    {"BEFORE", ARG_DATE, SEARCH_BEFORE},
    {"ON", ARG_DATE, SEARCH_ON},
    {"SINCE", ARG_DATE, SEARCH_SINCE},
    {"SENTBEFORE", ARG_DATE, SEARCH_SENTBEFORE},
    {"SENTON", ARG_DATE, SEARCH_SENTON},
    {"SENTSINCE", ARG_DATE, SEARCH_SENTSINCE},
    {"OLDER", ARG_SECONDS, SEARCH_OLDER},
    {"YOUNGER", ARG_SECONDS, SEARCH_YOUNGER},
    {"LARGER", ARG_NUMBER, SEARCH_LARGER},
    {"SMALLER", ARG_NUMBER, SEARCH_SMALLER},
    {"BCC", ARG_TEXT, SEARCH_TEXT, MATCH_HEADER, "Bcc"},
    {"CC", ARG_TEXT, SEARCH_TEXT, MATCH_HEADER, "Cc"},
    {"FROM", ARG_TEXT, SEARCH_TEXT, MATCH_HEADER, "From"},
    {"SUBJECT", ARG_TEXT, SEARCH_TEXT, MATCH_HEADER, "Subject"},
    {"TO", ARG_TEXT, SEARCH_TEXT, MATCH_HEADER, "To"},
    {"BODY", ARG_TEXT, SEARCH_TEXT, MATCH_BODY},
    {"TEXT", ARG_TEXT, SEARCH_TEXT, MATCH_TEXT},
    {"HEADER", ARG_FIELD_TEXT, SEARCH_TEXT, MATCH_HEADER},
    {"UID", ARG_UIDS, SEARCH_UIDS},
    {"MODSEQ", ARG_MODSEQ, SEARCH_MODSEQ},
    {"EMAILID", ARG_ID, SEARCH_EMAILID},
    {"THREADID", ARG_ID, SEARCH_NOTHING},
    {"SAVEDBEFORE", ARG_DATE, SEARCH_SAVEDBEFORE},
    {"SAVEDON", ARG_DATE, SEARCH_SAVEDON},
    {"SAVEDSINCE", ARG_DATE, SEARCH_SAVEDSINCE},
    {"SAVEDATESUPPORTED", ARG_NONE, SEARCH_ALL},
};

enum open { OPEN_LIST, OPEN_NOT, OPEN_OR };

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
	struct search_step *step;

	if (program->steps == program->room) {
		size_t room = program->room * 2 + 16;

		step = reallocarray(program->step, room, sizeof(*step));
		if (step == NULL || program->steps >= 2 * SEARCH_KEYS_MAX) {
			if (step != NULL) {
				program->step = step;
				program->room = room;
			}
			(void)fail(p, SEARCH_TOO_MUCH);
			return NULL;
		}
		program->step = step;
		program->room = room;
	}
	step = &program->step[program->steps++];
	memset(step, 0, sizeof(*step));
	step->key = key;
	return step;
}

/* --- arguments --- */

static bool
add_flag(struct parsing *p, const struct key *key, bool set)
{
	struct search_step *step = add(p, key->key);

	if (step == NULL)
		return false;
	step->flags = key->flag;
	step->value = key->flag;
	return set || add(p, SEARCH_NOT) != NULL;
}

static bool
add_keyword(struct parsing *p, bool set)
{
	struct flag_list list = {.count = 1};
	struct search_step *step;
	struct word *word = &list.keyword[0];

	if (!args_atom(p->args, NULL, word) || word->len > FLAGS_KEYWORD_MAX)
		return fail(p, SEARCH_MALFORMED);
	step = add(p, SEARCH_FLAG);
	if (step == NULL)
		return false;
	(void)flags_letters(p->session->box->folder, &list, false, &step->keywords);
	if (word_is(*word, "$Forwarded"))
		step->flags = MAILDIR_PASSED;
	return set || add(p, SEARCH_NOT) != NULL;
}

static bool
add_set(struct parsing *p, enum search_key key)
{
	struct mailbox *box = p->session->box;
	struct search_step *step;
	uint32_t star = (uint32_t)box->count;
	struct word set;

	if (!args_set(p->args, &set))
		return fail(p, SEARCH_MALFORMED);
	step = add(p, key);
	if (step == NULL)
		return false;
	if (key == SEARCH_NUMBERS)
		p->session->by_number = true; /* also in UID SEARCH: RFC 9051 section 7.5.1 */
	if (word_is(set, "$")) {
		step->key = SEARCH_UIDS;
		return sequence_copy(&p->session->saved, &step->set) || fail(p, SEARCH_TOO_MUCH);
	}
	if (key == SEARCH_UIDS)
		star = mailbox_last_uid(box);
	return sequence_parse(&step->set, set.at, set.len, star) == SEQUENCE_OK ||
	       fail(p, SEARCH_MALFORMED);
}

static bool
add_number(struct parsing *p, const struct key *key)
{
	struct search_step *step = add(p, key->key);
	uint64_t size;
	uint32_t seconds;

	if (step == NULL)
		return false;
	if (key->argument == ARG_DATE)
		return args_date(p->args, &step->value) || fail(p, SEARCH_MALFORMED);
	if (key->argument == ARG_SECONDS) {
		if (!args_nz_number(p->args, &seconds))
			return fail(p, SEARCH_MALFORMED);
		step->value = p->now - (int64_t)seconds;
		return true;
	}
	if (!args_number64(p->args, &size))
		return fail(p, SEARCH_MALFORMED);
	step->value = (int64_t)size;
	return true;
}

/*
 * "\"/flags/\\\\draft\" all 620162338": RFC 7162 section 3.1.5.  Which flag is of no matter where a
 * message has one mod-sequence.
 */
static bool
add_modseq(struct parsing *p)
{
	struct search_step *step = add(p, SEARCH_MODSEQ);
	struct word entry, type;
	uint64_t modseq;

	if (step == NULL)
		return false;
	p->program->modseq = true;
	if (args_next_is(p->args, '"')) {
		if (!args_quoted(p->args, &entry) || entry.len < 8 ||
		    strncasecmp(entry.at, "/flags/", 7) != 0 || !args_space(p->args) ||
		    !args_atom(p->args, NULL, &type) || !args_space(p->args) ||
		    !(word_is(type, "priv") || word_is(type, "shared") || word_is(type, "all")))
			return fail(p, SEARCH_MALFORMED);
	}
	if (!args_number64(p->args, &modseq))
		return fail(p, SEARCH_MALFORMED);
	step->value = (int64_t)modseq;
	return true;
}

/* RFC 8474 section 7: letters, digits, "_" and "-". */
static bool
is_id(struct word id)
{
	for (size_t i = 0; i < id.len; i++) {
		char c = id.at[i];

		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			c == '_' || c == '-'))
			return false;
	}
	return id.len > 0 && id.len < MAILDIR_ID_SIZE;
}

static bool
add_id(struct parsing *p, enum search_key key)
{
	struct search_step *step = add(p, key);
	struct word id;

	if (step == NULL)
		return false;
	if (!args_astring(p->args, &id) || !is_id(id))
		return fail(p, SEARCH_MALFORMED);
	step->id = strndup(id.at, id.len);
	return step->id != NULL || fail(p, SEARCH_TOO_MUCH);
}

/* A text as match.h wants it: UTF-8 of the command's charset, mapped. */
static bool
map_text(struct parsing *p, struct word word, struct match *match)
{
	struct mdtext utf8 = {0}, mapped = {0};
	struct charset_carry carry = {.len = 0};

	if (p->charset != NULL)
		charset_to_utf8(p->charset, &carry, word.at, word.len, true, &utf8);
	else
		mdtext_add(&utf8, word.at, word.len);
	if (match->where == MATCH_HEADER)
		(void)words_squeeze(&utf8, false);
	casemap_add(utf8.data, utf8.len, &mapped);
	match->text = mapped.data;
	match->len = mapped.len;
	mdtext_clear(&utf8);
	return (!utf8.failed && !mapped.failed) || fail(p, SEARCH_TOO_MUCH);
}

/* A question to be filled in: about fields that are remembered, or about the whole message. */
static struct match *
add_match(struct parsing *p, enum match_where where, struct word field)
{
	struct search_program *program = p->program;
	bool remembered = where == MATCH_HEADER && fields_has(field.at, field.len);
	struct match **all = remembered ? &program->field : &program->text;
	size_t *count = remembered ? &program->fields : &program->texts;
	struct search_step *step;
	struct match *match;

	if (program->fields + program->texts == SEARCH_TEXTS_MAX)
		return NULL;
	if (*all == NULL)
		*all = calloc(SEARCH_TEXTS_MAX, sizeof(**all));
	if (*all == NULL)
		return NULL;
	step = add(p, remembered ? SEARCH_FIELD : SEARCH_TEXT);
	if (step == NULL)
		return NULL;
	step->value = (int64_t)*count;
	match = &(*all)[(*count)++];
	match->where = where;
	if (where == MATCH_HEADER)
		match->field = strndup(field.at, field.len);
	return match;
}

static bool
add_text(struct parsing *p, const struct key *key)
{
	struct word field = {NULL, 0}, text;
	struct match *match;

	if (key->argument == ARG_FIELD_TEXT &&
	    (!args_astring(p->args, &field) || !args_space(p->args)))
		return fail(p, SEARCH_MALFORMED);
	if (!args_astring(p->args, &text))
		return fail(p, SEARCH_MALFORMED);
	/* An empty text is in every message; in a field it asks whether there is one. */
	if (text.len == 0 && key->flag != MATCH_HEADER)
		return add(p, SEARCH_ALL) != NULL;
	if (key->field != NULL)
		field = (struct word){(char *)(uintptr_t)key->field, strlen(key->field)};
	match = add_match(p, key->flag, field);
	if (match == NULL || (match->where == MATCH_HEADER && match->field == NULL))
		return fail(p, SEARCH_TOO_MUCH);
	return map_text(p, text, match);
}

static bool
add_key(struct parsing *p, const struct key *key)
{
	if (key->argument > ARG_UNFLAG && !args_space(p->args))
		return fail(p, SEARCH_MALFORMED);
	switch (key->argument) {
	case ARG_NONE:
		return add(p, key->key) != NULL;
	case ARG_FLAG:
	case ARG_UNFLAG:
		return add_flag(p, key, key->argument == ARG_FLAG);
	case ARG_KEYWORD:
	case ARG_UNKEYWORD:
		return add_keyword(p, key->argument == ARG_KEYWORD);
	case ARG_MODSEQ:
		return add_modseq(p);
	case ARG_ID:
		return add_id(p, key->key);
	case ARG_UIDS:
		return add_set(p, SEARCH_UIDS);
	case ARG_TEXT:
	case ARG_FIELD_TEXT:
		return add_text(p, key);
	default:
		return add_number(p, key);
	}
}

/* --- the structure --- */

static bool
open_one(struct parsing *p, enum open open)
{
	if (p->depth == IMAP_DEPTH_MAX)
		return fail(p, SEARCH_TOO_MUCH);
	p->stack[p->depth].open = open;
	p->stack[p->depth++].have = 0;
	return true;
}

/*
 * A key is whole, and all that it closes.  *more_r: another one follows, and the cursor stands at it;
 * else the search is over.
 */
static bool
close_key(struct parsing *p, bool *more_r)
{
	for (;;) {
		unsigned *have = &p->stack[p->depth - 1].have;
		enum open open = p->stack[p->depth - 1].open;

		++*have;
		if (open == OPEN_NOT || (open == OPEN_OR && *have == 2)) {
			if (add(p, open == OPEN_NOT ? SEARCH_NOT : SEARCH_OR) == NULL)
				return false;
			p->depth--;
			continue;
		}
		if (open == OPEN_LIST && *have > 1 && add(p, SEARCH_AND) == NULL)
			return false;
		*more_r = args_more(p->args);
		if (*more_r)
			return true;
		if (open == OPEN_LIST && p->depth > 1 && args_close(p->args)) {
			p->depth--;
			continue;
		}
		return (open == OPEN_LIST && p->depth == 1 && args_end(p->args)) ||
		       fail(p, SEARCH_MALFORMED);
	}
}

/* What stands at the cursor: a key, or what opens one.  *whole_r: a key is whole. */
static bool
take_one(struct parsing *p, bool *whole_r)
{
	struct word word;

	*whole_r = false;
	if (args_open(p->args))
		return open_one(p, OPEN_LIST);
	*whole_r = true;
	if (p->args->at < p->args->end && ((*p->args->at >= '0' && *p->args->at <= '9') ||
					      *p->args->at == '*' || *p->args->at == '$'))
		return add_set(p, SEARCH_NUMBERS);
	if (!args_atom(p->args, NULL, &word))
		return fail(p, SEARCH_MALFORMED);
	if (word_is(word, "NOT") || word_is(word, "OR")) {
		*whole_r = false;
		return open_one(p, word_is(word, "NOT") ? OPEN_NOT : OPEN_OR) &&
		       (args_space(p->args) || fail(p, SEARCH_MALFORMED));
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (word_is(word, keys[i].name))
			return add_key(p, &keys[i]);
	return fail(p, SEARCH_MALFORMED);
}

static bool
take_keys(struct parsing *p)
{
	bool whole, more = true;

	if (!open_one(p, OPEN_LIST))
		return false;
	while (more) {
		if (!take_one(p, &whole) || (whole && !close_key(p, &more)))
			return false;
	}
	return true;
}

/* "RETURN (MIN MAX) " */
static bool
take_returns(struct args *args, bool *extended_r, unsigned *returns_r)
{
	static const struct {
		const char *name;
		unsigned bit;
	} options[] = {{"MIN", RETURN_MIN}, {"MAX", RETURN_MAX}, {"ALL", RETURN_ALL},
	    {"COUNT", RETURN_COUNT}, {"SAVE", RETURN_SAVE}};
	struct args ahead = *args;
	struct word word;
	size_t i;

	*extended_r = false;
	*returns_r = 0;
	if (!args_atom(&ahead, NULL, &word) || !word_is(word, "RETURN"))
		return true;
	*args = ahead;
	*extended_r = true;
	if (!args_space(args) || !args_open(args))
		return false;
	for (bool more = !args_next_is(args, ')'); more; more = args_more(args)) {
		if (!args_atom(args, NULL, &word))
			return false;
		for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
			if (word_is(word, options[i].name))
				break;
		if (i == sizeof(options) / sizeof(options[0]))
			return false;
		*returns_r |= options[i].bit;
	}
	if (*returns_r == 0)
		*returns_r = RETURN_ALL; /* RFC 4731 section 3.1 */
	return args_close(args) && args_space(args);
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
		return fail(p, SEARCH_MALFORMED);
	/* RFC 6855 section 3: nothing but UTF-8 then, and no word about it. */
	if (p->session->utf8_accept)
		return fail(p, SEARCH_MALFORMED);
	p->charset = charset_find(word.at, word.len);
	return p->charset != NULL || fail(p, SEARCH_BAD_CHARSET);
}

/* Whether all that is asked of fields is in MAILDIR_DECODED; days are not. */
static bool
asks_decoded(const struct search_program *program)
{
	for (size_t i = 0; i < program->steps; i++)
		if (program->step[i].key >= SEARCH_SENTBEFORE &&
		    program->step[i].key <= SEARCH_SENTSINCE)
			return false;
	for (size_t i = 0; i < program->fields; i++)
		if (!fields_decoded_has(program->field[i].field))
			return false;
	return true;
}

enum search_parsed
search_parse(struct session *session, struct args *args, int64_t now,
    struct search_program *program_r, bool *extended_r, unsigned *returns_r)
{
	struct parsing p = {
	    .session = session,
	    .args = args,
	    .program = program_r,
	    .now = now,
	    .result = SEARCH_MALFORMED,
	};

	memset(program_r, 0, sizeof(*program_r));
	if (!take_returns(args, extended_r, returns_r) || !take_charset(&p) || !take_keys(&p))
		return p.result;
	program_r->decoded = asks_decoded(program_r);
	return SEARCH_PARSED;
}

static void
clear_matches(struct match *match, size_t count)
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
