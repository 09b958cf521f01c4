/*
 * section.c: finds the content of BODY[...] and BINARY[...], and sends it to the client.
 * Runs as: mail user.
 *
 * A literal's size goes out before its octets.  Both come from a file that another program may replace
 * meanwhile.  The client gets as many octets as were announced: more are cut off, and if there are fewer the
 * session ends, since nothing else can tell the client.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "maildir/maildir.h"
#include "maildir/message/mime.h"
#include "server/imap/fetch.h"
#include "server/imap/mailbox.h"
#include "server/imap/session.h"

enum { PIECE = 16384 }; /* octets read at a time; as much as one TLS record takes */

/* --- what was read of a message --- */

/* The end of the blank line that ends a header; len if there is none from there on. */
static size_t
head_end(const char *text, size_t len, size_t from)
{
	const char *at = text + from, *end = text + len;

	if (len >= 2 && memcmp(text, "\r\n", 2) == 0)
		return 2;
	while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		at++;
		if (end - at >= 2 && memcmp(at, "\r\n", 2) == 0)
			return (size_t)(at - text) + 2;
	}
	return len;
}

/* Reads the header; 0 or -1. */
static int
read_head(struct fetched *message)
{
	struct mdbuf *head = &message->head;
	struct maildir_reader *reader;
	char piece[PIECE];
	ssize_t n;
	size_t end = 0, from;

	if (message->head_read)
		return 0;
	if (maildir_reader_open(message->session->box->folder, message->uid, &reader) == -1)
		return -1;
	head->len = 0;
	while ((n = maildir_reader_read(reader, piece, sizeof(piece))) > 0) {
		from = head->len < 4 ? 0 : head->len - 4;
		mdbuf_add(head, piece, (size_t)n);
		if (head->failed)
			break;
		end = head_end(head->data, head->len, from);
		if (end < head->len || head->len > MIME_HEADER_MAX)
			break;
	}
	maildir_reader_close(&reader);
	if (n == -1 || head->failed) {
		errno = n == -1 ? errno : ENOMEM;
		return -1;
	}
	head->len = end;
	message->head_read = true;
	return 0;
}

const struct mime *
fetched_mime(struct fetched *message)
{
	if (message->mime == NULL &&
	    maildir_mime(message->session->box->folder, message->uid, &message->mime) == -1)
		return NULL;
	return message->mime;
}

/* Gets MAILDIR_FIELDS; 0 or -1. */
static int
read_fields(struct fetched *message)
{
	if (message->fields_read)
		return 0;
	if (maildir_text(message->session->box->folder, message->uid, MAILDIR_FIELDS,
		&message->fields) == -1)
		return -1;
	if (message->fields.failed) {
		errno = ENOMEM;
		return -1;
	}
	message->fields_read = true;
	return 0;
}

void
fetched_clear(struct fetched *message)
{
	mdbuf_clear(&message->head);
	mdbuf_clear(&message->fields);
	mime_free(&message->mime);
	message->head_read = message->fields_read = false;
}

/* --- finding --- */

static int
find_in_message(struct fetched *message, const struct section *section, struct content *content)
{
	bool newline;

	if (section->part != SECTION_WHOLE && read_head(message) == -1)
		return -1;
	if (section->part == SECTION_HEADER || section->part == SECTION_FIELDS) {
		content->size = message->head.len;
		return 0;
	}
	if (maildir_exact_size(
		message->session->box->folder, message->uid, &content->size, &newline) == -1)
		return -1;
	if (section->part == SECTION_TEXT) {
		content->at = message->head.len;
		content->size -= content->size < content->at ? content->size : content->at;
	}
	return 0;
}

static void
find_in_part(const struct mime *mime, const struct section *section, struct content *content)
{
	const struct mime_part *part;
	uint32_t index;
	bool body_of;

	index = mime_find(mime, section->number, section->numbers, &body_of);
	content->missing = index == MIME_NONE;
	if (content->missing)
		return;
	part = mime_part(mime, index);
	/* HEADER and TEXT after numbers are those of a message inside. */
	if (section->part == SECTION_HEADER || section->part == SECTION_FIELDS ||
	    section->part == SECTION_TEXT) {
		content->missing = part->kind != MIME_MESSAGE;
		if (content->missing)
			return;
		part = mime_part(mime, part->child);
	}
	if (section->part == SECTION_WHOLE || section->part == SECTION_TEXT) {
		content->at = part->body_at;
		content->size = part->body_size;
	} else {
		content->at = part->header_at;
		content->size = part->header_size;
	}
	if (section->kind != SECTION_BODY && part->kind == MIME_LEAF)
		content->decode = transfer_encoding(part->encoding);
}

/*
 * Calls each with size octets of the content, after the first skip, in pieces as they are on the wire.  each
 * returns false to stop.  -1: errno; EIO if there are fewer octets.
 */
static int
walk(struct fetched *message, const struct content *content, uint64_t skip, uint64_t size,
    bool (*each)(void *ctx, const char *octets, size_t len), void *ctx)
{
	struct maildir_reader *reader;
	char piece[PIECE];
	ssize_t n = 1;
	int r = 0;

	if (content->owned)
		return each(ctx, content->text.data + skip, (size_t)size) ? 0 : -1;
	if (maildir_reader_open(message->session->box->folder, message->uid, &reader) == -1)
		return -1;
	if (maildir_reader_skip(reader, content->at + skip) == -1)
		r = -1;
	while (r == 0 && size > 0) {
		n = maildir_reader_read(reader, piece, size < PIECE ? (size_t)size : PIECE);
		if (n <= 0) {
			errno = n == 0 ? EIO : errno;
			r = -1;
		} else if (!each(ctx, piece, (size_t)n)) {
			break;
		}
		size -= n > 0 ? (uint64_t)n : 0;
	}
	maildir_reader_close(&reader);
	return r;
}

struct filtering {
	struct header_filter filter;
	struct mdbuf *out;
};

static bool
filter_piece(void *ctx, const char *octets, size_t len)
{
	struct filtering *f = ctx;

	header_filter(&f->filter, octets, len, f->out);
	return !f->out->failed;
}

/* The chosen fields only; a blank line ends them where the message has one: RFC 9051 section 6.4.5. */
static int
filter_fields(struct fetched *message, const struct section *section, struct content *content)
{
	struct filtering f = {.filter = {.names = &section->fields}, .out = &content->text};
	const struct mdbuf *head = section->indexed ? &message->fields : &message->head;
	int r = 0;

	if (section->numbers == 0 && head->len > 0)
		header_filter(&f.filter, head->data, head->len, f.out);
	else if (section->numbers > 0)
		r = walk(message, content, 0,
		    content->size < MIME_HEADER_MAX ? content->size : MIME_HEADER_MAX, filter_piece,
		    &f);
	if (r == 0 && f.out->failed) {
		errno = ENOMEM;
		r = -1;
	}
	content->owned = true;
	content->size = f.out->len;
	return r;
}

/* A content on its way through a decoder: to the client, or only to be measured. */
struct decoding {
	struct transfer_decoder decoder;
	struct channel *channel; /* NULL: measured */
	uint64_t skip, left;	 /* decoded octets to drop, and to send after them */
	uint64_t total;		 /* decoded octets so far */
	bool nul;		 /* among them is a NUL */
	char out[PIECE + sizeof(((struct transfer_decoder *)0)->held)];
};

/* Takes len octets that were decoded to out.  false: enough. */
static bool
take_decoded(struct decoding *d, size_t len)
{
	size_t skip = len < d->skip ? len : (size_t)d->skip;

	d->total += len;
	if (d->channel == NULL) {
		d->nul = d->nul || memchr(d->out, '\0', len) != NULL;
		return true;
	}
	d->skip -= skip;
	len -= skip;
	if (len > d->left)
		len = (size_t)d->left;
	d->left -= len;
	channel_put(d->channel, d->out + skip, len);
	return d->left > 0 && d->channel->end == CHANNEL_OPEN;
}

static bool
decode_piece(void *ctx, const char *octets, size_t len)
{
	struct decoding *d = ctx;

	return take_decoded(d, transfer_feed(&d->decoder, octets, len, d->out));
}

static int
decode(struct fetched *message, const struct content *content, struct decoding *d)
{
	transfer_init(&d->decoder, content->decode);
	if (walk(message, content, 0, content->size, decode_piece, d) == -1)
		return -1;
	if (d->channel == NULL || d->left > 0)
		(void)take_decoded(d, transfer_end(&d->decoder, d->out));
	return 0;
}

/* How many octets the content has when it is decoded. */
static int
measure_decoded(struct fetched *message, struct content *content)
{
	struct decoding d = {.channel = NULL};

	if (content->decode == TRANSFER_UNKNOWN) {
		errno = ENOTSUP;
		return -1;
	}
	if (decode(message, content, &d) == -1)
		return -1;
	content->decoded = d.total;
	content->nul = d.nul;
	return 0;
}

int
section_find(struct fetched *message, const struct section *section, struct content *content_r)
{
	const struct mime *mime;

	*content_r = (struct content){.decode = TRANSFER_IDENTITY};
	if (section->indexed) {
		if (read_fields(message) == -1)
			return -1;
	} else if (section->numbers == 0) {
		if (find_in_message(message, section, content_r) == -1)
			return -1;
	} else {
		mime = fetched_mime(message);
		if (mime == NULL)
			return -1;
		find_in_part(mime, section, content_r);
	}
	if (content_r->missing)
		return 0;
	if (section->part == SECTION_FIELDS)
		return filter_fields(message, section, content_r);
	if (section->kind != SECTION_BODY)
		return measure_decoded(message, content_r);
	/* The header was read already, and need not be read again. */
	if (section->numbers == 0 && section->part == SECTION_HEADER) {
		mdbuf_add(&content_r->text, message->head.data, message->head.len);
		content_r->owned = !content_r->text.failed;
	}
	return 0;
}

/* --- sending --- */

/*
 * RFC 9051 section 4.3.1: no string has a NUL, but those of BINARY.  Other servers send 0x80 instead, too; the
 * size stays.
 */
static bool
put_piece(void *ctx, const char *octets, size_t len)
{
	struct channel *channel = ctx;
	const char *nul;

	while ((nul = memchr(octets, '\0', len)) != NULL) {
		size_t before = (size_t)(nul - octets);

		channel_put(channel, octets, before);
		channel_put(channel, "\x80", 1);
		octets = nul + 1;
		len -= before + 1;
	}
	channel_put(channel, octets, len);
	return channel->end == CHANNEL_OPEN;
}

static int
put_decoded(struct fetched *message, const struct content *content, uint64_t skip, uint64_t size)
{
	struct channel *channel = message->session->channel;
	struct decoding d = {.channel = channel, .skip = skip, .left = size};

	if (decode(message, content, &d) == -1)
		return -1;
	if (d.left > 0 && channel->end == CHANNEL_OPEN) {
		errno = EIO; /* another file is there now */
		return -1;
	}
	return 0;
}

int
section_put(struct fetched *message, const struct section *section, const struct content *content)
{
	struct channel *channel = message->session->channel;
	uint64_t skip = 0, size = section->kind == SECTION_BODY ? content->size : content->decoded;

	channel_put(channel, section->label.data, section->label.len);
	if (section->kind == SECTION_BINARY_SIZE) {
		channel_printf(channel, " %" PRIu64, content->missing ? 0 : content->decoded);
		return 0;
	}
	if (section->partial) {
		channel_printf(channel, "<%" PRIu64 ">", section->origin);
		skip = section->origin < size ? section->origin : size;
		size -= skip;
		size = size < section->length ? size : section->length;
	}
	if (content->missing) {
		channel_puts(channel, " NIL");
		return 0;
	}
	if (size == 0) {
		channel_puts(channel, " \"\"");
		return 0;
	}
	/* RFC 3516 section 4.2: literal8 if there is a NUL. */
	channel_printf(channel, " %s{%" PRIu64 "}\r\n", content->nul ? "~" : "", size);
	if (section->kind == SECTION_BINARY)
		return put_decoded(message, content, skip, size);
	return walk(message, content, skip, size, put_piece, channel);
}
