/*
 * test_maildir_folders.c: Maildirs and their folders.
 */
#include "maildir_fixture.h"

struct names {
	char text[2000];
	unsigned stop_after;
};

static bool
collect(void *ctx, const char *name)
{
	struct names *names = ctx;

	strcat(names->text, name);
	strcat(names->text, "\n");
	return names->stop_after == 0 || --names->stop_after > 0;
}

static void
create_and_list(void **state)
{
	struct fixture *f = *state;
	struct names names = {0};

	assert_int_equal(maildir_folder_create(f->md, "Sub"), 0);
	assert_int_equal(maildir_folder_create(f->md, "Sub/Folder"), 0);
	assert_int_equal(maildir_folder_create(f->md, "Sub-a"), 0);
	assert_int_equal(maildir_folder_create(f->md, "a b&AOQ-"), 0);
	assert_true(exists(f, ".Sub.Folder/maildirfolder"));
	assert_true(exists(f, ".Sub.Folder/tmp"));
	/* Not folders. */
	assert_int_equal(mkdirat(f->fd, ".cache", 0700), 0);
	assert_int_equal(mkdirat(f->fd, "..odd", 0700), 0);
	assert_int_equal(mkdirat(f->fd, "..odd/cur", 0700), 0);
	assert_int_equal(mkdirat(f->fd, ".x..y", 0700), 0);
	assert_int_equal(mkdirat(f->fd, ".x..y/cur", 0700), 0);
	assert_int_equal(symlinkat(".Sub", f->fd, ".Link"), 0);
	put(f, ".file", "");
	assert_int_equal(maildir_folders(f->md, collect, &names), 0);
	assert_string_equal(names.text, "INBOX\nSub\nSub-a\nSub/Folder\na b&AOQ-\n");
	memset(&names, 0, sizeof(names));
	names.stop_after = 2;
	assert_int_equal(maildir_folders(f->md, collect, &names), 0);
	assert_string_equal(names.text, "INBOX\nSub\n");
	assert_int_equal(maildir_folder_create(f->md, "Sub"), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(maildir_folder_create(f->md, "INBOX"), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(maildir_folder_create(f->md, "Link"), -1);
	assert_int_equal(errno, EEXIST);
}

/* One of which only a part was made, by a process that died. */
static void
create_completes(void **state)
{
	struct fixture *f = *state;
	struct maildir_folder *folder;

	assert_int_equal(mkdirat(f->fd, ".Half", 0700), 0);
	assert_int_equal(maildir_folder_open(f->md, "Half", &folder), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(maildir_folder_create(f->md, "Half"), 0);
	assert_int_equal(maildir_folder_open(f->md, "Half", &folder), 0);
	assert_int_equal(maildir_sync(folder), 0);
	maildir_folder_close(&folder);
	assert_null(folder);
	unlinkat(f->fd, "new", AT_REMOVEDIR);
	assert_int_equal(maildir_create(f->path), 0);
	assert_true(exists(f, "new"));
}

/* REQUIREMENTS 22: names are mapped, not passed. */
static void
test_req22_bad_names(void **state)
{
	static const char *const names[] = {"", ".", "..", "../x", "a/..", "a/../b", "/a", "a/",
	    "a//b", "a.b", ".a", "a.", "a/.b", "a\nb", "a\x01", "a\x7f"};
	struct fixture *f = *state;
	struct maildir_folder *folder;
	char name[300];

	for (size_t i = 0; i < COUNT(names); i++) {
		assert_int_equal(maildir_folder_open(f->md, names[i], &folder), -1);
		assert_int_equal(errno, EINVAL);
		assert_null(folder);
		assert_int_equal(maildir_folder_create(f->md, names[i]), -1);
		assert_int_equal(errno, EINVAL);
	}
	memset(name, 'x', sizeof(name));
	name[201] = '\0';
	assert_int_equal(maildir_folder_create(f->md, name), -1);
	assert_int_equal(errno, EINVAL);
	name[200] = '\0';
	assert_int_equal(maildir_folder_create(f->md, name), 0);
	name[200] = '/';
	name[255] = '\0';
	assert_int_equal(maildir_folder_create(f->md, name), -1);
	assert_int_equal(errno, EINVAL);
}

static void
open_refuses(void **state)
{
	struct fixture *f = *state;
	struct maildir_folder *folder;
	struct maildir *md;

	assert_int_equal(maildir_folder_open(f->md, "None", &folder), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(symlinkat("/tmp", f->fd, ".Link"), 0);
	assert_int_equal(maildir_folder_open(f->md, "Link", &folder), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(maildir_open("/tmp", "h", &md), -1);
	assert_int_equal(errno, ENOENT);
	assert_null(md);
	assert_int_equal(maildir_open("/nowhere", "h", &md), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(maildir_create("/nowhere/at/all"), -1);
}

/* A folder in the folder's place: mail of one never shows up in the other. */
static void
folders_are_apart(void **state)
{
	struct fixture *f = *state;
	struct maildir_folder *folder;

	assert_int_equal(maildir_folder_create(f->md, "Sub"), 0);
	put(f, ".Sub/new/1.a", "sub\n");
	put(f, "new/1.a", "inbox\n");
	assert_int_equal(maildir_folder_open(f->md, "Sub", &folder), 0);
	assert_int_equal(maildir_sync(folder), 0);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_count(folder), 1);
	assert_int_equal(maildir_count(f->inbox), 1);
	assert_int_not_equal(maildir_uidvalidity(folder), maildir_uidvalidity(f->inbox));
	maildir_folder_close(&folder);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    WITH(create_and_list),
	    WITH(create_completes),
	    WITH(test_req22_bad_names),
	    WITH(open_refuses),
	    WITH(folders_are_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
