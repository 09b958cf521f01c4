/*
 * test_maildir_ids.c: ids that survive copies, renames and other programs.
 */
#include "maildir_fixture.h"

#include "maildir/folder/deliver.h"
#include "maildir/folder/permanent_ids.h"
#include "maildir/tree/tree.h"

static void
text_of_ids(void **state)
{
	static const struct {
		const char *guid, *id;
	} rows[] = {
	    {"1700000000.M1P2.host", "1700000000_M1P2_host"},
	    {"1.a_b-c", "1_a-5fb-2dc"},
	    {"1.a,S=12,W=13", "1_a-2cS-3d12-2cW-3d13"},
	    {"\xc3\xbc", "-c3-bc"},
	    {"-", "-2d"},
	    {"f2606f033216016bfa33000083ecc375", "f2606f033216016bfa33000083ecc375"},
	};
	char id[MAILDIR_ID_SIZE], other[MAILDIR_ID_SIZE], text[300];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		id_of_guid(rows[i].guid, id);
		assert_string_equal(id, rows[i].id);
	}
	/* As long as may be, then a hash. */
	memset(text, 'a', sizeof(text));
	text[255] = '\0';
	id_of_guid(text, id);
	assert_string_equal(id, text);
	text[255] = 'a';
	text[256] = '\0';
	id_of_guid(text, id);
	assert_int_equal(strlen(id), 32);
	text[0] = 'b';
	id_of_guid(text, other);
	assert_string_not_equal(id, other);
	memset(text, '-', 85);
	text[85] = '\0';
	id_of_guid(text, id);
	assert_int_equal(strlen(id), 255);
	text[85] = '-';
	text[86] = '\0';
	id_of_guid(text, id);
	assert_int_equal(strlen(id), 32);
	id_of_guid("", id);
	assert_int_equal(strlen(id), 32);
}

/* What stands in dovecot-uidlist gives the same id as the name that it was made of. */
static void
guids_are_words(void **state)
{
	static const struct {
		const char *guid, *name;
		bool hashed;
	} rows[] = {
	    {NULL, "1.a:2,S", false},
	    {"given", "1.a:2,S", false},
	    {NULL, "1.a b:2,S", true},
	    {NULL, "1.a\xff", false},
	};
	char guid[GUID_SIZE], again[GUID_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		guid_of(rows[i].guid, rows[i].name, guid);
		guid_of(guid, "2.other", again);
		assert_string_equal(guid, again);
		assert_int_equal(strlen(guid) == 32, rows[i].hashed);
		assert_null(strpbrk(guid, " :"));
	}
	/* As it was yesterday and on another machine. */
	guid_of(NULL, "1.a b:2,S", guid);
	assert_string_equal(guid, "c10bf9a815a0069790a6781ab55f67e5");
}

static void
assert_id(struct maildir_folder *folder, uint32_t uid, const char *expected)
{
	char id[MAILDIR_ID_SIZE];

	assert_int_equal(maildir_message_id(folder, uid, id), 0);
	assert_string_equal(id, expected);
}

/* Copies messages of INBOX into the folder. */
static void
copy_all(struct fixture *f, struct maildir_folder *to)
{
	struct maildir_delivery *delivery;
	const uint32_t *uids;
	uint32_t validity;

	assert_int_equal(maildir_delivery_begin(to, &delivery), 0);
	for (size_t i = 0; i < maildir_count(f->inbox); i++)
		assert_int_equal(
		    maildir_delivery_copy(delivery, f->inbox, uid_at(f->inbox, i), 0), 0);
	assert_int_equal(maildir_delivery_commit(delivery, &validity, &uids), 0);
	maildir_delivery_end(&delivery);
}

static void
copies_have_the_id_of_the_original(void **state)
{
	struct fixture *f = *state, sub = *f;

	put(f, "cur/1.a:2,", "a\n");
	put(f, "cur/2.b c:2,", "b\n");
	put(f, "cur/3.d:2,", "c\n");
	put(f, "dovecot-uidlist",
	    "3 V5 N4 Gf2606f033216016bfa33000083ecc375\n1 :1.a\n2 :2.b c\n3 Gof.dovecot :3.d\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_folder_create(f->md, "Sub"), 0);
	assert_int_equal(maildir_folder_open(f->md, "Sub", &sub.inbox), 0);
	copy_all(f, sub.inbox);
	copy_all(&sub, f->inbox);
	for (int round = 0; round < 2; round++) {
		char id[MAILDIR_ID_SIZE];

		assert_id(f->inbox, 1, "1_a");
		assert_id(f->inbox, 3, "of_dovecot");
		assert_int_equal(maildir_message_id(f->inbox, 2, id), 0);
		assert_id(sub.inbox, 1, "1_a");
		assert_id(sub.inbox, 2, id);
		assert_id(sub.inbox, 3, "of_dovecot");
		assert_id(f->inbox, 4, "1_a");
		assert_id(f->inbox, 5, id);
		/* And as it is read back. */
		maildir_folder_close(&sub.inbox);
		fixture_reopen(f);
		assert_int_equal(maildir_folder_open(f->md, "Sub", &sub.inbox), 0);
		assert_int_equal(maildir_sync(sub.inbox), 0);
		assert_int_equal(maildir_sync(f->inbox), 0);
	}
	maildir_folder_close(&sub.inbox);
}

static void
folders_keep_their_ids(void **state)
{
	char one[MAILDIR_ID_SIZE], two[MAILDIR_ID_SIZE], again[MAILDIR_ID_SIZE];
	struct maildir_folder *folder;
	struct fixture *f = *state;

	assert_int_equal(maildir_folder_create(f->md, "Sub"), 0);
	assert_int_equal(maildir_folder_open(f->md, "Sub", &folder), 0);
	assert_int_equal(maildir_folder_id(folder, one), 0);
	assert_int_equal(maildir_folder_id(f->inbox, two), 0);
	assert_int_equal(strlen(one), 32);
	assert_string_not_equal(one, two);
	maildir_folder_close(&folder);
	assert_int_equal(maildir_folder_rename(f->md, "Sub", "Other"), 0);
	assert_int_equal(maildir_folder_open(f->md, "Other", &folder), 0);
	assert_int_equal(maildir_folder_id(folder, again), 0);
	assert_string_equal(one, again);
	maildir_folder_close(&folder);
}

/* The name tells when it came into the folder, the file's time when it came here at all. */
static void
save_dates(void **state)
{
	static const struct {
		const char *name;
		time_t expected;
	} rows[] = {
	    {"1700000000.M1P2.host", 1700000000},
	    {"1700000001", 1700000001},
	    {"999999999.before-2001", 77777},
	    {"99999999999999999999.far", 77777},
	    {"x", 77777},
	};
	const struct timespec times[2] = {{5, 0}, {77777, 0}};
	struct fixture *f = *state;
	time_t date;

	for (size_t i = 0; i < COUNT(rows); i++) {
		char name[60], text[100];

		snprintf(name, sizeof(name), "cur/%s:2,", rows[i].name);
		put(f, name, "x\n");
		assert_int_equal(utimensat(f->fd, name, times, 0), 0);
		snprintf(text, sizeof(text),
		    "3 V5 N%zu Gf2606f033216016bfa33000083ecc375\n%zu :%s\n", i + 2, i + 1,
		    rows[i].name);
		put(f, "dovecot-uidlist", text);
		assert_int_equal(maildir_sync(f->inbox), 0);
		assert_int_equal(maildir_save_date(f->inbox, (uint32_t)i + 1, &date), 0);
		assert_int_equal(date, rows[i].expected);
		assert_int_equal(maildir_date(f->inbox, (uint32_t)i + 1, &date), 0);
		assert_int_equal(date, 77777);
		unlinkat(f->fd, name, 0);
	}
	assert_int_equal(maildir_save_date(f->inbox, 1000, &date), -1);
	assert_int_equal(errno, ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_of_ids),
	    cmocka_unit_test(guids_are_words),
	    WITH(copies_have_the_id_of_the_original),
	    WITH(folders_keep_their_ids),
	    WITH(save_dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
