/*
 * test_server_imap_fetch_parse.c: what FETCH is asked for: items, macros, sections, partials; and what
 * is none of these.
 *
 * A plan is written down as a text: its items, and for each section its kind (BODY, BINARY, SIZE), "peek",
 * the numbers and fields that were understood, and the label with the partial as the answer tells it.
 */
#include "server_fixture.h"

#include "server/imap/fetch.h"

static const struct {
	unsigned item;
	const char *name;
} item_names[] = {{FETCH_UID, "UID"}, {FETCH_FLAGS, "FLAGS"}, {FETCH_INTERNALDATE, "DATE"},
    {FETCH_SIZE, "SIZE"}, {FETCH_ENVELOPE, "ENVELOPE"}, {FETCH_BODY, "BODY"},
    {FETCH_BODYSTRUCTURE, "STRUCTURE"}};

static void
describe_section(const struct section *section, struct mdbuf *out)
{
	static const char *const kinds[] = {"BODY", "BINARY", "SIZE"};
	static const char *const parts[] = {"", " header", " fields", " text", " mime"};

	mdbuf_addf(out, "%s%s%s", kinds[section->kind], section->peek ? " peek" : "",
	    parts[section->part]);
	for (size_t i = 0; i < section->numbers; i++)
		mdbuf_addf(out, "%s%u", i == 0 ? " " : ".", (unsigned)section->number[i]);
	for (size_t i = 0; i < section->fields.count; i++)
		mdbuf_addf(out, "%s%s",
		    i > 0		     ? ","
		    : section->fields.except ? " not:"
					     : " only:",
		    section->fields.name[i]);
	mdbuf_addf(out, " %.*s", (int)section->label.len, section->label.data);
	if (section->partial)
		mdbuf_addf(out, "<%llu.%llu>", (unsigned long long)section->origin,
		    (unsigned long long)section->length);
}

/* NULL when it is wrong. */
static char *
parse(const char *text, size_t len)
{
	char *copy = malloc(len + (len == 0)); /* exact, so that a look past the end is seen */
	struct args args;
	struct fetch_plan plan;
	struct mdbuf out = {0};

	assert_non_null(copy);
	memcpy(copy, text, len);
	args = (struct args){.at = copy, .end = copy + len};
	if (fetch_parse(&args, &plan)) {
		for (size_t i = 0; i < COUNT(item_names); i++)
			if ((plan.items & item_names[i].item) != 0)
				mdbuf_addf(
				    &out, "%s%s", out.len > 0 ? " " : "", item_names[i].name);
		for (size_t i = 0; i < plan.sections; i++) {
			mdbuf_addf(&out, "%s", out.len > 0 ? "; " : "");
			describe_section(&plan.section[i], &out);
		}
		mdbuf_add(&out, "", 1);
	}
	fetch_clear(&plan);
	free(copy);
	return out.data;
}

static const struct {
	const char *text, *wanted;
} good[] = {
    {"FLAGS", "FLAGS"},
    {"(FLAGS)", "FLAGS"},
    {"flags", "FLAGS"},
    {"(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE)",
	"UID FLAGS DATE SIZE ENVELOPE BODY STRUCTURE"},
    {"(FLAGS FLAGS)", "FLAGS"},
    {"FAST", "FLAGS DATE SIZE"},
    {"all", "FLAGS DATE SIZE ENVELOPE"},
    {"FULL", "FLAGS DATE SIZE ENVELOPE BODY"},
    {"BODY", "BODY"},
    {"BODYSTRUCTURE", "STRUCTURE"},
    {"RFC822", "BODY RFC822"},
    {"RFC822.HEADER", "BODY peek header RFC822.HEADER"},
    {"RFC822.TEXT", "BODY text RFC822.TEXT"},
    {"BODY[]", "BODY BODY[]"},
    {"BODY.PEEK[]", "BODY peek BODY[]"},
    {"body.peek[header]", "BODY peek header BODY[HEADER]"},
    {"BODY[TEXT]", "BODY text BODY[TEXT]"},
    {"BODY[1]", "BODY 1 BODY[1]"},
    {"BODY[1.2.3]", "BODY 1.2.3 BODY[1.2.3]"},
    {"BODY[4294967295]", "BODY 4294967295 BODY[4294967295]"},
    {"BODY[2.MIME]", "BODY mime 2 BODY[2.MIME]"},
    {"BODY[2.HEADER]", "BODY header 2 BODY[2.HEADER]"},
    {"BODY[1.1.TEXT]", "BODY text 1.1 BODY[1.1.TEXT]"},
    {"BODY[HEADER.FIELDS (From to)]", "BODY fields only:From,to BODY[HEADER.FIELDS (From to)]"},
    {"BODY[HEADER.FIELDS.NOT (Received)]",
	"BODY fields not:Received BODY[HEADER.FIELDS.NOT (Received)]"},
    {"BODY[3.HEADER.FIELDS (\"From\")]", "BODY fields 3 only:From BODY[3.HEADER.FIELDS (From)]"},
    {"BODY[HEADER.FIELDS ({4}\r\nFrom)]", "BODY fields only:From BODY[HEADER.FIELDS (From)]"},
    {"BODY[HEADER.FIELDS (\"a b\" \"q\\\"\\\\\")]",
	"BODY fields only:a b,q\"\\ BODY[HEADER.FIELDS (\"a b\" \"q\\\"\\\\\")]"},
    {"BODY[HEADER.FIELDS (x])]", "BODY fields only:x] BODY[HEADER.FIELDS (\"x]\")]"},
    {"BODY[]<0.1>", "BODY BODY[]<0.1>"},
    {"BODY[1]<9223372036854775807.9223372036854775807>",
	"BODY 1 BODY[1]<9223372036854775807.9223372036854775807>"},
    {"BINARY[1]", "BINARY 1 BINARY[1]"},
    {"BINARY.PEEK[1.2]<5.6>", "BINARY peek 1.2 BINARY[1.2]<5.6>"},
    {"BINARY[]", "BINARY BINARY[]"},
    {"BINARY.SIZE[2]", "SIZE peek 2 BINARY.SIZE[2]"},
    {"(UID BODY.PEEK[HEADER] BODY[TEXT]<0.10>)",
	"UID; BODY peek header BODY[HEADER]; BODY text BODY[TEXT]<0.10>"},
    /* mend13: blanks too many */
    {"FAST ", "FLAGS DATE SIZE"},
    {"( FLAGS  UID )  ", "UID FLAGS"},
    {"BODY[HEADER.FIELDS  ( From  To )] ",
	"BODY fields only:From,To BODY[HEADER.FIELDS (From To)]"},
    {"FLAGS ( ) ", "FLAGS"},
    {"FLAGS  ( CHANGEDSINCE  5 ) ", "FLAGS"},
};

static void
what_is_asked_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		char *plan = parse(good[i].text, strlen(good[i].text));

		if (plan == NULL)
			print_error("refused: %s\n", good[i].text);
		assert_non_null(plan);
		assert_string_equal(plan, good[i].wanted);
		free(plan);
	}
}

static const char *const wrong[] = {"", " ", "(", ")", "()", "( )", "(FLAGS", "(FLAGS ", "FLAGS)",
    "FLAGS UID", "((FLAGS))", "FLAG", "FLAGSS", "(FAST)", "FAST FLAGS", "UID[]", "ENVELOPE[1]",
    "RFC822[]", "RFC822.PEEK", "BODY.PEEK", "BINARY", "BINARY.SIZE", "BODYSTRUCTURE[1]", "BODY[",
    "BODY[ ]", "BODY[]]", "BODY []", "BODY[0]", "BODY[01x]", "BODY[4294967296]", "BODY[4294967297]",
    "BODY[-1]", "BODY[1.]", "BODY[.1]", "BODY[1..2]", "BODY[1.0]", "BODY[1 2]", "BODY[MIME]",
    "BODY[HEADERS]", "BODY[TEXT.1]", "BODY[HEADER.1]", "BODY[1HEADER]", "BODY[HEADER.FIELDS]",
    "BODY[HEADER.FIELDS ()]", "BODY[HEADER.FIELDS( From)]", "BODY[HEADER.FIELDS (From]",
    "BODY[HEADER.FIELDS ( )]", "BODY[HEADER.FIELDS From]", "BODY[HEADER.FIELDS (\"\")]",
    "BODY[HEADER.FIELDS (\"\xc3\xa4\")]", "BODY[HEADER.FIELDS (From)",
    "BODY[HEADER.FIELDS (From)]x", "BODY[]<>", "BODY[]<0>", "BODY[]<0.>", "BODY[]<.1>",
    "BODY[]<0.0>", "BODY[]<-1.1>", "BODY[]<0.1", "BODY[]<0.1>>", "BODY[]<0.1.2>", "BODY[] <0.1>",
    "BODY[]<9223372036854775808.1>", "BODY[]<0.18446744073709551617>", "RFC822<0.1>",
    "BINARY[HEADER]", "BINARY[TEXT]", "BINARY[1.MIME]", "BINARY[1.]", "BINARY.SIZE[1]<0.1>",
    "BODY[HEADER.FIELDS ({5}\r\nFr\nom)]", "BODY[HEADER.FIELDS ({4+}\r\nFr\r\n)]", "\\Seen",
    "\"FLAGS\""};

static void
what_is_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		char *plan = parse(wrong[i], strlen(wrong[i]));

		if (plan != NULL)
			print_error("taken: %s\n", wrong[i]);
		assert_null(plan);
	}
	assert_null(parse("FLAGS\0", 6));
	assert_null(parse("BODY[\0]", 7));
	assert_null(parse("FL\0GS", 5));
}

/* A list that is cut is wrong; of the others some are good, and none looks past its end. */
static void
cut_at_every_octet(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		for (size_t len = 0; len < strlen(good[i].text); len++) {
			char *plan = parse(good[i].text, len);

			if (good[i].text[0] == '(' && len <= strcspn(good[i].text, ")"))
				assert_null(plan);
			free(plan);
		}
	}
}

static char *
repeated(const char *before, const char *each, size_t times, const char *after)
{
	struct mdbuf text = {0};

	mdbuf_addf(&text, "%s", before);
	for (size_t i = 0; i < times; i++)
		mdbuf_addf(&text, "%s%s", each, i + 1 < times ? " " : "");
	mdbuf_addf(&text, "%s", after);
	mdbuf_add(&text, "", 1);
	assert_false(text.failed);
	return text.data;
}

static void
expect_bound(const char *before, const char *each, size_t most, const char *after)
{
	for (size_t over = 0; over < 2; over++) {
		char *text = repeated(before, each, most + over, after), *plan;

		plan = parse(text, strlen(text));
		assert_true((plan != NULL) == (over == 0));
		free(plan);
		free(text);
	}
}

static void
bounds(void **state)
{
	char numbers[2 * MIME_DEPTH_MAX + 16] = "BODY[1";
	char name[HEADER_NAME_MAX + 64];
	size_t len = strlen(numbers);
	char *plan;

	(void)state;
	expect_bound("(", "BODY[]", FETCH_SECTIONS_MAX, ")");
	expect_bound("(", "RFC822", FETCH_SECTIONS_MAX, ")");
	expect_bound("BODY[HEADER.FIELDS (", "X-Y", FETCH_FIELDS_MAX, ")]");
	for (size_t over = 0; over < 2; over++) {
		int n = snprintf(name, sizeof(name), "BODY[HEADER.FIELDS (%0*d)]",
		    (int)(HEADER_NAME_MAX + over), 0);

		plan = parse(name, (size_t)n);
		assert_true((plan != NULL) == (over == 0));
		free(plan);
	}
	for (size_t i = 1; i < MIME_DEPTH_MAX; i++, len += 2)
		memcpy(numbers + len, ".1", 2);
	memcpy(numbers + len, "]", 2);
	plan = parse(numbers, len + 1);
	assert_non_null(plan);
	free(plan);
	memcpy(numbers + len, ".1]", 4);
	assert_null(parse(numbers, len + 3));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_asked_for),
	    cmocka_unit_test(what_is_wrong),
	    cmocka_unit_test(cut_at_every_octet),
	    cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
