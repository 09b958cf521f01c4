/*
 * fuzz_transfer.c: the text of a part through its transfer encoding, its charset and the mapping of case.  The
 * first three octets choose the encoding, the charset and the place of a cut.  The result must not depend on
 * the cut, except for charsets with states, whose converters are glibc's.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/base/buf.h"
#include "maildir/message/casemap.h"
#include "maildir/message/charset.h"
#include "maildir/message/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct charset *
charset_of(uint8_t octet)
{
	static size_t count;
	const char *name;

	if (count == 0) {
		charset_load();
		while (charset_name(count) != NULL)
			count++;
	}
	name = charset_name(octet % count);
	return charset_find(name, strlen(name));
}

/* Decodes a copy of just that size to one of just the room that is promised. */
static void
decode_piece(struct transfer_decoder *decoder, const uint8_t *data, size_t len, struct mdbuf *out)
{
	size_t room = len + sizeof(decoder->held), n;
	char *in = malloc(len + (len == 0)), *to = malloc(room);

	if (in == NULL || to == NULL)
		abort();
	memcpy(in, data, len);
	n = transfer_feed(decoder, in, len, to);
	if (n > room)
		abort();
	mdbuf_add(out, to, n);
	free(in);
	free(to);
}

static void
decode(enum transfer_encoding kind, const uint8_t *data, size_t len, size_t step, struct mdbuf *out)
{
	struct transfer_decoder decoder;
	char rest[sizeof(decoder.held)];
	size_t at, n;

	transfer_init(&decoder, kind);
	for (at = 0; at < len; at += step)
		decode_piece(&decoder, data + at, len - at < step ? len - at : step, out);
	n = transfer_end(&decoder, rest);
	if (n > sizeof(rest))
		abort();
	mdbuf_add(out, rest, n);
}

static void
convert(const struct charset *charset, const struct mdbuf *in, size_t step, struct mdbuf *out)
{
	struct charset_carry carry = {.len = 0};
	size_t at;

	for (at = 0; at < in->len; at += step)
		charset_to_utf8(charset, &carry, in->data + at,
		    in->len - at < step ? in->len - at : step, false, out);
	charset_to_utf8(charset, &carry, NULL, 0, true, out);
	if (out->len > 0 && !utf8_valid(out->data, out->len))
		abort();
}

static void
must_be_same(struct mdbuf *a, struct mdbuf *b)
{
	if (a->len != b->len || (a->len > 0 && memcmp(a->data, b->data, a->len) != 0))
		abort();
	mdbuf_clear(b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mdbuf octets = {0}, utf8 = {0}, mapped = {0}, other = {0};
	const struct charset *charset;
	enum transfer_encoding kind;
	size_t step;

	if (size < 3)
		return 0;
	kind = (enum transfer_encoding)(data[0] % (TRANSFER_UNKNOWN + 1));
	charset = charset_of(data[1]);
	step = (size_t)data[2] + 1;
	data += 3;
	size -= 3;
	decode(kind, data, size, size + 1, &octets);
	decode(kind, data, size, step, &other);
	must_be_same(&octets, &other);
	convert(charset, &octets, octets.len + 1, &utf8);
	convert(charset, &octets, step, &other);
	if (charset_stateful(charset))
		mdbuf_clear(&other);
	else
		must_be_same(&utf8, &other);
	casemap_add(utf8.data, utf8.len, &mapped);
	if (mapped.len > 0 && !utf8_valid(mapped.data, mapped.len))
		abort();
	mdbuf_clear(&octets);
	mdbuf_clear(&utf8);
	mdbuf_clear(&mapped);
	return 0;
}
