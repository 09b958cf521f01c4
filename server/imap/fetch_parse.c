/*
 * fetch_parse.c: reads what FETCH is asked for.
 * Runs as: mail user.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/base/array.h"
#include "maildir/base/number.h"
#include "maildir/message/message.h"
#include "server/imap/fetch.h"

/* All that FETCH can be asked for: items, or a section.  After a name with "[" a specification follows. */
static const struct attribute {
	const char *name;
	unsigned items; /* 0: a section */
	bool macro;	/* only without parentheses */
	const char *label;
	enum section_kind kind;
	enum section_part part;
	bool peek;
} attributes[] = {
    {"UID", FETCH_UID},
    {"FLAGS", FETCH_FLAGS},
    {"INTERNALDATE", FETCH_INTERNALDATE},
    {"RFC822.SIZE", FETCH_SIZE},
    {"ENVELOPE", FETCH_ENVELOPE},
    {"BODY", FETCH_BODY},
    {"BODYSTRUCTURE", FETCH_BODYSTRUCTURE},
    {"MODSEQ", FETCH_MODSEQ},
    {"EMAILID", FETCH_EMAILID},
    {"THREADID", FETCH_THREADID},
    {"SAVEDATE", FETCH_SAVEDATE},
    {"FAST", FETCH_FAST, true},
    {"ALL", FETCH_FAST | FETCH_ENVELOPE, true},
    {"FULL", FETCH_FAST | FETCH_ENVELOPE | FETCH_BODY, true},
    {"BODY[", 0, false, "BODY[", SECTION_BODY, SECTION_WHOLE, false},
    {"BODY.PEEK[", 0, false, "BODY[", SECTION_BODY, SECTION_WHOLE, true},
    {"BINARY[", 0, false, "BINARY[", SECTION_BINARY, SECTION_WHOLE, false},
    {"BINARY.PEEK[", 0, false, "BINARY[", SECTION_BINARY, SECTION_WHOLE, true},
    {"BINARY.SIZE[", 0, false, "BINARY.SIZE[", SECTION_BINARY_SIZE, SECTION_WHOLE, true},
    {"RFC822", 0, false, "RFC822", SECTION_BODY, SECTION_WHOLE, false},
    {"RFC822.HEADER", 0, false, "RFC822.HEADER", SECTION_BODY, SECTION_HEADER, true},
    {"RFC822.TEXT", 0, false, "RFC822.TEXT", SECTION_BODY, SECTION_TEXT, false},
};

/* Adds a field's name as the client sent it: as an atom, or quoted where it is not an atom. */
static void
put_field_name(struct mdbuf *label, struct word word)
{
	bool atom = word.len > 0;

	for (size_t i = 0; i < word.len; i++)
		atom = atom && word.at[i] > 0x20 && word.at[i] < 0x7f &&
		       strchr("(){%*\"\\[]", word.at[i]) == NULL;
	if (!atom)
		mdbuf_add(label, "\"", 1);
	for (size_t i = 0; i < word.len; i++) {
		if (word.at[i] == '"' || word.at[i] == '\\')
			mdbuf_add(label, "\\", 1);
		mdbuf_add(label, word.at + i, 1);
	}
	if (!atom)
		mdbuf_add(label, "\"", 1);
}

/* Printable ASCII only: so the octets of a name can never begin a line of an answer. */
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
	mdbuf_addf(&section->label, " (");
	section->indexed = section->numbers == 0 && !section->fields.except;
	do {
		if (section->fields.count == FETCH_FIELDS_MAX || !args_astring(args, &word) ||
		    !is_field_name(word))
			return false;
		if (section->fields.count > 0)
			mdbuf_add(&section->label, " ", 1);
		put_field_name(&section->label, word);
		section->indexed = section->indexed && remembered_has(word.at, word.len);
		name[section->fields.count] = strndup(word.at, word.len);
		if (name[section->fields.count++] == NULL)
			return false;
	} while (args_more(args));
	mdbuf_add(&section->label, ")", 1);
	return args_close(args);
}

/* "HEADER.FIELDS.NOT (...)" */
static bool
take_part(struct args *args, struct section *section)
{
	static const struct part {
		const char *name;
		enum section_part part;
		bool except;
	} parts[] = {
	    {"HEADER", SECTION_HEADER},
	    {"HEADER.FIELDS", SECTION_FIELDS},
	    {"HEADER.FIELDS.NOT", SECTION_FIELDS, true},
	    {"TEXT", SECTION_TEXT},
	    {"MIME", SECTION_MIME},
	};
	const struct part *part;
	struct word word;

	if (!args_atom(args, NULL, &word))
		return false;
	part = word_row(word, parts, sizeof(parts) / sizeof(parts[0]), sizeof(parts[0]));
	if (part == NULL || (part->part == SECTION_MIME && section->numbers == 0))
		return false;
	section->part = part->part;
	section->fields.except = part->except;
	mdbuf_addf(&section->label, "%s", part->name);
	return section->part != SECTION_FIELDS || take_fields(args, section);
}

/* "1.2.HEADER]" */
static bool
take_spec(struct args *args, struct section *section)
{
	bool dot = false; /* the last that was read: something must follow */

	while (args->at < args->end && number_is_digit(*args->at)) {
		uint32_t *number = &section->number[section->numbers];

		if (section->numbers == MIME_DEPTH_MAX || !args_nz_number(args, number))
			return false;
		mdbuf_addf(&section->label, "%s%" PRIu32, section->numbers > 0 ? "." : "", *number);
		section->numbers++;
		dot = args_char(args, '.');
		if (!dot)
			break;
	}
	if (dot || (section->numbers == 0 && !args_next_is(args, ']'))) {
		if (dot)
			mdbuf_add(&section->label, ".", 1);
		if (section->kind != SECTION_BODY || !take_part(args, section))
			return false;
	}
	mdbuf_add(&section->label, "]", 1);
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

/* The rest of a section; more: it has a specification. */
static bool
take_section(
    struct args *args, struct fetch_plan *plan, const struct attribute *attribute, bool more)
{
	struct section *section;

	if (plan->sections == FETCH_SECTIONS_MAX)
		return false;
	section = array_grow(plan->section, plan->sections, &plan->room, sizeof(*section));
	if (section == NULL)
		return false;
	plan->section = section;
	section += plan->sections++;
	*section = (struct section){
	    .kind = attribute->kind, .part = attribute->part, .peek = attribute->peek};
	mdbuf_addf(&section->label, "%s", attribute->label);
	return !more || (take_spec(args, section) && take_partial(args, section));
}

static bool
take_item(struct args *args, struct fetch_plan *plan, bool alone)
{
	const struct attribute *attribute;
	struct word word = {args->at, 0};
	bool more;

	while (args->at < args->end && strchr("[ ()", *args->at) == NULL)
		args->at++;
	more = args_char(args, '[');
	word.len = (size_t)(args->at - word.at);
	attribute = word_row(
	    word, attributes, sizeof(attributes) / sizeof(attributes[0]), sizeof(attributes[0]));
	if (attribute == NULL || (attribute->macro && !alone))
		return false;
	plan->items |= attribute->items;
	return attribute->items != 0 || take_section(args, plan, attribute, more);
}

static bool
take_items(struct args *args, struct fetch_plan *plan)
{
	if (!args_open(args))
		return take_item(args, plan, true);
	do {
		if (!take_item(args, plan, false))
			return false;
	} while (args_more(args));
	return args_close(args);
}

/*
 * "(CHANGEDSINCE 12345 VANISHED)": RFC 7162 sections 3.1.4.1 and 3.2.6.  There a mod-sequence is above 0, but
 * iPhones send 0 until they know one.
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
		if (word_is(word, "CHANGEDSINCE") && !since && args_space(args) &&
		    args_number64(args, &plan->changed_since))
			since = true;
		else if (word_is(word, "VANISHED"))
			plan->vanished = true;
		else
			return false;
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
		mdbuf_clear(&section->label);
	}
	free(plan->section);
	memset(plan, 0, sizeof(*plan));
}
