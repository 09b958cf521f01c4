/*
 * test_maildir_numbered.c: sallyport.keywords, for keywords that are no letters.
 */
#include "maildir_fixture.h"

#include "maildir/base/fnv.h"
#include "maildir/base/lock.h"
#include "maildir/folder/folder.h"
#include "maildir/uids/keyword.h"
#include "maildir/uids/numbered.h"

#define FILE_NAME "sallyport.keywords"
#define BIT(n)	  (UINT64_C(1) << (n))

/* The line with its checksum. */
static void
sealed_octets(struct mdbuf *out, const char *line, size_t len)
{
	uint64_t sum = fnv64(FNV_START, line, len);

	mdbuf_addf(out, "%08x ", (uint32_t)(sum ^ sum >> 32));
	mdbuf_add(out, line, len);
	mdbuf_add(out, "\n", 1);
}

static void
sealed(struct mdbuf *out, const char *line)
{
	sealed_octets(out, line, strlen(line));
}

static uint64_t
mask_of(const struct numbered *more, const char *base)
{
	return numbered_of(more, base, strlen(base));
}

/* A file of ours from any machine, and as it is written. */
#define EXAMPLE                                                                                    \
	"sallyport keywords 1\n"                                                                   \
	"23e89a59 n 26 $Label1\n"                                                                  \
	"4d2676ef m 5 1700000000.M1P2.host\n"

static void
checksums_are_for_ever(void **state)
{
	struct numbered more = {0};
	struct mdbuf out = {0};

	(void)state;
	assert_int_equal(numbered_parse(&more, EXAMPLE, strlen(EXAMPLE)), strlen(EXAMPLE));
	assert_string_equal(more.name[0], "$Label1");
	assert_int_equal(mask_of(&more, "1700000000.M1P2.host"), BIT(26) | BIT(28));
	numbered_put(&more, NULL, NULL, &out);
	mdbuf_add(&out, "", 1);
	assert_string_equal(out.data, EXAMPLE);
	mdbuf_clear(&out);
	numbered_clear(&more);
}

/* A line counts, or not at all. */
static void
lines(void **state)
{
	static const struct {
		const char *line;
		const char *name; /* of 27 */
		uint64_t mask;	  /* of 1.a */
	} rows[] = {
	    {"n 27 new", "new", BIT(26)},
	    {"n 27 ", "old", BIT(26)},
	    {"n 27", "old", BIT(26)},
	    {"n 27 a b", "old", BIT(26)},
	    {"n 27 a(b", "old", BIT(26)},
	    {"n 25 new", "old", BIT(26)},
	    {"n 64 new", "old", BIT(26)},
	    {"n 027 new", "old", BIT(26)},
	    {"m 2 1.a", "old", BIT(27)},
	    {"m 0 1.a", "old", 0},
	    {"m 3fffffffff 1.a", "old", ~UINT64_C(0) << 26},
	    {"m 4000000000 1.a", "old", BIT(26)},
	    {"m 10000000000000001 1.a", "old", BIT(26)},
	    {"m  1.a", "old", BIT(26)},
	    {"m 2  1.a", "old", BIT(26)},
	    {"m 2 ", "old", BIT(26)},
	    {"m", "old", BIT(26)},
	    {"", "old", BIT(26)},
	    {"x 2 1.a", "old", BIT(26)},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct numbered more = {0};
		struct mdbuf out = {0};

		sealed(&out, "n 27 old");
		sealed(&out, "m 1 1.a");
		sealed(&out, rows[i].line);
		assert_int_equal(numbered_parse(&more, out.data, out.len), out.len);
		assert_string_equal(more.name[1], rows[i].name);
		assert_int_equal(mask_of(&more, "1.a"), rows[i].mask);
		assert_int_equal(more.lines, 3);
		mdbuf_clear(&out);
		numbered_clear(&more);
	}
}

/* No file has such a name, and what is written of it would read differently. */
static void
odd_bases(void **state)
{
	static const char line[] = "m 2 1.?b";
	char text[sizeof(line)];

	(void)state;
	for (int c = 0; c < 256; c++) {
		struct numbered more = {0};
		struct mdbuf out = {0};
		bool odd = c < 0x20 || c == '/' || c == ':';

		memcpy(text, line, sizeof(line));
		text[6] = (char)c;
		sealed_octets(&out, text, sizeof(line) - 1);
		assert_int_equal(numbered_parse(&more, out.data, out.len), out.len);
		assert_int_equal(more.count, odd ? 0 : 1);
		assert_int_equal(numbered_of(&more, text + 4, 4), odd ? 0 : BIT(27));
		mdbuf_clear(&out);
		numbered_clear(&more);
	}
}

/* Cut anywhere, and each octet another: the lines before and behind hold. */
static void
damage_costs_one_line(void **state)
{
	static const char *const line[] = {"n 26 one", "m 1 1.a", "m 2 2.b c", "m 3 3.c"};
	static const uint64_t mask[] = {BIT(26), BIT(27), BIT(26) | BIT(27)};
	static const char *const base[] = {"1.a", "2.b c", "3.c"};
	struct mdbuf out = {0};
	size_t end[COUNT(line)];

	(void)state;
	for (size_t i = 0; i < COUNT(line); i++) {
		sealed(&out, line[i]);
		end[i] = out.len;
	}
	for (size_t at = 0; at < out.len; at++) {
		struct numbered cut = {0}, flipped = {0};
		char *text = malloc(out.len);
		unsigned wrong = 0;

		assert_non_null(text);
		memcpy(text, out.data, at);
		text = realloc(text, at > 0 ? at : 1); /* a look past the end is found */
		assert_true(numbered_parse(&cut, text, at) >= 0);
		for (size_t i = 0; i < COUNT(base); i++)
			assert_int_equal(mask_of(&cut, base[i]), end[i + 1] <= at ? mask[i] : 0);
		free(text);
		out.data[at] ^= 1;
		assert_true(numbered_parse(&flipped, out.data, out.len) >= 0);
		for (size_t i = 0; i < COUNT(base); i++) {
			uint64_t got = mask_of(&flipped, base[i]);

			assert_true(got == mask[i] || got == 0);
			wrong += got == 0;
		}
		wrong += flipped.name[0] == NULL;
		assert_in_range(wrong, 1, 2); /* a line end lost makes one of two */
		out.data[at] ^= 1;
		numbered_clear(&cut);
		numbered_clear(&flipped);
	}
	mdbuf_clear(&out);
}

static void
assert_file_mask(struct fixture *f, const char *base, uint64_t expected)
{
	struct numbered more = {0};

	assert_int_equal(numbered_refresh(&f->inbox->home, &more), 0);
	assert_int_equal(mask_of(&more, base), expected);
	numbered_clear(&more);
}

static void
store(struct fixture *f, struct numbered *more, const char *base, uint64_t keywords)
{
	const struct numbered_message change = {base, strlen(base), keywords};

	assert_int_equal(mdlock_folder(&f->inbox->home), 0);
	assert_int_equal(numbered_refresh(&f->inbox->home, more), 0);
	assert_int_equal(numbered_store(&f->inbox->home, more, &change, 1), 0);
	mdlock_folder_drop(&f->inbox->home);
	assert_int_equal(mask_of(more, base), keywords & NUMBERED_BITS);
}

/* Two who write by turns, a third who reads; what somebody left half written is behind us. */
static void
appended_and_read_on(void **state)
{
	struct fixture *f = *state;
	struct numbered one = {0}, two = {0};
	struct stat before, after;
	int fd;

	store(f, &one, "1.a", BIT(26) | 7);
	store(f, &two, "2.b", BIT(63));
	assert_int_equal(fstatat(f->fd, FILE_NAME, &before, 0), 0);
	assert_int_equal(numbered_refresh(&f->inbox->home, &one), 0);
	assert_int_equal(mask_of(&one, "2.b"), BIT(63));
	assert_int_equal(one.lines, 3); /* read on, not again */
	fd = openat(f->fd, FILE_NAME, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "01234567 m 5 1.", 15), 15);
	close(fd);
	assert_int_equal(numbered_refresh(&f->inbox->home, &one), 0);
	store(f, &two, "1.a", BIT(30));
	assert_int_equal(numbered_refresh(&f->inbox->home, &one), 0);
	assert_int_equal(mask_of(&one, "1.a"), BIT(30));
	assert_int_equal(mask_of(&one, "2.b"), BIT(63));
	assert_int_equal(fstatat(f->fd, FILE_NAME, &after, 0), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	/* Another file of that name, also in place, is read from its beginning. */
	put(f, FILE_NAME, "sallyport keywords 1\n");
	assert_int_equal(numbered_refresh(&f->inbox->home, &one), 0);
	assert_int_equal(mask_of(&one, "2.b"), 0);
	unlinkat(f->fd, FILE_NAME, 0);
	assert_int_equal(numbered_refresh(&f->inbox->home, &two), 0);
	assert_int_equal(mask_of(&two, "2.b"), 0);
	assert_int_equal(two.count, 0);
	numbered_clear(&one);
	numbered_clear(&two);
}

static bool
is_even(void *ctx, const char *base, size_t len)
{
	(void)ctx;
	return len > 0 && base[0] % 2 == 0;
}

static void
trimmed_when_grown(void **state)
{
	struct fixture *f = *state;
	struct numbered more = {0};
	struct stat st;
	char base[2] = "0";

	assert_int_equal(numbered_name(&f->inbox->home, &more, 26, "kept"), 0);
	for (int i = 0; i < 300; i++) {
		base[0] = (char)('0' + i % 10);
		store(f, &more, base, BIT(26 + i % 30));
		assert_int_equal(numbered_trim(&f->inbox->home, &more, 5, is_even, NULL), 0);
	}
	assert_true(more.lines < 250);
	assert_int_equal(fstatat(f->fd, FILE_NAME, &st, 0), 0);
	assert_true(st.st_size < 250 * 30);
	assert_string_equal(more.name[0], "kept");
	assert_file_mask(f, "8", BIT(26 + 298 % 30));
	assert_false(exists(f, "sallyport.keywords.new"));
	numbered_clear(&more);
}

/* What is no file is an empty one, and what is another's too is not written to. */
static void
mend30_strange_files(void **state)
{
	const struct numbered_message change = {"1.a", 3, BIT(26)}, second = {"2.b", 3, BIT(27)};
	struct fixture *f = *state;
	struct numbered more = {0};
	struct stat before, after;

	put(f, "other", "mine\n");
	assert_int_equal(symlinkat("other", f->fd, FILE_NAME), 0);
	assert_int_equal(numbered_refresh(&f->inbox->home, &more), 0);
	assert_int_equal(numbered_store(&f->inbox->home, &more, &change, 1), 0);
	assert_file_mask(f, "1.a", BIT(26));
	/* A second name: what it says is kept. */
	unlinkat(f->fd, "other", 0);
	assert_int_equal(linkat(f->fd, FILE_NAME, f->fd, "other", 0), 0);
	assert_int_equal(fstatat(f->fd, "other", &before, 0), 0);
	assert_int_equal(numbered_store(&f->inbox->home, &more, &second, 1), 0);
	assert_file_mask(f, "1.a", BIT(26));
	assert_file_mask(f, "2.b", BIT(27));
	assert_int_equal(fstatat(f->fd, "other", &after, 0), 0);
	assert_int_equal(after.st_size, before.st_size);
	unlinkat(f->fd, FILE_NAME, 0);
	assert_int_equal(mkdirat(f->fd, FILE_NAME, 0700), 0);
	assert_int_equal(numbered_refresh(&f->inbox->home, &more), 0);
	assert_int_equal(numbered_store(&f->inbox->home, &more, &change, 1), 0);
	assert_int_equal(unlinkat(f->fd, FILE_NAME ".odd", AT_REMOVEDIR), 0);
	/* What our writing of dovecot-keywords left once under that name. */
	put(f, FILE_NAME, "0 $Forwarded\n1 b\n");
	assert_int_equal(numbered_refresh(&f->inbox->home, &more), 0);
	assert_int_equal(numbered_free(&more), 26);
	store(f, &more, "1.a", BIT(26));
	assert_file_mask(f, "1.a", BIT(26));
	numbered_clear(&more);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(checksums_are_for_ever),
	    cmocka_unit_test(lines),
	    cmocka_unit_test(odd_bases),
	    cmocka_unit_test(damage_costs_one_line),
	    WITH(appended_and_read_on),
	    WITH(trimmed_when_grown),
	    WITH(mend30_strange_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
