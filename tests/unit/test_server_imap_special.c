/*
 * test_server_imap_special.c: which folder is for what, by its name alone: the usual names in many
 * languages, and that no name of one use is taken for another's.
 */
#include "server_fixture.h"

#include "maildir/maildir.h"
#include "server/conf.h"
#include "server/imap/mailboxes.h"
#include "server/imap/session.h"
#include "server/imap/special.h"

static struct session session;

static int
begin(void **state)
{
	char dir[sizeof(fixture_dir) + 8], text[] = "certificate = /c /k\n";
	struct conf_complaints complaints;

	if (fixture_make_dir(state) != 0)
		return -1;
	(void)snprintf(dir, sizeof(dir), "%s/md", fixture_dir);
	session.conf = conf_parse(text, sizeof(text) - 1, &complaints);
	return session.conf != NULL && maildir_create(dir) == 0 &&
		       maildir_open(dir, "test", &session.maildir) == 0
		   ? 0
		   : -1;
}

static int
end(void **state)
{
	struct conf *conf = (struct conf *)(uintptr_t)session.conf;

	maildir_close(&session.maildir);
	conf_free(&conf);
	return fixture_remove_dir(state);
}

static const struct {
	const char *folder;
	enum special use;
} names[] = {
    {"Drafts", SPECIAL_DRAFTS},
    {"Sent", SPECIAL_SENT},
    {"Trash", SPECIAL_TRASH},
    {"Junk", SPECIAL_JUNK},
    {"Archive", SPECIAL_ARCHIVE},
    {"Spam", SPECIAL_JUNK},
    {"SPAM", SPECIAL_JUNK},
    {"INBOX/Spam", SPECIAL_JUNK},
    {"INBOX/Gesendet", SPECIAL_SENT},
    {"Sent Items", SPECIAL_SENT},
    {"Deleted Items", SPECIAL_TRASH},
    {"Papierkorb", SPECIAL_TRASH},
    {"Entw&APw-rfe", SPECIAL_DRAFTS},
    {"&BCMENAQwBDsENQQ9BD0ESwQ1-", SPECIAL_TRASH}, /* the last of a long list */
    {"&BCEEPwQwBDw-", SPECIAL_JUNK},
    {"&BBAEQARFBDgEMg-", SPECIAL_ARCHIVE},
    {"Work", SPECIAL_NONE},
    {"Sent2", SPECIAL_NONE},
    {"Work/Sent", SPECIAL_NONE},
    {"\\Junk", SPECIAL_NONE},
    {"\\Trash", SPECIAL_NONE},
    {"A", SPECIAL_NONE},
};

static void
each_name_is_of_one_use(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		char inbox[] = "INBOX", *name = strdup(names[i].folder);
		struct mailboxes_node node[2] = {
		    {.name = inbox, .exists = true}, {.name = name, .exists = true}};
		struct mailboxes all = {.node = node, .count = 2};

		assert_non_null(name);
		if (strcmp(inbox, name) > 0) {
			node[0].name = name;
			node[1].name = inbox;
		}
		special_mark(&session, &all);
		for (size_t n = 0; n < 2; n++) {
			enum special use = node[n].name == name ? names[i].use : SPECIAL_NONE;

			if (node[n].special != (int)use)
				fail_msg("%s: %s is for %d", name, node[n].name, node[n].special);
		}
		free(name);
	}
}

static void
names_of_uses(void **state)
{
	static const struct {
		const char *name;
		enum special use;
	} uses[] = {{"\\Drafts", SPECIAL_DRAFTS}, {"\\sent", SPECIAL_SENT},
	    {"\\TRASH", SPECIAL_TRASH}, {"\\Junk", SPECIAL_JUNK}, {"\\Archive", SPECIAL_ARCHIVE},
	    {"\\All", SPECIAL_NONE}, {"\\Flagged", SPECIAL_NONE}, {"Sent", SPECIAL_NONE},
	    {"", SPECIAL_NONE}, {"\\Sentx", SPECIAL_NONE}};

	(void)state;
	for (size_t i = 0; i < COUNT(uses); i++) {
		char text[16];
		size_t len = strlen(uses[i].name);

		memcpy(text, uses[i].name, len + 1);
		assert_int_equal(special_of((struct word){text, len}), uses[i].use);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_name_is_of_one_use),
	    cmocka_unit_test(names_of_uses),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
