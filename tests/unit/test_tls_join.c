/* Records of handshake messages: joined whatever the cuts, refused when they are mixed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tls/join.h"

enum { HANDSHAKE = 22, CCS = 20, ALERT = 21, DATA = 23, ROOM = 400000 };

struct text {
	size_t len;
	unsigned char at[ROOM];
};

static void
put(struct text *text, const void *octets, size_t len)
{
	assert_true(len <= sizeof text->at - text->len);
	memcpy(text->at + text->len, octets, len);
	text->len += len;
}

static void
put_record(struct text *text, int type, const void *content, size_t len)
{
	const unsigned char header[] = {
	    (unsigned char)type, 3, 1, (unsigned char)(len >> 8), (unsigned char)len};

	put(text, header, sizeof header);
	put(text, content, len);
}

/* A handshake message of len octets with its header. */
static void
put_message(struct text *text, size_t len)
{
	const unsigned char header[] = {
	    1, 0, (unsigned char)((len - 4) >> 8), (unsigned char)(len - 4)};

	put(text, header, sizeof header);
	for (size_t i = 4; i < len; i++) {
		unsigned char c = (unsigned char)rand();

		put(text, &c, 1);
	}
}

/* Feeds pieces of at most step octets, takes as mbedTLS does: a header, then the content. */
static const char *
joined(const struct text *in, size_t step, bool tls13, struct text *out_r)
{
	struct tls_join *join = calloc(1, sizeof *join);
	const char *wrong;
	size_t at = 0, n;

	assert_non_null(join);
	out_r->len = 0;
	while (at < in->len && join->wrong == NULL) {
		size_t len = in->len - at < step ? in->len - at : step;
		size_t taken = tls_join_feed(join, in->at + at, len, tls13);

		assert_true(taken > 0 && taken <= len);
		at += taken;
		while ((n = tls_join_take(join, out_r->at + out_r->len, 5)) > 0)
			out_r->len += n;
	}
	wrong = join->wrong;
	assert_true(wrong == NULL || join->alert != 0);
	free(join);
	return wrong;
}

static struct text cut, whole, out, message;

static void
begin(void)
{
	cut.len = whole.len = message.len = 0;
}

/* Messages of any length, cut anywhere, several in one record or one in many: a record for each. */
static void
mend14_any_cut(void **state)
{
	static const size_t lengths[] = {4, 5, 300, 1700, 16384};
	static const size_t steps[] = {1, 7, 1000000};

	(void)state;
	for (unsigned seed = 1; seed <= 60; seed++) {
		size_t at, n;

		srand(seed);
		begin();
		for (int i = rand() % 3; i >= 0; i--) {
			size_t len = lengths[rand() % 5];

			at = message.len;
			put_message(&message, len);
			put_record(&whole, HANDSHAKE, message.at + at, len);
		}
		for (at = 0; at < message.len; at += n) {
			n = seed % 3 == 0 ? 1 : 1 + (size_t)rand() % (seed % 3 == 1 ? 40 : 16384);
			if (n > message.len - at)
				n = message.len - at;
			put_record(&cut, HANDSHAKE, message.at + at, n);
		}
		assert_null(joined(&cut, steps[seed % 3], false, &out));
		assert_int_equal(out.len, whole.len);
		assert_memory_equal(out.at, whole.at, whole.len);
	}
}

/* What is not the handshake's, or encrypted, passes octet for octet. */
static void
mend14_others_pass(void **state)
{
	static const unsigned char hello[] = {1, 0, 0, 1, 7}, garbage[] = "GET / HTTP/1.0\r\n\r\n";

	(void)state;
	begin();
	put_record(&cut, HANDSHAKE, hello, 5);
	put_record(&cut, CCS, "\1", 1);
	put_record(&cut, HANDSHAKE, hello, 3); /* TLS 1.2: Finished, encrypted */
	put_record(&cut, HANDSHAKE, hello, 4);
	put_record(&cut, ALERT, "\2\50", 2);
	put_record(&cut, DATA, "", 0);
	for (size_t step = 1; step < 20; step++) {
		assert_null(joined(&cut, step, false, &out));
		assert_int_equal(out.len, cut.len);
		assert_memory_equal(out.at, cut.at, cut.len);
	}
	begin();
	put(&cut, garbage, sizeof garbage);
	assert_null(joined(&cut, 3, false, &out));
	assert_int_equal(out.len, cut.len);
	assert_memory_equal(out.at, cut.at, cut.len);
}

/* TLS 1.3: after the dummy ChangeCipherSpec a second hello can come, cut as well. */
static void
mend14_second_hello(void **state)
{
	static const unsigned char hello[] = {1, 0, 0, 1, 7};

	(void)state;
	begin();
	put_record(&cut, CCS, "\1", 1);
	put_record(&cut, HANDSHAKE, hello, 3);
	put_record(&cut, HANDSHAKE, hello + 3, 2);
	put_record(&cut, DATA, "encrypted", 9);
	put_record(&whole, CCS, "\1", 1);
	put_record(&whole, HANDSHAKE, hello, 5);
	put_record(&whole, DATA, "encrypted", 9);
	assert_null(joined(&cut, 1, true, &out));
	assert_int_equal(out.len, whole.len);
	assert_memory_equal(out.at, whole.at, whole.len);
}

/* RFC 8446 section 5.1: nothing between the records of a message, no empty ones; and a bound. */
static void
mend14_refused(void **state)
{
	static const unsigned char hello[] = {1, 0, 0, 1, 7}, large[] = {1, 0, 0x3f, 0xfd};

	(void)state;
	for (int type = 0; type < 256; type++) {
		if (type == HANDSHAKE)
			continue;
		begin();
		put_record(&cut, HANDSHAKE, hello, 3);
		put_record(&cut, type, hello + 3, 2);
		assert_non_null(joined(&cut, 1, type % 2 == 0, &out));
		assert_int_equal(out.len, 0);
	}
	begin();
	put_record(&cut, HANDSHAKE, hello, 0);
	assert_non_null(joined(&cut, 100, false, &out));
	begin();
	put_record(&cut, HANDSHAKE, hello, 3);
	put_record(&cut, HANDSHAKE, hello, 0);
	assert_non_null(joined(&cut, 100, false, &out));
	begin();
	put_record(&cut, HANDSHAKE, large, 1);
	put_record(&cut, HANDSHAKE, large + 1, 3);
	assert_non_null(joined(&cut, 100, false, &out));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mend14_any_cut),
	    cmocka_unit_test(mend14_others_pass),
	    cmocka_unit_test(mend14_second_hello),
	    cmocka_unit_test(mend14_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
