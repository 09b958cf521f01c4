/*
 * summary.c: reads a message once for all that is told of it later.
 * Runs as: mail user.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/message/message.h"
#include "maildir/message/mime.h"
#include "maildir/message/search.h"

/* Octets read at a time: most headers are one piece. */
enum { SUMMARY_PIECE = 16 * 1024 };

/* A message being read. */
struct summary_run {
	struct mime *mime;
	struct header_filter filter;
	struct summary *summary;
	char last;
	char piece[SUMMARY_PIECE];
};

static int
read_octets(struct summary_run *run, const struct source *source, bool head_only)
{
	struct mdbuf *out = &run->summary->text[MAILDIR_FIELDS];
	ssize_t n;

	while ((n = source->read(source->ctx, run->piece, sizeof(run->piece))) > 0) {
		header_filter(&run->filter, run->piece, (size_t)n, out);
		mime_feed(run->mime, run->piece, (size_t)n);
		run->summary->wire += (uint64_t)n;
		run->last = run->piece[n - 1];
		if (head_only && run->filter.reader.state == HEADER_OVER)
			break;
	}
	return n < 0 ? -1 : mime_end(run->mime);
}

/* If both texts are the same, empties the second. */
static bool
same_text(const struct mdbuf *text, struct mdbuf *utf8)
{
	if (text->len != utf8->len || memcmp(text->data, utf8->data, text->len) != 0)
		return false;
	mdbuf_clear(utf8);
	return true;
}

static int
put_texts(const struct mime *mime, struct summary *summary)
{
	struct mdbuf *text = summary->text;
	bool failed = false;

	mime_put_envelope(mime, 0, false, &text[MAILDIR_ENVELOPE]);
	mime_put_envelope(mime, 0, true, &text[MAILDIR_ENVELOPE_UTF8]);
	if (summary->whole) {
		mime_put_structure(mime, true, false, &text[MAILDIR_BODYSTRUCTURE]);
		mime_put_structure(mime, true, true, &text[MAILDIR_BODYSTRUCTURE_UTF8]);
	}
	summary->decoded = text[MAILDIR_FIELDS].len <= REMEMBERED_DECODE_MAX;
	if (summary->decoded)
		remembered_decode(
		    text[MAILDIR_FIELDS].data, text[MAILDIR_FIELDS].len, &text[MAILDIR_DECODED]);
	for (int i = 0; i < MAILDIR_TEXTS; i++)
		failed |= text[i].failed;
	if (failed) {
		errno = ENOMEM;
		return -1;
	}
	summary->same_envelope = same_text(&text[MAILDIR_ENVELOPE], &text[MAILDIR_ENVELOPE_UTF8]);
	summary->same_structure = summary->whole && same_text(&text[MAILDIR_BODYSTRUCTURE],
							&text[MAILDIR_BODYSTRUCTURE_UTF8]);
	return 0;
}

int
summary_read(const struct source *source, bool head_only, struct summary *summary_r)
{
	struct summary_run *run = calloc(1, sizeof(*run));
	int r = -1, saved;

	memset(summary_r, 0, sizeof(*summary_r));
	if (run == NULL)
		return -1;
	run->summary = summary_r;
	run->filter.names = &remembered_fields;
	run->mime = mime_new();
	if (run->mime != NULL && read_octets(run, source, head_only) == 0) {
		summary_r->whole = !head_only;
		summary_r->line_end = run->last == '\n';
		r = put_texts(run->mime, summary_r);
	}
	saved = errno;
	mime_free(&run->mime);
	free(run);
	if (r < 0)
		summary_clear(summary_r);
	errno = saved;
	return r;
}

void
summary_clear(struct summary *summary)
{
	for (int i = 0; i < MAILDIR_TEXTS; i++)
		mdbuf_clear(&summary->text[i]);
	memset(summary, 0, sizeof(*summary));
}

const struct mdbuf *
summary_text(const struct summary *summary, enum maildir_text text)
{
	if (text == MAILDIR_ENVELOPE_UTF8 && summary->same_envelope)
		text = MAILDIR_ENVELOPE;
	if (text == MAILDIR_BODYSTRUCTURE_UTF8 && summary->same_structure)
		text = MAILDIR_BODYSTRUCTURE;
	return &summary->text[text];
}
