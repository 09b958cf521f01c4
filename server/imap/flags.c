/*
 * flags.c: IMAP's flags and keywords, and the numbers that a folder has for keywords.
 * Runs as: mail user.
 *
 * A Maildir's "P" (passed on) is told as the keyword $Forwarded.  Setting $Forwarded makes a keyword of that name, as
 * Dovecot does; removing it removes both.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "maildir/maildir.h"
#include "server/imap/flags.h"

static const char forwarded[] = "$Forwarded";

static const struct system_flag {
	const char *name;
	uint32_t flag;
} system_flags[] = {
    {"\\Answered", MAILDIR_REPLIED},
    {"\\Flagged", MAILDIR_FLAGGED},
    {"\\Deleted", MAILDIR_TRASHED},
    {"\\Seen", MAILDIR_SEEN},
    {"\\Draft", MAILDIR_DRAFT},
};

enum { SYSTEM_FLAGS = sizeof(system_flags) / sizeof(system_flags[0]) };

bool
flag_names_load(struct maildir_folder *folder, struct flag_names *names)
{
	const char *name[MAILDIR_KEYWORDS];
	struct flag_names now = {.count = 0};
	bool same;

	maildir_keyword_names(folder, name);
	for (size_t i = 0; i < MAILDIR_KEYWORDS; i++) {
		if (name[i] == NULL || strlen(name[i]) > FLAGS_KEYWORD_MAX)
			continue;
		now.at[i] = (uint16_t)(now.text.len + 1);
		mdbuf_add(&now.text, name[i], strlen(name[i]) + 1);
		now.count++;
	}
	/* Without memory the keywords are not told until the next load. */
	if (now.text.failed) {
		flag_names_clear(&now);
		return false;
	}
	same = now.text.len == names->text.len && memcmp(now.at, names->at, sizeof(now.at)) == 0 &&
	       (now.text.len == 0 || memcmp(now.text.data, names->text.data, now.text.len) == 0);
	flag_names_clear(names);
	*names = now;
	return !same;
}

void
flag_names_clear(struct flag_names *names)
{
	mdbuf_clear(&names->text);
	memset(names, 0, sizeof(*names));
}

const char *
flag_name(const struct flag_names *names, unsigned number)
{
	return names->at[number] == 0 ? "" : names->text.data + names->at[number] - 1;
}

static bool
take_flag(struct args *args, struct flag_list *list)
{
	const struct system_flag *row;
	struct word word;

	if (args_next_is(args, '\\')) {
		if (!args_atom(args, "\\", &word))
			return false;
		row = word_row(word, system_flags, SYSTEM_FLAGS, sizeof(system_flags[0]));
		list->flags |= row != NULL ? row->flag : 0;
		return row != NULL;
	}
	if (list->count == FLAGS_NAMED_MAX || !args_atom(args, NULL, &word) ||
	    word.len > FLAGS_KEYWORD_MAX)
		return false;
	list->keyword[list->count++] = word;
	return true;
}

bool
flags_parse(struct args *args, bool bare, struct flag_list *list_r)
{
	bool listed = args_open(args);

	memset(list_r, 0, sizeof(*list_r));
	if (!listed && !bare)
		return false;
	if (listed && args_close(args))
		return true;
	do {
		if (!take_flag(args, list_r))
			return false;
	} while (args_more(args));
	return listed ? args_close(args) : args_end(args);
}

int
flags_keywords(
    struct maildir_folder *folder, const struct flag_list *list, bool make, uint64_t *keywords_r)
{
	char name[FLAGS_KEYWORD_MAX + 1];

	*keywords_r = 0;
	for (size_t i = 0; i < list->count; i++) {
		const struct word *word = &list->keyword[i];
		int number;

		memcpy(name, word->at, word->len);
		name[word->len] = '\0';
		number =
		    make ? maildir_keyword_make(folder, name) : maildir_keyword_find(folder, name);
		if (number < 0 && make)
			return -1;
		if (number >= 0)
			*keywords_r |= UINT64_C(1) << number;
	}
	return 0;
}

/* Adds a word, after a blank if there are others. */
static void
put_word(struct mdbuf *out, size_t start, const char *word)
{
	if (out->len > start)
		mdbuf_add(out, " ", 1);
	mdbuf_add(out, word, strlen(word));
}

void
flags_put(struct mdbuf *out, const struct flag_names *names, uint32_t flags, uint64_t keywords,
    bool recent)
{
	bool passed = (flags & MAILDIR_PASSED) != 0;
	size_t start = out->len;

	for (size_t i = 0; i < SYSTEM_FLAGS; i++)
		if ((flags & system_flags[i].flag) != 0)
			put_word(out, start, system_flags[i].name);
	for (unsigned i = 0; keywords != 0 && i < MAILDIR_KEYWORDS; i++, keywords >>= 1) {
		const char *name = flag_name(names, i);

		if ((keywords & 1) == 0 || *name == '\0')
			continue;
		passed = passed && strcasecmp(name, forwarded) != 0;
		put_word(out, start, name);
	}
	if (passed)
		put_word(out, start, forwarded);
	if (recent)
		put_word(out, start, "\\Recent");
}
