/*
 * test_server_imap_special.c: which folder is for what, by its name alone: the usual names in many
 * languages, and that no name of one use is taken for another's.
 */
#include "server_fixture.h"

#include "maildir/maildir.h"
#include "server/conf.h"
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
	enum special use; /* SPECIAL_USES: none */
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
    {"Work", SPECIAL_USES},
    {"Sent2", SPECIAL_USES},
    {"Work/Sent", SPECIAL_USES},
    {"\\Junk", SPECIAL_USES},
    {"\\Trash", SPECIAL_USES},
    {"A", SPECIAL_USES},
};

static void
each_name_is_of_one_use(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		char inbox[] = "INBOX", *folders[2] = {inbox, strdup(names[i].folder)};
		struct special_folders special;

		assert_non_null(folders[1]);
		if (strcmp(folders[0], folders[1]) > 0) {
			char *first = folders[1];

			folders[1] = folders[0];
			folders[0] = first;
		}
		special_find(&session, folders, 2, &special);
		for (int use = 0; use < SPECIAL_USES; use++) {
			const char *found = special.folder[use];

			if ((found != NULL) != (use == (int)names[i].use))
				fail_msg("%s for %s: %s", names[i].folder,
				    special_name((enum special)use), found ? found : "none");
			if (found != NULL)
				assert_string_equal(found, names[i].folder);
		}
		special_clear(&special);
		free(folders[folders[0] == inbox]);
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
	    {"\\All", SPECIAL_USES}, {"\\Flagged", SPECIAL_USES}, {"Sent", SPECIAL_USES},
	    {"", SPECIAL_USES}, {"\\Sentx", SPECIAL_USES}};

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
