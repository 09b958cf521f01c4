/*
 * test_maildir_mime.c: where the parts of a message lie, finding them by their numbers, and limits.
 */
#include "maildir_fixture.h"

#include "maildir/message/mime.h"

static struct mime *
parse(const char *message, size_t len, size_t piece)
{
	struct mime *mime = mime_new();

	assert_non_null(mime);
	for (size_t at = 0; at < len; at += piece)
		mime_feed(mime, message + at, len - at < piece ? len - at : piece);
	assert_int_equal(mime_end(mime), 0);
	return mime;
}

/* RFC 9051 section 6.4.5, its example; the texts tell the numbers. */
static const char example[] =
    "Subject: example\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\npreamble\r\n"
    "--a\r\n\r\n[1]\r\n"
    "--a\r\nContent-Type: application/octet-stream\r\n\r\n[2]\r\n"
    "--a\r\nContent-Type: message/rfc822\r\n\r\n"
    "Subject: three\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    "--b\r\n\r\n[3.1]\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n[3.2]\r\n--b--\r\n"
    "--a\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
    "--c\r\nContent-Type: image/gif\r\n\r\n[4.1]\r\n"
    "--c\r\nContent-Type: message/rfc822\r\n\r\n"
    "Subject: four two\r\nContent-Type: multipart/mixed; boundary=d\r\n\r\n"
    "--d\r\n\r\n[4.2.1]\r\n"
    "--d\r\nContent-Type: multipart/alternative; boundary=e\r\n\r\n"
    "--e\r\n\r\n[4.2.2.1]\r\n--e\r\nContent-Type: text/richtext\r\n\r\n[4.2.2.2]\r\n--e--\r\n"
    "--d--\r\n--c--\r\n--a--\r\nepilogue\r\n";

static const char plain[] = "Subject: x\r\n\r\n[1]";

static const char message[] =
    "Subject: outer\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\n[1.1]";

static const char messages[] =
    "Content-Type: message/rfc822\r\n\r\nContent-Type: message/rfc822\r\n\r\n"
    "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\n[1.1.1]\r\n--a--\r\n";

static const char empty[] = "Content-Type: multipart/mixed; boundary=a\r\n\r\nnothing\r\n";

static uint32_t
find(const struct mime *mime, const char *section, bool *body_of_r)
{
	uint32_t numbers[16];
	size_t count = 0;

	while (*section != '\0') {
		char *end;

		numbers[count++] = (uint32_t)strtoul(section, &end, 10);
		section = *end == '.' ? end + 1 : end;
	}
	return mime_find(mime, numbers, count, body_of_r);
}

static void
found(void **state)
{
	static const struct {
		const char *message, *section, *body, *header;
		bool body_of;
	} rows[] = {
	    {plain, "", "[1]", "Subject: x\r\n\r\n", false},
	    {plain, "1", "[1]", "Subject: x\r\n\r\n", true},
	    {plain, "2", NULL, NULL, false},
	    {plain, "0", NULL, NULL, false},
	    {plain, "1.1", NULL, NULL, false},
	    {example, "1", "[1]", "\r\n", false},
	    {example, "2", "[2]", "Content-Type: application/octet-stream\r\n\r\n", false},
	    {example, "3", NULL, "Content-Type: message/rfc822\r\n\r\n", false},
	    {example, "3.1", "[3.1]", "\r\n", false},
	    {example, "3.2", "[3.2]", "Content-Type: application/octet-stream\r\n\r\n", false},
	    {example, "4.1", "[4.1]", "Content-Type: image/gif\r\n\r\n", false},
	    {example, "4.2", NULL, "Content-Type: message/rfc822\r\n\r\n", false},
	    {example, "4.2.1", "[4.2.1]", "\r\n", false},
	    {example, "4.2.2.1", "[4.2.2.1]", "\r\n", false},
	    {example, "4.2.2.2", "[4.2.2.2]", "Content-Type: text/richtext\r\n\r\n", false},
	    {example, "0", NULL, NULL, false},
	    {example, "5", NULL, NULL, false},
	    {example, "1.1", NULL, NULL, false},
	    {example, "3.3", NULL, NULL, false},
	    {example, "3.0", NULL, NULL, false},
	    {example, "4.2.2.3", NULL, NULL, false},
	    {example, "4.2.2.1.1", NULL, NULL, false},
	    {example, "4294967295", NULL, NULL, false},
	    {message, "1", "Subject: inner\r\n\r\n[1.1]",
		"Subject: outer\r\nContent-Type: message/rfc822\r\n\r\n", true},
	    {message, "1.1", "[1.1]", "Subject: inner\r\n\r\n", true},
	    {message, "1.2", NULL, NULL, false},
	    {message, "1.1.1", NULL, NULL, false},
	    {messages, "1.1.1", "[1.1.1]", "\r\n", false},
	    {messages, "1.1.2", NULL, NULL, false},
	    {empty, "1", "", "", false},
	    {empty, "2", NULL, NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *text = rows[i].message;
		struct mime *mime = parse(text, strlen(text), 1 + i);
		bool body_of;
		uint32_t index = find(mime, rows[i].section, &body_of);
		const struct mime_part *part;

		assert_int_equal(
		    index == MIME_NONE, rows[i].body == NULL && rows[i].header == NULL);
		if (index != MIME_NONE) {
			part = mime_part(mime, index);
			assert_int_equal(body_of, rows[i].body_of);
			assert_int_equal(part->header_size, strlen(rows[i].header));
			assert_memory_equal(
			    text + part->header_at, rows[i].header, part->header_size);
			assert_int_equal(part->body_at, part->header_at + part->header_size);
			if (rows[i].body != NULL) {
				assert_int_equal(part->body_size, strlen(rows[i].body));
				assert_memory_equal(
				    text + part->body_at, rows[i].body, part->body_size);
			}
		}
		mime_free(&mime);
	}
}

/* A message inside is where its part says: 3 and 4.2 of the example, and its HEADER. */
static void
message_inside(void **state)
{
	struct mime *mime = parse(example, strlen(example), 5);
	bool body_of;
	const struct mime_part *part = mime_part(mime, find(mime, "3", &body_of)), *inside;

	(void)state;
	assert_int_equal(part->kind, MIME_MESSAGE);
	assert_string_equal(part->type, "message");
	assert_string_equal(part->subtype, "rfc822");
	inside = mime_part(mime, part->child);
	assert_int_equal(inside->kind, MIME_MULTIPART);
	assert_int_equal(inside->header_at, part->body_at);
	assert_memory_equal(example + inside->header_at, "Subject: three\r\n", 16);
	assert_int_equal(inside->next, MIME_NONE);
	assert_int_equal(part->body_size, inside->header_size + inside->body_size);
	assert_memory_equal(example + part->body_at + part->body_size - 5, "--b--", 5);
	assert_int_equal(part->body_lines, 10); /* the last has no end */
	mime_free(&mime);
}

static void
words(void **state)
{
	static const char text[] = "Content-Type: text/html; charset=\"utf-8\"\r\n"
				   "Content-Transfer-Encoding: BASE64 (x)\r\n\r\n";
	struct mime *mime = parse(text, strlen(text), 1);

	(void)state;
	assert_int_equal(mime_count(mime), 1);
	assert_string_equal(mime_part(mime, 0)->subtype, "html");
	assert_string_equal(mime_part(mime, 0)->encoding, "BASE64");
	assert_string_equal(mime_part(mime, 0)->charset, "utf-8");
	mime_free(&mime);
	mime = parse("", 0, 1);
	assert_string_equal(mime_part(mime, 0)->type, "text");
	assert_string_equal(mime_part(mime, 0)->subtype, "plain");
	assert_null(mime_part(mime, 0)->encoding);
	assert_null(mime_part(mime, 0)->charset);
	mime_free(&mime);
}

/* What must be true of the parts of anything. */
static void
check_parts(const struct mime *mime, uint64_t size)
{
	assert_in_range(mime_count(mime), 1, MIME_PARTS_MAX);
	for (uint32_t i = 0; i < mime_count(mime); i++) {
		const struct mime_part *part = mime_part(mime, i), *parent;

		assert_int_equal(part->header_at + part->header_size, part->body_at);
		assert_true(part->body_at + part->body_size <= size);
		assert_true(part->body_lines <= part->body_size);
		assert_int_equal(part->kind == MIME_LEAF, part->child == MIME_NONE);
		if (part->parent == MIME_NONE) {
			assert_int_equal(i, 0);
			assert_int_equal(part->body_at + part->body_size, size);
			continue;
		}
		parent = mime_part(mime, part->parent);
		assert_true(part->parent < i);
		assert_true(part->body_size == 0 ||
			    part->body_at + part->body_size <= parent->body_at + parent->body_size);
	}
}

static void
cut_anywhere(void **state)
{
	static const char *const texts[] = {example, plain, message, messages, empty};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		for (size_t len = 0; len <= strlen(texts[i]); len++) {
			char *copy = malloc(len + 1);
			struct mime *mime;

			assert_non_null(copy);
			memcpy(copy, texts[i], len);
			mime = parse(copy, len, 1 + len % 97);
			check_parts(mime, len);
			mime_free(&mime);
			free(copy);
		}
}

static void
add(struct mdbuf *text, const char *string)
{
	mdbuf_add(text, string, strlen(string));
}

enum layer { MIXED, MIXED_ALIKE, DIGEST, MESSAGE, LAYERS };

static void
add_layer(struct mdbuf *text, enum layer layer, int n)
{
	char line[128] = "Content-Type: message/rfc822\r\n\r\n";

	if (layer == MIXED_ALIKE)
		n = 0;
	if (layer == MIXED || layer == MIXED_ALIKE)
		snprintf(line, sizeof(line),
		    "Content-Type: multipart/mixed; boundary=n%d\r\n\r\n--n%d\r\n", n, n);
	if (layer == DIGEST)
		snprintf(line, sizeof(line),
		    "Content-Type: multipart/digest; boundary=n%d\r\n\r\n--n%d\r\n\r\n", n, n);
	add(text, line);
}

/* Requirement 26: however deep, however many. */
static void
deep(void **state)
{
	(void)state;
	for (enum layer layer = 0; layer < LAYERS; layer++) {
		struct mdbuf text = {0}, out = {0};
		struct mime *mime;
		uint32_t last;
		unsigned depth = 1;

		for (int n = 0; n < 50000; n++)
			add_layer(&text, layer, n);
		mime = parse(text.data, text.len, 1000);
		check_parts(mime, text.len);
		for (last = 0; mime_part(mime, last)->child != MIME_NONE; depth++)
			last = mime_part(mime, last)->child;
		assert_in_range(depth, 50, MIME_DEPTH_MAX);
		mime_put_structure(mime, true, true, &out);
		assert_false(out.failed);
		mime_free(&mime);
		mdbuf_clear(&text);
		mdbuf_clear(&out);
	}
}

static void
just_deep_enough(void **state)
{
	(void)state;
	for (int depth = MIME_DEPTH_MAX - 1; depth <= MIME_DEPTH_MAX + 1; depth++) {
		struct mdbuf text = {0};
		struct mime *mime;
		uint32_t last;

		for (int n = 1; n < depth; n++)
			add(&text, "Content-Type: message/rfc822\r\n\r\n");
		add(&text, "Content-Type: text/plain\r\n\r\nx\r\n");
		mime = parse(text.data, text.len, 1000);
		last = (uint32_t)mime_count(mime) - 1;
		assert_int_equal(last + 1, depth < MIME_DEPTH_MAX ? depth : MIME_DEPTH_MAX);
		assert_string_equal(mime_part(mime, last)->subtype,
		    depth <= MIME_DEPTH_MAX ? "plain" : "octet-stream");
		check_parts(mime, text.len);
		mime_free(&mime);
		mdbuf_clear(&text);
	}
}

static void
many_parts(void **state)
{
	static const int counts[] = {MIME_PARTS_MAX - 2, MIME_PARTS_MAX - 1, MIME_PARTS_MAX, 50000};

	(void)state;
	for (size_t i = 0; i < COUNT(counts); i++) {
		struct mdbuf text = {0}, out = {0};
		struct mime *mime;
		int told = counts[i] < MIME_PARTS_MAX ? counts[i] : MIME_PARTS_MAX - 1;

		add(&text, "Content-Type: multipart/mixed; boundary=a\r\n\r\n");
		for (int n = 0; n < counts[i]; n++)
			add(&text, "--a\r\n\r\nx\r\n");
		add(&text, "--a--\r\n");
		mime = parse(text.data, text.len, 4096);
		assert_int_equal(mime_count(mime), told + 1);
		assert_int_equal(mime_part(mime, (uint32_t)told)->body_size, 1);
		check_parts(mime, text.len);
		mime_put_structure(mime, true, true, &out);
		assert_false(out.failed);
		mime_free(&mime);
		mdbuf_clear(&text);
		mdbuf_clear(&out);
	}
}

/* Multiparts without a part get one each, and do not pass the limit by it. */
static void
many_empty_multiparts(void **state)
{
	struct mdbuf text = {0}, out = {0};
	struct mime *mime;

	(void)state;
	add(&text, "Content-Type: multipart/mixed; boundary=a\r\n\r\n");
	for (int n = 0; n < 30000; n++)
		add(&text, "--a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n");
	mime = parse(text.data, text.len, 4096);
	check_parts(mime, text.len);
	mime_put_structure(mime, true, true, &out);
	assert_false(out.failed);
	mime_free(&mime);
	mdbuf_clear(&text);
	mdbuf_clear(&out);
}

static size_t
structure_size(const struct mdbuf *text)
{
	struct mime *mime = parse(text->data, text->len, 65536);
	struct mdbuf out = {0};
	size_t len;

	check_parts(mime, text->len);
	mime_put_structure(mime, true, true, &out);
	mime_put_envelope(mime, 0, true, &out);
	assert_false(out.failed);
	len = out.len;
	mdbuf_clear(&out);
	mime_free(&mime);
	return len;
}

static void
many_parameters(void **state)
{
	static const char *const parameters[] = {"; a=b", "; a*0=b", "; a*0*=b; c*0=d", "; a*1=b"};

	(void)state;
	for (size_t i = 0; i < COUNT(parameters); i++) {
		struct mdbuf text = {0};

		add(&text, "Content-Type: text/plain");
		for (int n = 0; n < 100000; n++)
			add(&text, parameters[i]);
		add(&text, "\r\n\r\nx\r\n");
		assert_true(structure_size(&text) < (size_t)MIME_PARAMETERS_MAX * 16);
		mdbuf_clear(&text);
	}
}

/* Headers beyond what is kept: 30 MB of them, in one field and in many. */
static void
large_headers(void **state)
{
	static const char *const fields[] = {"x", "Subject:\r\n", "To: a\r\n",
	    "Subject: x\r\n y\r\n", "Content-Description: x\r\n", "X-Other: x\r\n"};

	(void)state;
	for (size_t i = 0; i < COUNT(fields); i++) {
		struct mdbuf text = {0};

		add(&text, i == 0 ? "Subject: " : "");
		while (text.len < (size_t)3 * MIME_HEADER_MAX)
			add(&text, fields[i]);
		add(&text, "\r\n\r\nx\r\n");
		assert_true(structure_size(&text) < (size_t)3 * MIME_HEADER_MAX);
		mdbuf_clear(&text);
	}
}

/* A line as long as the message, which begins like a boundary. */
static void
long_lines(void **state)
{
	struct mdbuf text = {0};
	struct mime *mime;

	(void)state;
	add(&text, "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nx\r\n--a");
	for (int i = 0; i < 100000; i++)
		add(&text, " \t       ");
	add(&text, "\r\n\r\n");
	for (int i = 0; i < 100000; i++)
		add(&text, "-b------");
	mime = parse(text.data, text.len, 777);
	assert_int_equal(mime_count(mime), 3);
	assert_int_equal(mime_part(mime, 1)->body_size, 1);
	assert_int_equal(mime_part(mime, 2)->body_size, 800000);
	check_parts(mime, text.len);
	mime_free(&mime);
	mdbuf_clear(&text);
}

/* A boundary longer than any should be still ends its part; just longer than is compared, too. */
static void
long_boundaries(void **state)
{
	static const int lengths[] = {1, 70, 71, 500, 997, 998};

	(void)state;
	for (size_t i = 0; i < COUNT(lengths); i++) {
		char boundary[1200];
		struct mdbuf text = {0};
		struct mime *mime;

		memset(boundary, 'b', (size_t)lengths[i]);
		boundary[lengths[i]] = '\0';
		add(&text, "Content-Type: multipart/mixed; boundary=");
		add(&text, boundary);
		add(&text, "\r\n\r\n--");
		add(&text, boundary);
		add(&text, "\r\n\r\nx\r\n--");
		add(&text, boundary);
		add(&text, "--\r\n");
		for (size_t piece = 1; piece <= 1100; piece += 157) {
			mime = parse(text.data, text.len, piece);
			assert_int_equal(mime_count(mime), 2);
			assert_int_equal(mime_part(mime, 1)->body_size, 1);
			mime_free(&mime);
		}
		mdbuf_clear(&text);
	}
}

/* As it is read from a Maildir, whose files have LF alone. */
static void
from_a_folder(void **state)
{
	struct fixture *f = *state;
	struct mime *mime;

	put(f, "cur/1.a.h:2,",
	    "Subject: x\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\none\n--a--\n");
	put(f, "cur/2.a.h:2,", "Subject: y\n\ntwo\n");
	assert_int_equal(maildir_sync(f->inbox), 0);
	assert_int_equal(maildir_mime(f->inbox, uid_at(f->inbox, 0), &mime), 0);
	assert_int_equal(mime_count(mime), 2);
	assert_int_equal(mime_part(mime, 1)->body_size, 3);
	mime_free(&mime);
	assert_int_equal(unlinkat(f->fd, "cur/2.a.h:2,", 0), 0);
	assert_int_equal(maildir_mime(f->inbox, uid_at(f->inbox, 1), &mime), -1);
	assert_int_equal(errno, ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(found),
	    cmocka_unit_test(message_inside),
	    cmocka_unit_test(words),
	    cmocka_unit_test(cut_anywhere),
	    cmocka_unit_test(deep),
	    cmocka_unit_test(just_deep_enough),
	    cmocka_unit_test(many_parts),
	    cmocka_unit_test(many_empty_multiparts),
	    cmocka_unit_test(many_parameters),
	    cmocka_unit_test(large_headers),
	    cmocka_unit_test(long_lines),
	    cmocka_unit_test(long_boundaries),
	    cmocka_unit_test_setup_teardown(from_a_folder, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
