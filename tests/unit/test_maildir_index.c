/*
 * test_maildir_index.c: what sessions know together: one's changes reach another through the log and over
 * new snapshots; losing any of the files costs nothing but time.
 */
#include "maildir_fixture.h"

#include "maildir/base/lock.h"
#include "maildir/folder/folder.h"
#include "maildir/index/index_private.h"

enum { MANY = 300, ROUNDS = 12 };

struct heard {
	unsigned changed, gone, back, anew;
};

static void
hear(void *ctx, enum maildir_change change, uint32_t uid)
{
	struct heard *heard = ctx;

	(void)uid;
	heard->changed += change == MAILDIR_CHANGED;
	heard->gone += change == MAILDIR_GONE;
	heard->back += change == MAILDIR_BACK;
	heard->anew += change == MAILDIR_REPLACED;
}

static void
fill(struct fixture *f, unsigned count)
{
	char name[60];

	for (unsigned i = 1; i <= count; i++) {
		snprintf(name, sizeof(name), "cur/%u.m.h:2,", 100000 + i);
		put(f, name, "m\n");
	}
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_count(f->inbox), count);
}

/* Both show the same, by place and by UID. */
static void
assert_alike(struct maildir_folder *a, struct maildir_folder *b)
{
	struct maildir_message x, y;

	assert_int_equal(maildir_count(a), maildir_count(b));
	for (size_t place = 0; place < maildir_count(a); place++) {
		assert_true(maildir_message(a, place, &x) && maildir_message(b, place, &y));
		assert_int_equal(x.uid, y.uid);
		assert_int_equal(x.flags, y.flags);
		assert_true(x.modseq == y.modseq);
		assert_int_equal(maildir_find(b, x.uid), place);
	}
	assert_int_equal(maildir_first_unseen(a), maildir_first_unseen(b));
	assert_true(maildir_highest_modseq(a) == maildir_highest_modseq(b));
}

/* A session follows another's changes over several snapshots, and is told of each once. */
static void
over_snapshots(void **state)
{
	struct fixture *f = *state, other = *f;
	const struct maildir_flag_change change[2] = {
	    {.add = MAILDIR_SEEN | MAILDIR_FLAGGED}, {.remove = MAILDIR_SEEN}};
	struct heard heard = {0};
	uint64_t first, id;

	fill(f, MANY);
	fixture_open(&other);
	assert_int_equal(maildir_sync(other.inbox), 0);
	maildir_on_change(other.inbox, hear, &heard);
	first = id = other.inbox->index->snap.head.id;
	for (int round = 0; round < ROUNDS; round++) {
		assert_int_equal(maildir_change_begin(f->inbox), 0);
		for (uint32_t uid = 2; uid <= MANY; uid++)
			assert_int_equal(maildir_flags(f->inbox, uid, &change[round % 2]), 0);
		assert_int_equal(maildir_change_end(f->inbox), 0);
		assert_int_equal(maildir_sync(other.inbox), 0);
		assert_int_equal(heard.changed, (MANY - 1) * (unsigned)(round + 1));
		assert_alike(f->inbox, other.inbox);
		id = other.inbox->index->snap.head.id;
	}
	assert_true(id != first);
	assert_int_equal(heard.gone + heard.back + heard.anew, 0);
	/* Places hold while some go, and who vanished is remembered. */
	first = maildir_highest_modseq(other.inbox);
	assert_int_equal(maildir_change_begin(f->inbox), 0);
	for (uint32_t uid = 3; uid <= MANY; uid += 3)
		assert_int_equal(maildir_remove(f->inbox, uid), 0);
	assert_int_equal(maildir_change_end(f->inbox), 0);
	assert_int_equal(maildir_sync(other.inbox), 0);
	assert_int_equal(heard.gone, MANY / 3);
	assert_alike(f->inbox, other.inbox);
	assert_true(maildir_highest_modseq(other.inbox) > first);
	maildir_on_change(other.inbox, NULL, NULL);
	fixture_close(&other);
}

static void
count_vanished(void *ctx, uint32_t uid)
{
	assert_int_equal(uid % 2, 0);
	++*(unsigned *)ctx;
}

static void
vanished_are_remembered(void **state)
{
	struct fixture *f = *state;
	uint64_t before;
	unsigned count = 0;

	fill(f, 20);
	before = maildir_highest_modseq(f->inbox);
	for (uint32_t uid = 2; uid <= 20; uid += 2)
		assert_int_equal(maildir_remove(f->inbox, uid), 0);
	assert_true(maildir_vanished(f->inbox, before, count_vanished, &count));
	assert_int_equal(count, 10);
	fixture_reopen(f);
	assert_int_equal(maildir_sync(f->inbox), 0);
	count = 0;
	assert_true(maildir_vanished(f->inbox, before, count_vanished, &count));
	assert_int_equal(count, 10);
	/* Without the index nothing is known of that time. */
	unlinkat(f->fd, "sallyport.index", 0);
	fixture_reopen(f);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_false(maildir_vanished(f->inbox, before, count_vanished, &count));
	assert_true(maildir_highest_modseq(f->inbox) > before);
}

/* Whatever becomes of the files between two sessions: UIDs, flags and UIDVALIDITY are the same, and
 * modification sequences never fall. */
static void
lost_between_sessions(void **state)
{
	static const struct {
		const char *name, *content; /* NULL: it is removed */
	} rows[] = {
	    {"sallyport.index", NULL},
	    {"sallyport.log", NULL},
	    {"sallyport.texts", NULL},
	    {"sallyport.index", ""},
	    {"sallyport.log", ""},
	    {"sallyport.index",
		"sallyidx and then something else, for long enough to be a head, or so it "
		"looks; but it is not one, whatever one may think of it.................."},
	    {"sallyport.log", "sallylog, the same in short........."},
	};
	const struct maildir_flag_change flag = {.add = MAILDIR_FLAGGED};
	struct fixture *f = *state;
	struct maildir_message message;

	fill(f, 9);
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint32_t validity = maildir_uidvalidity(f->inbox);
		uint64_t modseq;

		assert_int_equal(maildir_flags(f->inbox, (uint32_t)i + 1, &flag), 0);
		modseq = maildir_highest_modseq(f->inbox);
		unlinkat(f->fd, rows[i].name, 0);
		if (rows[i].content != NULL)
			put(f, rows[i].name, rows[i].content);
		fixture_reopen(f);
		assert_int_equal(maildir_sync(f->inbox), 0);
		assert_int_equal(maildir_uidvalidity(f->inbox), validity);
		assert_int_equal(maildir_count(f->inbox), 9);
		assert_true(maildir_highest_modseq(f->inbox) >= modseq);
		for (uint32_t uid = 1; uid <= 9; uid++) {
			assert_true(maildir_lookup(f->inbox, uid, &message));
			assert_int_equal(message.flags, uid <= i + 1 ? MAILDIR_FLAGGED : 0);
		}
	}
}

/* A file that was gone comes back under its UID; who was told so is told that it is back. */
static void
back_under_its_uid(void **state)
{
	struct fixture *f = *state;
	struct heard heard = {0};

	fill(f, 5);
	maildir_on_change(f->inbox, hear, &heard);
	rename_file(f, "cur/100003.m.h:2,", "100003.away");
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_count(f->inbox), 4);
	assert_int_equal(heard.gone, 1);
	rename_file(f, "100003.away", "cur/100003.m.h:2,S");
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_count(f->inbox), 5);
	assert_int_equal(heard.back, 1);
	assert_int_equal(uid_at(f->inbox, 2), 3);
	assert_int_equal(message_at(f->inbox, 2).flags, MAILDIR_SEEN);
	maildir_on_change(f->inbox, NULL, NULL);
}

static void
copy_file(struct fixture *f, const char *from, const char *to)
{
	char data[16384];
	int fd = openat(f->fd, from, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, data, sizeof(data));

	close(fd);
	assert_in_range(n, 1, sizeof(data) - 1);
	put_bytes(f, to, data, (size_t)n);
}

/* Somebody puts an old index back: who saw messages go with it hears that they are back, too. */
static void
an_old_one_is_put_back(void **state)
{
	struct fixture *f = *state;
	struct heard heard = {0};

	fill(f, 5);
	copy_file(f, "sallyport.index", "kept.index");
	copy_file(f, "sallyport.log", "kept.log");
	fill(f, 8);
	maildir_on_change(f->inbox, hear, &heard);
	rename_file(f, "kept.index", "sallyport.index");
	rename_file(f, "kept.log", "sallyport.log");
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_count(f->inbox), 8);
	assert_int_equal(heard.anew, 0);
	assert_int_equal(heard.back, heard.gone);
	maildir_on_change(f->inbox, NULL, NULL);
}

static void
compact(struct maildir_folder *folder)
{
	assert_int_equal(mdlock_folder(&folder->home), 0);
	assert_int_equal(index_compact(folder->index, NULL, 0), 0);
	mdlock_folder_drop(&folder->home);
}

/*
 * Under a session's mapping the octets become those of an older snapshot, in which a UID has another place.  The next
 * change finds that out before it touches a message; the session hears that its list is lost.
 */
static void
written_over_with_an_old_one(void **state)
{
	struct fixture *f = *state;
	struct maildir_folder *other;
	struct heard heard = {0};
	char old[16384];
	ssize_t n;
	int fd;

	fill(f, 60);
	compact(f->inbox);
	fd = openat(f->fd, "sallyport.index", O_RDONLY | O_CLOEXEC);
	n = read(fd, old, sizeof(old));
	close(fd);
	assert_in_range(n, 4097, sizeof(old) - 1);
	for (uint32_t uid = 1; uid <= 5; uid++)
		assert_int_equal(maildir_remove(f->inbox, uid), 0);
	compact(f->inbox);
	assert_int_equal(change_flags(f->inbox, 35, MAILDIR_FLAGGED, 0, 0, 0), 0);
	fd = openat(f->fd, "sallyport.index", O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, old, (size_t)n, 0), n);
	close(fd);
	maildir_on_change(f->inbox, hear, &heard);
	assert_int_equal(change_flags(f->inbox, 30, MAILDIR_SEEN, 0, 0, 0), 0);
	assert_int_equal(heard.anew, 1);
	assert_false(maildir_broken(f->inbox));
	assert_int_equal(maildir_folder_open(f->md, "INBOX", &other), 0);
	assert_int_equal(maildir_sync(other), 0);
	assert_alike(f->inbox, other);
	assert_int_equal(maildir_find(f->inbox, 30), 24);
	assert_int_equal(message_at(f->inbox, 24).flags, MAILDIR_SEEN);
	maildir_on_change(f->inbox, NULL, NULL);
	maildir_folder_close(&other);
}

/* In the middle of a batch the index is overwritten: that a message is gone is not said of one that is there. */
static void
overwritten_is_not_gone(struct fixture *f, int octet, off_t from, size_t size)
{
	char garbage[8192];
	int fd;

	/* UIDs 41 to 100, so that a place does not follow from the UID. */
	fill(f, 100);
	for (uint32_t uid = 1; uid <= 40; uid++)
		assert_int_equal(maildir_remove(f->inbox, uid), 0);
	compact(f->inbox);
	memset(garbage, octet, sizeof(garbage));
	/* All of it is touched, and so believed. */
	for (size_t i = 0; i < 60; i++)
		(void)message_at(f->inbox, i);
	assert_int_equal(maildir_change_begin(f->inbox), 0);
	fd = openat(f->fd, "sallyport.index", O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, garbage, size, from), size);
	close(fd);
	assert_int_equal(maildir_remove(f->inbox, 70), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(change_flags(f->inbox, 71, MAILDIR_SEEN, 0, 0, 0), -1);
	assert_int_equal(errno, EIO);
	(void)maildir_change_end(f->inbox);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_count(f->inbox), 60);
	assert_int_equal(maildir_remove(f->inbox, 70), 0);
	assert_int_equal(maildir_count(f->inbox), 59);
}

static void
damaged_is_not_gone(void **state)
{
	overwritten_is_not_gone(*state, 0xff, 512, 4096);
}

/* The last records as well, which a search looks at first. */
static void
zeroed_is_not_gone(void **state)
{
	overwritten_is_not_gone(*state, 0, 1024, 8192);
}

static void
zeroed_in_the_middle_is_not_gone(void **state)
{
	overwritten_is_not_gone(*state, 0, 1024, 2560);
}

/* Overwrites the snapshot's records from one place up to another, not with. */
static void
damage_records(struct fixture *f, size_t from, size_t to)
{
	const struct snapshot_head *head = &f->inbox->index->snap.head;
	char garbage[32 * sizeof(struct index_record)];
	size_t size = (to - from) * sizeof(struct index_record);
	int fd = openat(f->fd, "sallyport.index", O_WRONLY | O_CLOEXEC);

	assert_in_range(size, 1, sizeof(garbage));
	memset(garbage, 0x5a, size);
	assert_int_equal(
	    pwrite(fd, garbage, size,
		(off_t)(head->part[PART_RECORDS].at + from * sizeof(struct index_record))),
	    size);
	close(fd);
}

/* A session that touches damaged records hears that its list is lost; the list is whole after the sync that says so. */
static void
damage_ends_a_session(void **state)
{
	static const struct {
		size_t from, to; /* places that are damaged */
		uint32_t gone;	 /* UID of a message that goes at the same time, or 0 */
		uint32_t before; /* of one that went before, or 0 */
	} rows[] = {
	    {29, 30, 0, 0},
	    {20, 30, 0, 0},
	    {0, 1, 0, 0},
	    {40, 60, 0, 0},
	    {20, 30, 35, 0},
	    {20, 30, 25, 0},
	    {20, 30, 0, 25},
	    {20, 30, 0, 45},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct heard heard = {0};
		struct fixture *f;
		char name[40];
		size_t count = 60;
		struct maildir_message message;

		assert_int_equal(fixture_setup(state), 0);
		f = *state;
		fill(f, rows[i].before != 0 ? 61 : 60);
		if (rows[i].before != 0)
			assert_int_equal(maildir_remove(f->inbox, rows[i].before), 0);
		compact(f->inbox);
		maildir_on_change(f->inbox, hear, &heard);
		damage_records(f, rows[i].from, rows[i].to);
		if (rows[i].gone != 0) {
			snprintf(name, sizeof(name), "cur/%u.m.h:2,", 100000 + rows[i].gone);
			assert_int_equal(unlinkat(f->fd, name, 0), 0);
			count--;
		}
		assert_false(maildir_message(f->inbox, rows[i].from, &message));
		assert_true(maildir_broken(f->inbox));
		assert_int_equal(maildir_sync(f->inbox), 0);
		assert_int_equal(heard.anew, 1);
		assert_int_equal(maildir_count(f->inbox), count);
		assert_false(maildir_broken(f->inbox));
		for (size_t place = 0; place < count; place++)
			assert_true(maildir_message(f->inbox, place, &message));
		maildir_on_change(f->inbox, NULL, NULL);
		assert_int_equal(fixture_teardown(state), 0);
	}
}

/* A record of the log is damaged while the next one of its message comes, and whole again behind that. */
static void
changed_while_damaged(void **state)
{
	struct fixture *f = *state;
	struct maildir_folder *other;
	struct heard heard = {0};
	char kept, garbage;
	off_t at;
	int fd;

	fill(f, 5);
	compact(f->inbox);
	put(f, "cur/200000.m.h:2,", "a\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(f->inbox->index->added.count, 1);
	at = (off_t)f->inbox->index->added.list[0].at + 40; /* within the record */
	assert_int_equal(maildir_folder_open(f->md, "INBOX", &other), 0);
	assert_int_equal(maildir_sync(other), 0);
	assert_int_equal(change_flags(other, 6, MAILDIR_SEEN, 0, 0, 0), 0);
	maildir_on_change(f->inbox, hear, &heard);
	fd = openat(f->fd, "sallyport.log", O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, &kept, 1, at), 1);
	garbage = (char)~kept;
	assert_int_equal(pwrite(fd, &garbage, 1, at), 1);
	(void)index_refresh(f->inbox->index);
	assert_int_equal(pwrite(fd, &kept, 1, at), 1);
	close(fd);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(heard.anew, 0);
	assert_in_range(heard.changed, 1, 2);
	assert_int_equal(maildir_sync(other), 0);
	assert_alike(f->inbox, other);
	maildir_on_change(f->inbox, NULL, NULL);
	maildir_folder_close(&other);
}

/*
 * An octet of the log is overwritten after the session has read it, and then another program delivers and renames.  No
 * file gets a second UID: a fresh session finds all messages under those that they had.
 */
static void
overwritten_in_the_log_is_not_new(void **state)
{
	off_t size = 1;

	for (off_t place = 0; place < size; place++) {
		struct index_message message;
		struct maildir_folder *fresh;
		struct fixture *f;
		struct stat st;
		char octet;
		int fd;

		assert_int_equal(fixture_setup(state), 0);
		f = *state;
		fill(f, 2);
		compact(f->inbox);
		put(f, "cur/200000.m.h:2,", "a\n");
		assert_int_equal(maildir_sync(f->inbox), 0);
		fd = openat(f->fd, "sallyport.log", O_RDWR | O_CLOEXEC);
		assert_int_equal(fstat(fd, &st), 0);
		size = st.st_size;
		assert_int_equal(pread(fd, &octet, 1, place), 1);
		octet ^= (char)0xa5;
		assert_int_equal(pwrite(fd, &octet, 1, place), 1);
		close(fd);
		put(f, "new/200001.m.h", "b\n");
		if (place % 2 == 0)
			assert_int_equal(
			    renameat(f->fd, "cur/200000.m.h:2,", f->fd, "cur/200000.m.h:2,S"), 0);
		assert_int_equal(maildir_sync(f->inbox), 0);
		assert_int_equal(maildir_folder_open(f->md, "INBOX", &fresh), 0);
		assert_int_equal(maildir_sync(fresh), 0);
		assert_int_equal(maildir_count(fresh), 4);
		for (uint32_t uid = 3; uid <= 4; uid++) {
			assert_true(index_message(fresh->index, uid, &message));
			assert_memory_equal(
			    index_name(&message), uid == 3 ? "200000" : "200001", 6);
		}
		maildir_folder_close(&fresh);
		assert_int_equal(fixture_teardown(state), 0);
	}
}

/* An older log is put back, and another session goes on with it: it has another message's record in its place. */
static void
older_log_that_went_on(void **state)
{
	struct fixture *f = *state;
	struct maildir_message message;
	struct maildir_folder *other;
	struct index_message changed;
	struct heard heard = {0};
	struct stat st;
	int fd;

	fill(f, 5);
	compact(f->inbox);
	fd = openat(f->fd, "sallyport.log", O_RDWR | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(maildir_folder_open(f->md, "INBOX", &other), 0);
	assert_int_equal(maildir_sync(other), 0);
	put(f, "cur/100006.m.h:2,", "a\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(f->inbox->index->added.count, 1);
	assert_int_equal(ftruncate(fd, st.st_size), 0);
	close(fd);
	assert_int_equal(mdlock_folder(&other->home), 0);
	assert_true(index_message(other->index, 1, &changed));
	changed.record.flags |= MAILDIR_SEEN;
	assert_int_equal(index_put(other->index, &changed), 0);
	assert_int_equal(index_commit(other->index, &other->index->state), 0);
	mdlock_folder_drop(&other->home);
	assert_int_equal(other->index->changed.count, 1);
	assert_int_equal(other->index->changed.list[0].at, f->inbox->index->added.list[0].at);
	maildir_on_change(f->inbox, hear, &heard);
	assert_true(!maildir_message(f->inbox, 5, &message) || message.uid == 6);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_sync(other), 0);
	assert_alike(f->inbox, other);
	assert_true(heard.anew == 1 || heard.changed > 0);
	maildir_on_change(f->inbox, NULL, NULL);
	maildir_folder_close(&other);
}

static void
damage_when_told(void *ctx, enum maildir_change change, uint32_t uid)
{
	if (change == MAILDIR_CHANGED && uid == 1)
		damage_records(ctx, 29, 30);
}

/* The record of a message is damaged in the very moment in which it is to be said that it is gone. */
static void
damaged_while_it_goes(void **state)
{
	struct fixture *f = *state;

	fill(f, 60);
	compact(f->inbox);
	assert_int_equal(change_flags(f->inbox, 30, MAILDIR_FLAGGED, 0, 0, 0), 0);
	maildir_on_change(f->inbox, damage_when_told, f);
	rename_file(f, "cur/100001.m.h:2,", "cur/100001.m.h:2,S");
	assert_int_equal(unlinkat(f->fd, "cur/100030.m.h:2,F", 0), 0);
	alarm(20); /* it did not come to an end */
	assert_int_equal(maildir_sync(f->inbox), 0);
	alarm(0);
	assert_int_equal(maildir_count(f->inbox), 59);
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_true(!maildir_broken(f->inbox));
	maildir_on_change(f->inbox, NULL, NULL);
}

/* Who has found it damaged and goes leaves a whole one. */
static void
left_whole(void **state)
{
	struct fixture *f = *state;
	struct maildir_message message;

	fill(f, 60);
	compact(f->inbox);
	damage_records(f, 20, 30);
	assert_false(maildir_message(f->inbox, 25, &message));
	fixture_reopen(f);
	assert_true(index_refresh(f->inbox->index));
	for (size_t place = 0; place < 60; place++)
		assert_true(maildir_message(f->inbox, place, &message));
}

/* --- an index that somebody made --- */

enum { HOSTILE_ROUNDS = 4000, HOSTILE_SIZE = 32 * 1024 };

/* Makes all checksums right again, as far as the parts lie in the file. */
static void
seal(char *file, size_t size)
{
	struct snapshot_head head;
	uint64_t number = 0, at, left;
	uint32_t check;

	memcpy(&head, file, sizeof(head));
	for (int i = 0; i < PART_CHECKS; i++) {
		if (head.part[i].at > size || head.part[i].size > size - head.part[i].at)
			break;
		for (at = 0; at < head.part[i].size; at += SNAPSHOT_BLOCK, number++) {
			left = head.part[i].size - at;
			check = hash32(hash_join(head.id, number), file + head.part[i].at + at,
			    left < SNAPSHOT_BLOCK ? left : SNAPSHOT_BLOCK);
			if (head.part[PART_CHECKS].at <= size &&
			    (number + 1) * sizeof(check) <= size - head.part[PART_CHECKS].at)
				memcpy(file + head.part[PART_CHECKS].at + number * sizeof(check),
				    &check, sizeof(check));
		}
	}
	head.check = hash32(0, (char *)&head + sizeof(check), sizeof(head) - sizeof(check));
	memcpy(file, &head, sizeof(head));
}

/* Some octets become something else. */
static void
spoil(char *at, size_t size, unsigned *seed)
{
	static const uint64_t odd[] = {0, 1, 2, 7, 8, 255, 256, 0xffff, 0x7fffffff, 0xffffffff,
	    UINT64_MAX / 2, UINT64_MAX - 7, UINT64_MAX, 0x2f2f2f2f2f2f2f2f};
	size_t width = (size_t)1 << rand_r(seed) % 4, where = (size_t)rand_r(seed) % size;
	uint64_t value =
	    rand_r(seed) % 4 == 0 ? (uint64_t)rand_r(seed) : odd[(size_t)rand_r(seed) % COUNT(odd)];

	where -= where % width;
	if (where + width <= size)
		memcpy(at + where, &value, width);
}

static void
see_vanished(void *ctx, uint32_t uid)
{
	(void)uid;
	++*(unsigned *)ctx;
}

/* All that can be asked of it.  Nothing is right, but everything is within bounds. */
static void
ask_everything(struct fixture *f)
{
	struct heard heard = {0};
	struct index *index = index_new(&f->inbox->home, hear, &heard);
	uint32_t hashes[2] = {1, 2};
	struct index_message message;
	size_t structures;
	unsigned seen = 0;

	assert_non_null(index);
	(void)index_refresh(index);
	for (size_t i = 0; i < index_count(index); i++) {
		if (!index_message_at(index, i, &message))
			continue;
		assert_int_equal(strlen(index_name(&message)), message.record.name_len);
		assert_null(strchr(index_name(&message), '/'));
		assert_in_range(message.record.dir, 0, 1);
		(void)index_message(index, message.record.uid, &message);
		(void)index_find(index, message.record.uid + 1);
	}
	assert_in_range(index_find(index, 7), 0, SIZE_MAX / 2);
	(void)index_by_base(index, "100003.m.h", 10);
	(void)index_knew_any(index, hashes, COUNT(hashes));
	(void)index_vanished(index, 0, see_vanished, &seen);
	assert_in_range(index_first_unseen(index), 0, SIZE_MAX / 2);
	assert_in_range(strlen(index_folder_guid(index)), 0, SNAPSHOT_GUID_MAX);
	(void)index_verify(index, &structures);
	index_free(index);
}

static void
take_nothing(void *ctx, enum log_type type, const void *payload, size_t size, uint64_t at)
{
	(void)ctx;
	(void)type;
	(void)payload;
	(void)size;
	(void)at;
}

/* A record of the log, with a right checksum, of odd contents. */
static void
put_hostile(struct index_log *log, const struct index_message *like, unsigned *seed)
{
	struct index_message put = *like;
	size_t size = sizeof(put.record) + index_strings_size(&put.record);

	put.record.uid += (uint32_t)(rand_r(seed) % 20);
	for (int i = rand_r(seed) % 3; i > 0; i--)
		spoil((char *)&put, size, seed);
	size -= rand_r(seed) % 4 == 0 ? (size_t)rand_r(seed) % size : 0;
	assert_int_equal(
	    index_log_put(log, (enum log_type)(rand_r(seed) % 5), &put, size, take_nothing, NULL),
	    0);
}

/* Whoever can write into the Maildir can write an index whose checksums are right. */
static void
hostile(void **state)
{
	struct fixture *f = *state;
	static char whole[HOSTILE_SIZE], file[HOSTILE_SIZE];
	struct index_message like;
	struct snapshot_head head;
	struct index_log log;
	unsigned seed = 1;
	ssize_t n;
	int fd;

	fill(f, 60);
	for (uint32_t uid = 10; uid < 20; uid++)
		assert_int_equal(maildir_remove(f->inbox, uid), 0);
	compact(f->inbox);
	assert_true(index_message(f->inbox->index, 40, &like));
	fd = openat(f->fd, "sallyport.index", O_RDONLY | O_CLOEXEC);
	n = read(fd, whole, sizeof(whole));
	close(fd);
	assert_in_range(n, 4097, sizeof(whole) - 1);
	memcpy(&head, whole, sizeof(head));
	for (int round = 0; round < HOSTILE_ROUNDS; round++) {
		bool in_head = rand_r(&seed) % 2 == 0;

		memcpy(file, whole, (size_t)n);
		for (int i = rand_r(&seed) % 4; i > 0; i--)
			spoil(in_head ? file + sizeof(head.check) : file + sizeof(head),
			    in_head ? sizeof(head) - sizeof(head.check) : (size_t)n - sizeof(head),
			    &seed);
		seal(file, (size_t)n);
		put_bytes(f, "sallyport.index", file, (size_t)n);
		assert_int_equal(index_log_create(f->md, f->fd, head.id, &log), 0);
		for (int i = rand_r(&seed) % 8; i > 0; i--)
			put_hostile(&log, &like, &seed);
		assert_int_equal(index_log_flush(&log), 0);
		index_log_close(&log);
		ask_everything(f);
	}
	fixture_reopen(f);
	assert_int_equal(maildir_sync(f->inbox), 0);
}

/* What was learned once is not read again: the file may even be gone. */
static void
learned_for_ever(void **state)
{
	struct fixture *f = *state;
	struct mdbuf text = {0};
	uint64_t octets;
	bool newline;

	put(f, "cur/1.m:2,", "Subject: remembered\n\nbody\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	while (maildir_read_ahead(f->inbox, 10) > 0)
		;
	maildir_save_findings(f->inbox);
	fixture_reopen(f);
	assert_int_equal(maildir_sync(f->inbox), 0);
	unlinkat(f->fd, "cur/1.m:2,", 0);
	assert_int_equal(maildir_size(f->inbox, 1, &octets, &newline), 0);
	assert_int_equal(octets, 29);
	assert_int_equal(maildir_text(f->inbox, 1, MAILDIR_FIELDS, &text), 0);
	assert_int_equal(text.len, 23);
	assert_memory_equal(text.data, "Subject: remembered\r\n\r\n", 23);
	mdbuf_clear(&text);
}

/* Whoever can write into the Maildir can write a record with a right checksum. */
static void
records_are_judged(void **state)
{
	const struct index_record good = {.uid = 7, .name_len = 20, .base_len = 10};
	struct index_record bad[8];

	(void)state;
	assert_true(index_record_is_sane(&good));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		bad[i] = good;
	bad[0].uid = 0;
	bad[1].uid = UINT32_MAX;
	bad[2].dir = INDEX_DIRS;
	bad[3].modseq = UINT64_C(1) << 63;
	bad[4].name_len = NAME_SIZE;
	bad[5].base_len = 21;
	bad[6].uidl_len = MAILDIR_UIDL_SIZE;
	bad[7].guid_len = MAILDIR_ID_SIZE;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(index_record_is_sane(&bad[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH(over_snapshots),
	    WITH(vanished_are_remembered),
	    WITH(lost_between_sessions),
	    WITH(back_under_its_uid),
	    WITH(an_old_one_is_put_back),
	    WITH(written_over_with_an_old_one),
	    WITH(damaged_is_not_gone),
	    cmocka_unit_test(records_are_judged),
	    WITH(zeroed_is_not_gone),
	    WITH(zeroed_in_the_middle_is_not_gone),
	    cmocka_unit_test(damage_ends_a_session),
	    WITH(changed_while_damaged),
	    cmocka_unit_test(overwritten_in_the_log_is_not_new),
	    WITH(older_log_that_went_on),
	    WITH(damaged_while_it_goes),
	    WITH(left_whole),
	    WITH(hostile),
	    WITH(learned_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
