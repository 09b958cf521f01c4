/*
 * header.c: choosing the fields of a header as its octets come.
 * Runs as: mail user.
 */
#include <string.h>
#include <strings.h>

#include "maildir/message/header.h"

static bool
is_named(const struct header_names *names, const char *name, size_t len)
{
	for (size_t i = 0; i < names->count; i++)
		if (strlen(names->name[i]) == len && strncasecmp(names->name[i], name, len) == 0)
			return true;
	return false;
}

/* The obsolete syntax has blanks between the name and its colon.  RFC 5322 section 4.5. */
static size_t
name_length(const char *line, size_t len)
{
	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	return len;
}

/* Takes the line, whose beginning is held, or leaves it. */
static void
decide(struct header_filter *filter, bool keep, struct mdtext *out)
{
	filter->inside = true;
	filter->keep = keep;
	if (keep)
		mdtext_add(out, filter->line, filter->len);
}

/* The next octet of a line whose fate is open. */
static void
begin_line(struct header_filter *filter, char c, struct mdtext *out)
{
	const struct header_names *names = filter->names;
	size_t len = filter->len;

	filter->line[filter->len++] = c;
	if (len == 0 && (c == ' ' || c == '\t')) {
		/* It belongs to the line before; where there is none, to no field that has a name. */
		decide(filter, filter->begun ? filter->keep : names->except, out);
	} else if (c == '\n' && (len == 0 || (len == 1 && filter->line[0] == '\r'))) {
		mdtext_add(out, filter->line, filter->len);
		filter->ended = true;
	} else if (c == ':') {
		size_t name_len = name_length(filter->line, len);

		decide(filter, is_named(names, filter->line, name_len) != names->except, out);
	} else if (c == '\n' || filter->len == sizeof(filter->line)) {
		decide(filter, names->except, out);
	}
	filter->begun = true;
}

void
header_filter(struct header_filter *filter, const char *octets, size_t len, struct mdtext *out)
{
	while (len > 0 && !filter->ended) {
		const char *newline;
		size_t piece = 1;

		if (!filter->inside) {
			begin_line(filter, *octets, out);
		} else {
			newline = memchr(octets, '\n', len);
			piece = newline != NULL ? (size_t)(newline - octets) + 1 : len;
			if (filter->keep)
				mdtext_add(out, octets, piece);
		}
		if (octets[piece - 1] == '\n') {
			filter->inside = false;
			filter->len = 0;
		}
		octets += piece;
		len -= piece;
	}
}
