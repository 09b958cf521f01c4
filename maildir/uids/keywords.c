/*
 * keywords.c: the keywords of a folder's messages.
 * Runs as: mail user.
 */
#include <errno.h>
#include <stdlib.h>

#include "maildir/base/dir.h"
#include "maildir/base/lock.h"
#include "maildir/base/name.h"
#include "maildir/uids/keywords.h"

_Static_assert((int)NUMBERED_FIRST == (int)LETTERS, "numbers go on where letters end");

struct keywords *
keywords_new(struct mddir *dir)
{
	struct keywords *k = calloc(1, sizeof(*k));

	if (k != NULL)
		k->dir = dir;
	return k;
}

void
keywords_free(struct keywords *k)
{
	if (k != NULL)
		numbered_clear(&k->numbers);
	free(k);
}

/* On errors what was read before stays. */
static int
letters_refresh(struct keywords *k)
{
	struct file_stamp now;
	struct lettered fresh;

	if (file_stamp_at(k->dir->fd, LETTERED_NAME, &now) < 0)
		return -1;
	if (k->known && file_stamp_same(&now, &k->letters.stamp))
		return 0;
	if (lettered_load(k->dir, &fresh) < 0)
		return -1;
	k->letters = fresh;
	return 0;
}

int
keywords_refresh(struct keywords *k)
{
	if (k->known && mddir_in_batch(k->dir))
		return 0;
	if (letters_refresh(k) < 0 || numbered_refresh(k->dir, &k->numbers) < 0)
		return -1;
	k->known = true;
	return 0;
}

/* --- which a message has --- */

/* The letter that has the name of a numbered keyword, or -1. */
static int
letter_of(const struct keywords *k, int number)
{
	const char *name = k->numbers.name[number - NUMBERED_FIRST];

	return name != NULL ? lettered_find(&k->letters, name) : -1;
}

uint64_t
keywords_of(const struct keywords *k, const char *base, size_t base_len, uint32_t letters)
{
	uint64_t keywords = letters, numbered = numbered_of(&k->numbers, base, base_len);

	for (int i = NUMBERED_FIRST; i < MAILDIR_KEYWORDS && numbered >> i != 0; i++) {
		int letter = numbered & UINT64_C(1) << i ? letter_of(k, i) : -1;

		if (letter >= 0) {
			numbered &= ~(UINT64_C(1) << i);
			keywords |= UINT64_C(1) << letter;
		}
	}
	return keywords | numbered;
}

bool
keywords_split(const struct keywords *k, const char *base, size_t base_len, uint64_t now,
    const struct maildir_flag_change *change, struct mdname_change *name_r, uint64_t *numbered_r)
{
	/* Its letters are those of numbers whose name has got a letter since; from now on the letter counts. */
	uint64_t told = keywords_of(k, base, base_len, 0);
	uint64_t add = (change->add_keywords | (told & now)) & ~change->remove_keywords;

	name_r->add = change->add;
	name_r->remove = change->remove;
	name_r->add_keywords = (uint32_t)(add & LETTERS_MASK);
	name_r->remove_keywords = (uint32_t)(change->remove_keywords & LETTERS_MASK);
	*numbered_r = (now | change->add_keywords) & ~change->remove_keywords & NUMBERED_BITS;
	return *numbered_r != (now & NUMBERED_BITS) ||
	       (numbered_of(&k->numbers, base, base_len) & ~told) != 0;
}

/* --- names --- */

int
keywords_number(const struct keywords *k, const char *name)
{
	int letter = lettered_find(&k->letters, name);

	return letter >= 0 ? letter : numbered_find(&k->numbers, name);
}

void
keywords_names(const struct keywords *k, const char *names_r[MAILDIR_KEYWORDS])
{
	for (int i = 0; i < MAILDIR_KEYWORDS; i++) {
		const char *name = i < LETTERS ? k->letters.name[i] : k->numbers.name[i - LETTERS];

		/* If a letter and a number have the same name, the letter counts. */
		if (name == NULL || !keyword_valid(name) || (i >= LETTERS && letter_of(k, i) >= 0))
			name = NULL;
		names_r[i] = name;
	}
}

bool
keywords_want_letter(const struct keywords *k)
{
	/* Names of letters that cannot be read must not be overwritten. */
	return !k->letters.closed && lettered_free(&k->letters, 0) >= 0;
}

/* -1 with ERANGE: no letter is free.  Looks again, since Dovecot may have taken it. */
static int
letter_add(struct keywords *k, const char *name, uint32_t used)
{
	int letter;

	if (letters_refresh(k) < 0)
		return -1;
	letter = lettered_find(&k->letters, name);
	if (letter >= 0)
		return letter;
	letter = lettered_free(&k->letters, used);
	if (letter < 0) {
		errno = ERANGE;
		return -1;
	}
	return lettered_name(k->dir, &k->letters, letter, name) < 0 ? -1 : letter;
}

static int
number_add(struct keywords *k, const char *name)
{
	int number = numbered_free(&k->numbers);

	if (k->numbers.closed || number < 0) {
		errno = k->numbers.closed ? EACCES : ERANGE;
		return -1;
	}
	return numbered_name(k->dir, &k->numbers, number, name) < 0 ? -1 : number;
}

int
keywords_add(struct keywords *k, const char *name, uint32_t used, bool locked)
{
	int letter = -1;

	errno = ERANGE;
	if (keywords_want_letter(k)) {
		if (!locked && uidlist_lock_take(k->dir) < 0)
			return -1;
		letter = letter_add(k, name, used);
		if (!locked)
			uidlist_lock_drop(k->dir);
	}
	return letter >= 0 || errno != ERANGE ? letter : number_add(k, name);
}
