/*
 * summary.c: a message read once for all that is told of it later.
 * Runs as: mail user.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/message/message.h"
#include "maildir/message/mime.h"
#include "maildir/message/search.h"

/* What is read at a time: most headers are one piece. */
enum { FACTS_PIECE = 16 * 1024 };

/* A message being read. */
struct facts_run {
	struct mime *mime;
	struct header_filter filter;
	struct summary *facts;
	char last;
	char piece[FACTS_PIECE];
};

static int
facts_octets(struct facts_run *run, const struct source *source, bool head_only)
{
	struct mdtext *out = &run->facts->text[MAILDIR_FIELDS];
	ssize_t n;

	while ((n = source->read(source->ctx, run->piece, sizeof(run->piece))) > 0) {
		header_filter(&run->filter, run->piece, (size_t)n, out);
		mime_feed(run->mime, run->piece, (size_t)n);
		run->facts->wire += (uint64_t)n;
		run->last = run->piece[n - 1];
		if (head_only && run->filter.reader.state == HEADER_OVER)
			break;
	}
	return n < 0 ? -1 : mime_end(run->mime);
}

/* Whether both are the same: then the second is emptied. */
static bool
same_text(const struct mdtext *text, struct mdtext *utf8)
{
	if (text->len != utf8->len || memcmp(text->data, utf8->data, text->len) != 0)
		return false;
	mdtext_clear(utf8);
	return true;
}

static int
facts_put(const struct mime *mime, struct summary *facts)
{
	struct mdtext *text = facts->text;
	bool failed = false;

	mime_put_envelope(mime, 0, false, &text[MAILDIR_ENVELOPE]);
	mime_put_envelope(mime, 0, true, &text[MAILDIR_ENVELOPE_UTF8]);
	if (facts->whole) {
		mime_put_structure(mime, true, false, &text[MAILDIR_BODYSTRUCTURE]);
		mime_put_structure(mime, true, true, &text[MAILDIR_BODYSTRUCTURE_UTF8]);
	}
	facts->decoded = text[MAILDIR_FIELDS].len <= REMEMBERED_DECODE_MAX;
	if (facts->decoded)
		remembered_decode(
		    text[MAILDIR_FIELDS].data, text[MAILDIR_FIELDS].len, &text[MAILDIR_DECODED]);
	for (int i = 0; i < MAILDIR_TEXTS; i++)
		failed |= text[i].failed;
	if (failed) {
		errno = ENOMEM;
		return -1;
	}
	facts->same_envelope = same_text(&text[MAILDIR_ENVELOPE], &text[MAILDIR_ENVELOPE_UTF8]);
	facts->same_structure = facts->whole && same_text(&text[MAILDIR_BODYSTRUCTURE],
						    &text[MAILDIR_BODYSTRUCTURE_UTF8]);
	return 0;
}

int
summary_read(const struct source *source, bool head_only, struct summary *facts_r)
{
	struct facts_run *run = calloc(1, sizeof(*run));
	int r = -1, saved;

	memset(facts_r, 0, sizeof(*facts_r));
	if (run == NULL)
		return -1;
	run->facts = facts_r;
	run->filter.names = &remembered_fields;
	run->mime = mime_new();
	if (run->mime != NULL && facts_octets(run, source, head_only) == 0) {
		facts_r->whole = !head_only;
		facts_r->line_end = run->last == '\n';
		r = facts_put(run->mime, facts_r);
	}
	saved = errno;
	mime_free(&run->mime);
	free(run);
	if (r < 0)
		summary_clear(facts_r);
	errno = saved;
	return r;
}

void
summary_clear(struct summary *facts)
{
	for (int i = 0; i < MAILDIR_TEXTS; i++)
		mdtext_clear(&facts->text[i]);
	memset(facts, 0, sizeof(*facts));
}

const struct mdtext *
summary_text(const struct summary *facts, enum maildir_text text)
{
	if (text == MAILDIR_ENVELOPE_UTF8 && facts->same_envelope)
		text = MAILDIR_ENVELOPE;
	if (text == MAILDIR_BODYSTRUCTURE_UTF8 && facts->same_structure)
		text = MAILDIR_BODYSTRUCTURE;
	return &facts->text[text];
}
