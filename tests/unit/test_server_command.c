/*
 * test_server_command.c: the row for a command, by its name and by what stands at IMAP's cursor, and whether its
 * arguments fit.
 */
#include "server_fixture.h"

#include "server/command.h"
#include "server/imap/imap.h"

static enum command_result
run(struct session *session, struct args *args)
{
	(void)session;
	(void)args;
	return COMMAND_OK;
}

static const struct command table[] = {
    {"NOOP", 1, 0, COMMAND_ALONE, run},
    {"FETCH", 1, 0, COMMAND_ARGUMENTS, run},
    {"UID FETCH", 1, 0, COMMAND_ARGUMENTS, run},
    {"LOGIN", 1, 0, COMMAND_OPTIONAL, run},
    {NULL, 1, 0, COMMAND_OPTIONAL, run},
};
enum { NOOP, FETCH, UID_FETCH, LOGIN, UNKNOWN };

static void
names_are_found_whole(void **state)
{
	static const struct {
		const char *name;
		size_t len;
		int row;
	} rows[] = {
	    {"NOOP", 4, NOOP},
	    {"nOop", 4, NOOP},
	    {"NOO", 3, UNKNOWN},
	    {"NOOPX", 5, UNKNOWN},
	    {"NOOP\0", 5, UNKNOWN},
	    {"NO\0P", 4, UNKNOWN},
	    {"", 0, UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(
		    command_find(table, rows[i].name, rows[i].len) - table, rows[i].row);
}

static void
imap_finds_its_commands(void **state)
{
	static const struct {
		const char *text;
		int row;
		bool fits;
		const char *rest; /* at the first argument */
	} rows[] = {
	    {"NOOP", NOOP, true, ""},
	    {"NOOP  ", NOOP, true, ""},
	    {"NOOP x", NOOP, false, NULL},
	    {"NOOP(", NOOP, false, NULL},
	    {"FETCH 1 UID", FETCH, true, "1 UID"},
	    {"fetch   1", FETCH, true, "1"},
	    {"FETCH", FETCH, false, NULL},
	    {"FETCH ", FETCH, false, NULL},
	    {"FETCH(1)", FETCH, false, NULL},
	    {"UID FETCH 1", UID_FETCH, true, "1"},
	    {"uid   fetch 1", UID_FETCH, true, "1"},
	    {"UID NOOP", UNKNOWN, true, ""},
	    {"UID", UNKNOWN, true, ""},
	    {"UID UID FETCH 1", UNKNOWN, true, "FETCH 1"},
	    {"UIDFETCH 1", UNKNOWN, true, "1"},
	    {"UID-FETCH-WITH-A-NAME-THAT-IS-LONGER-THAN-ANY 1", UNKNOWN, true, "1"},
	    {"LOGIN", LOGIN, true, ""},
	    {"LOGIN a b", LOGIN, true, "a b"},
	    {"LOGIN(", LOGIN, true, "("},
	    {"", UNKNOWN, true, ""},
	    {"(", UNKNOWN, true, "("},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = strlen(rows[i].text);
		char *text = malloc(len + 1);
		struct args args = {.at = text, .end = text + len};
		const struct command *command;

		assert_non_null(text);
		memcpy(text, rows[i].text, len);
		command = imap_command(table, &args);
		if (command - table != rows[i].row)
			fail_msg("%s: row %d", rows[i].text, (int)(command - table));
		if (imap_arguments(command, &args) != rows[i].fits)
			fail_msg("%s: arguments", rows[i].text);
		if (rows[i].fits) {
			assert_int_equal(args.end - args.at, strlen(rows[i].rest));
			assert_memory_equal(args.at, rows[i].rest, strlen(rows[i].rest));
		}
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_found_whole),
	    cmocka_unit_test(imap_finds_its_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
