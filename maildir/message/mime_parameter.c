/*
 * mime_parameter.c: joins the pieces of parameters: name*0, name*1* and so on become name or name*.
 * Runs as: mail user.
 *
 * RFC 9051 section 7.5.2 asks servers to do so.  The percent encoding and the charset stay as they are, so that
 * nothing is lost: the value of name* is extended as in RFC 2231 section 4, and structure.c decodes it for
 * IMAP4rev2.  If a piece is missing or comes twice, nothing is joined, and each piece is told as it is written.
 */
#include <string.h>
#include <strings.h>

#include "maildir/base/number.h"
#include "maildir/message/mime_internal.h"

enum {
	/* Pieces with longer names are not joined, as each name is compared to all others. */
	NAME_MAX_LEN = 100,
};

struct piece {
	size_t name_len; /* 0: it is no piece */
	unsigned section;
	bool extended;
};

/* All parameters of a field, and where the pieces of one of them are. */
struct pieces {
	struct mime_parameter *parameter;
	uint32_t count;
	struct piece piece[MIME_PARAMETERS_MAX];
	uint32_t place[MIME_PARAMETERS_MAX]; /* by section: an index, or MIME_NONE */
	uint32_t places;
	bool extended; /* one of them is */
};

static struct piece
piece_of(const char *name)
{
	static const struct piece none = {0, 0, false};
	const char *star = strchr(name, '*'), *digits;
	struct piece piece = none;
	uint64_t section;
	size_t n;

	if (star == NULL || star - name > NAME_MAX_LEN)
		return none;
	digits = star + 1;
	n = number_read(digits, strlen(digits), MIME_PARAMETERS_MAX - 1, &section);
	/* RFC 2231 section 3 allows no leading zeros. */
	if (n == 0 || (n > 1 && digits[0] == '0'))
		return none;
	piece.name_len = (size_t)(star - name);
	piece.section = (unsigned)section;
	piece.extended = digits[n] == '*';
	return digits[n + (piece.extended ? 1 : 0)] == '\0' ? piece : none;
}

/* Finds all pieces of the name whose first is given; false: they cannot be joined. */
static bool
find_places(struct pieces *p, uint32_t first)
{
	const char *name = p->parameter[first].name;

	p->places = 0;
	p->extended = false;
	for (uint32_t i = 0; i < p->count; i++)
		p->place[i] = MIME_NONE;
	for (uint32_t i = 0; i < p->count; i++) {
		const struct piece *piece = &p->piece[i];

		if (piece->name_len != p->piece[first].name_len ||
		    strncasecmp(p->parameter[i].name, name, piece->name_len) != 0)
			continue;
		if (piece->section >= p->count || p->place[piece->section] != MIME_NONE)
			return false;
		p->place[piece->section] = i;
		p->extended |= piece->extended;
		p->places++;
	}
	for (uint32_t i = 0; i < p->places; i++)
		if (p->place[i] == MIME_NONE)
			return false;
	return true;
}

/* A piece that is not encoded, for a whole that is.  RFC 2231 section 7. */
static void
add_encoded(struct mdbuf *out, const char *value)
{
	for (; *value != '\0'; value++) {
		unsigned char c = (unsigned char)*value;

		if (c <= ' ' || c >= 127 || strchr("*'%()<>@,;:\\\"/[]?=", c) != NULL)
			mdbuf_addf(out, "%%%02X", c);
		else
			mdbuf_add(out, value, 1);
	}
}

/* Puts the whole in the place of the first piece; the other ones lose their names. */
static void
join(struct mime *mime, struct pieces *p)
{
	struct mdbuf *word = &mime->word;
	struct mime_parameter *first = &p->parameter[p->place[0]];
	const char *name;

	word->len = 0;
	mdbuf_add(word, first->name, p->piece[p->place[0]].name_len);
	mdbuf_add(word, "*", p->extended ? 1 : 0);
	name = mime_keep(mime, word->data, word->len);
	word->len = 0;
	for (uint32_t i = 0; i < p->places; i++) {
		struct piece *piece = &p->piece[p->place[i]];
		const char *value = p->parameter[p->place[i]].value;

		if (i == 0 && p->extended && !piece->extended)
			mdbuf_add(word, "''", 2); /* no charset, no language */
		if (p->extended && !piece->extended)
			add_encoded(word, value);
		else
			mdbuf_add(word, value, strlen(value));
		p->parameter[p->place[i]].name = NULL;
		piece->name_len = 0;
	}
	first->name = name;
	first->value = mime_keep(mime, word->data, word->len);
}

void
mime_join_parameters(struct mime *mime, struct mime_run *parameters)
{
	uint32_t kept = 0;
	struct pieces p;

	if (parameters->count == 0)
		return;
	p.parameter = &mime->parameter[parameters->first];
	p.count = parameters->count;
	for (uint32_t i = 0; i < p.count; i++)
		p.piece[i] = piece_of(p.parameter[i].name);
	for (uint32_t i = 0; i < p.count && !mime->failed; i++)
		if (p.piece[i].name_len > 0 && p.piece[i].section == 0 && find_places(&p, i))
			join(mime, &p);
	for (uint32_t i = 0; i < p.count; i++)
		if (p.parameter[i].name != NULL)
			p.parameter[kept++] = p.parameter[i];
	parameters->count = kept;
	mime->parameters = parameters->first + kept;
}
