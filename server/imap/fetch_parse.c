/*
 * fetch_parse.c: what FETCH is asked for.
 * Runs as: mail user.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/maildir.h"
#include "maildir/message/fields.h"
#include "server/imap/fetch.h"

static const struct {
	const char *name;
	unsigned items;
} items[] = {
    {"UID", FETCH_UID},
    {"FLAGS", FETCH_FLAGS},
    {"INTERNALDATE", FETCH_INTERNALDATE},
    {"RFC822.SIZE", FETCH_SIZE},
    {"ENVELOPE", FETCH_ENVELOPE},
    {"BODYSTRUCTURE", FETCH_BODYSTRUCTURE},
    {"MODSEQ", FETCH_MODSEQ},
    {"EMAILID", FETCH_EMAILID},
    {"THREADID", FETCH_THREADID},
    {"SAVEDATE", FETCH_SAVEDATE},
};

static const struct {
	const char *name;
	unsigned items;
} macros[] = {
    {"FAST", FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE},
    {"ALL", FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE | FETCH_ENVELOPE},
    {"FULL", FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE | FETCH_ENVELOPE | FETCH_BODY},
};

static const struct {
	const char *name;
	enum section_part part;
	bool peek;
} whole[] = {
    {"RFC822", SECTION_WHOLE, false},
    {"RFC822.HEADER", SECTION_HEADER, true},
    {"RFC822.TEXT", SECTION_TEXT, false},
};

static struct section *
new_section(struct fetch_plan *plan)
{
	struct section *grown;

	if (plan->sections == FETCH_SECTIONS_MAX)
		return NULL;
	grown = reallocarray(plan->section, plan->sections + 1, sizeof(*grown));
	if (grown == NULL)
		return NULL;
	plan->section = grown;
	memset(&grown[plan->sections], 0, sizeof(*grown));
	return &grown[plan->sections++];
}

/* A name of a header field, told back as it was sent: as an atom, or quoted where it is none. */
static void
put_field_name(struct mdtext *label, struct word word)
{
	bool atom = word.len > 0;

	for (size_t i = 0; i < word.len; i++)
		atom = atom && word.at[i] > 0x20 && word.at[i] < 0x7f &&
		       strchr("(){%*\"\\[]", word.at[i]) == NULL;
	if (!atom)
		mdtext_add(label, "\"", 1);
	for (size_t i = 0; i < word.len; i++) {
		if (word.at[i] == '"' || word.at[i] == '\\')
			mdtext_add(label, "\\", 1);
		mdtext_add(label, word.at + i, 1);
	}
	if (!atom)
		mdtext_add(label, "\"", 1);
}

/* A field's name that could be none is wrong; so its octets can never begin a line of an answer. */
static bool
is_field_name(struct word word)
{
	for (size_t i = 0; i < word.len; i++)
		if ((unsigned char)word.at[i] < 0x20 || (unsigned char)word.at[i] > 0x7e)
			return false;
	return word.len > 0 && word.len <= HEADER_NAME_MAX;
}

/* " (From To)" */
static bool
take_fields(struct args *args, struct section *section)
{
	const char **name = calloc(FETCH_FIELDS_MAX, sizeof(*name));
	struct word word;

	section->fields.name = name;
	if (name == NULL || !args_space(args) || !args_open(args))
		return false;
	mdtext_addf(&section->label, " (");
	section->remembered = section->numbers == 0 && !section->fields.except;
	do {
		if (section->fields.count == FETCH_FIELDS_MAX || !args_astring(args, &word) ||
		    !is_field_name(word))
			return false;
		if (section->fields.count > 0)
			mdtext_add(&section->label, " ", 1);
		put_field_name(&section->label, word);
		section->remembered = section->remembered && fields_has(word.at, word.len);
		name[section->fields.count] = strndup(word.at, word.len);
		if (name[section->fields.count++] == NULL)
			return false;
	} while (args_more(args));
	mdtext_add(&section->label, ")", 1);
	return args_close(args);
}

/* "HEADER.FIELDS.NOT (...)": what stands behind the numbers, if anything. */
static bool
take_part(struct args *args, struct section *section)
{
	static const struct {
		const char *name;
		enum section_part part;
	} parts[] = {
	    {"HEADER", SECTION_HEADER},
	    {"HEADER.FIELDS", SECTION_FIELDS},
	    {"HEADER.FIELDS.NOT", SECTION_FIELDS},
	    {"TEXT", SECTION_TEXT},
	    {"MIME", SECTION_MIME},
	};
	struct word word;

	if (!args_atom(args, NULL, &word))
		return false;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!word_is(word, parts[i].name))
			continue;
		section->part = parts[i].part;
		mdtext_addf(&section->label, "%s", parts[i].name);
		section->fields.except = word_is(word, "HEADER.FIELDS.NOT");
		return section->part != SECTION_FIELDS || take_fields(args, section);
	}
	return false;
}

/* "1.2.HEADER]" */
static bool
take_spec(struct args *args, struct section *section)
{
	bool more = false; /* a dot was read: something must follow */

	while (args->at < args->end && *args->at >= '0' && *args->at <= '9') {
		if (section->numbers == MIME_DEPTH_MAX ||
		    !args_nz_number(args, &section->number[section->numbers]))
			return false;
		mdtext_addf(&section->label, "%s%" PRIu32, section->numbers > 0 ? "." : "",
		    section->number[section->numbers]);
		section->numbers++;
		more = args_char(args, '.');
		if (!more)
			break;
	}
	if (more || (section->numbers == 0 && !args_next_is(args, ']'))) {
		if (section->kind != SECTION_BODY)
			return false;
		if (more)
			mdtext_add(&section->label, ".", 1);
		if (!take_part(args, section) ||
		    (section->part == SECTION_MIME && section->numbers == 0))
			return false;
	}
	mdtext_add(&section->label, "]", 1);
	return args_char(args, ']');
}

/* "<0.1024>" */
static bool
take_partial(struct args *args, struct section *section)
{
	if (!args_char(args, '<'))
		return true;
	section->partial = true;
	return section->kind != SECTION_BINARY_SIZE && args_number64(args, &section->origin) &&
	       args_char(args, '.') && args_number64(args, &section->length) &&
	       section->length > 0 && args_char(args, '>');
}

/* BODY[ and its kin; the "[" comes next. */
static bool
take_section(struct args *args, struct fetch_plan *plan, struct word word)
{
	static const struct {
		const char *name, *label;
		enum section_kind kind;
		bool peek;
	} kinds[] = {
	    {"BODY", "BODY[", SECTION_BODY, false},
	    {"BODY.PEEK", "BODY[", SECTION_BODY, true},
	    {"BINARY", "BINARY[", SECTION_BINARY, false},
	    {"BINARY.PEEK", "BINARY[", SECTION_BINARY, true},
	    {"BINARY.SIZE", "BINARY.SIZE[", SECTION_BINARY_SIZE, true},
	};
	struct section *section;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!word_is(word, kinds[i].name))
			continue;
		section = new_section(plan);
		if (section == NULL || !args_char(args, '['))
			return false;
		section->kind = kinds[i].kind;
		section->peek = kinds[i].peek;
		mdtext_addf(&section->label, "%s", kinds[i].label);
		return take_spec(args, section) && take_partial(args, section);
	}
	return false;
}

static bool
take_item(struct args *args, struct fetch_plan *plan)
{
	struct section *section;
	struct word word;

	/* "[" is an ATOM-CHAR, but none in front of a section. */
	word.at = args->at;
	while (args->at < args->end && strchr("[ ()", *args->at) == NULL)
		args->at++;
	word.len = (size_t)(args->at - word.at);
	if (args_next_is(args, '['))
		return take_section(args, plan, word);
	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
		if (word_is(word, items[i].name)) {
			plan->items |= items[i].items;
			return true;
		}
	}
	if (word_is(word, "BODY")) {
		plan->items |= FETCH_BODY;
		return true;
	}
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		if (!word_is(word, whole[i].name))
			continue;
		section = new_section(plan);
		if (section == NULL)
			return false;
		section->part = whole[i].part;
		section->peek = whole[i].peek;
		mdtext_addf(&section->label, "%s", whole[i].name);
		return true;
	}
	return false;
}

static bool
take_macro(struct args *args, struct fetch_plan *plan)
{
	struct args ahead = *args;
	struct word word;

	if (!args_atom(&ahead, NULL, &word) || !(args_end(&ahead) || args_next_is(&ahead, ' ')))
		return false;
	for (size_t i = 0; i < sizeof(macros) / sizeof(macros[0]); i++) {
		if (word_is(word, macros[i].name)) {
			plan->items = macros[i].items;
			*args = ahead;
			return true;
		}
	}
	return false;
}

static bool
take_items(struct args *args, struct fetch_plan *plan)
{
	if (take_macro(args, plan))
		return true;
	if (!args_open(args))
		return take_item(args, plan);
	do {
		if (!take_item(args, plan))
			return false;
	} while (args_more(args));
	return args_close(args);
}

/*
 * "(CHANGEDSINCE 12345 VANISHED)": RFC 7162 sections 3.1.4.1 and 3.2.6.  0 is no mod-sequence there, but what
 * iPhones send until they have been told one.
 */
static bool
take_modifiers(struct args *args, struct fetch_plan *plan)
{
	struct word word;
	bool since = false;

	if (!args_open(args))
		return false;
	if (args_close(args))
		return true;
	do {
		if (!args_atom(args, NULL, &word))
			return false;
		if (word_is(word, "CHANGEDSINCE")) {
			if (since || !args_space(args) ||
			    !args_number64(args, &plan->changed_since))
				return false;
			since = true;
		} else if (word_is(word, "VANISHED")) {
			plan->vanished = true;
		} else {
			return false;
		}
	} while (args_more(args));
	if (since)
		plan->items |= FETCH_MODSEQ;
	return args_close(args) && (!plan->vanished || since);
}

bool
fetch_parse(struct args *args, struct fetch_plan *plan_r)
{
	memset(plan_r, 0, sizeof(*plan_r));
	if (!take_items(args, plan_r))
		return false;
	if (args_end(args))
		return true;
	return args_space(args) && take_modifiers(args, plan_r) && args_end(args);
}

void
fetch_clear(struct fetch_plan *plan)
{
	for (size_t i = 0; i < plan->sections; i++) {
		struct section *section = &plan->section[i];

		for (size_t k = 0; k < section->fields.count; k++)
			free((void *)(uintptr_t)section->fields.name[k]);
		free((void *)(uintptr_t)section->fields.name);
		mdtext_clear(&section->label);
	}
	free(plan->section);
	memset(plan, 0, sizeof(*plan));
}
