/*
 * keyword.c: finds, adds and stores keywords of an open folder.
 * Runs as: mail user.
 */
#include <errno.h>
#include <string.h>

#include "maildir/folder/folder.h"
#include "maildir/folder/scan.h"
#include "maildir/index/index.h"
#include "maildir/uids/keywords.h"

/* Most passes in search of letters in use, while other programs rename files. */
#define LETTER_PASSES 3

int
folder_store_keywords(
    struct maildir_folder *folder, const struct numbered_message *message, size_t count)
{
	const struct file_stamp *seen = &index_state(folder->index)->more;
	struct file_stamp none;
	struct numbered *numbers = &folder->keywords->numbers;
	bool same;
	int r;

	if (keywords_refresh(folder->keywords) < 0)
		return -1;
	same = file_stamp_same(&numbers->stamp, seen);
	r = numbered_store(&folder->home, numbers, message, count);
	/* After a failure the next sync reads the file, of which any part may have been written. */
	memset(&none, 0xff, sizeof(none));
	if ((same && r == 0) || r < 0)
		index_saw_keywords(folder->index, r < 0 ? &none : &numbers->stamp);
	return r;
}

/* Gives the letters in the names of all files of the folder, also of files that no sync has seen. */
static int
letters_in_use(struct maildir_folder *folder, uint32_t *letters_r)
{
	uint32_t flags, letters;
	struct scan scan;
	int r = 0;

	*letters_r = 0;
	if (folder_dir(folder, ENTRY_CUR) < 0 && folder_dir(folder, ENTRY_NEW) < 0)
		return -1;
	scan_init(&scan, folder, NULL, NULL);
	while (r == 0 && !scan.still && scan.passes < LETTER_PASSES)
		r = scan_pass(&scan);
	for (size_t i = 0; i < scan.count; i++) {
		mdname_flags(scan.file[i].name, &flags, &letters);
		*letters_r |= letters;
	}
	scan_clear(&scan);
	return r;
}

int
folder_add_keyword(struct maildir_folder *folder, const char *name, bool locked)
{
	struct keywords *k = folder->keywords;
	uint32_t used = 0;
	int number;

	if (keywords_refresh(k) < 0)
		return -1;
	/* Another process may have added the keyword. */
	number = keywords_number(k, name);
	if (number >= 0)
		return number;
	if (keywords_want_letter(k) && letters_in_use(folder, &used) < 0)
		return -1;
	return keywords_add(k, name, used, locked);
}

/* Reads the names if they have changed.  If the files cannot be read, the names that were read before hold. */
static bool
names_are_known(struct keywords *k)
{
	return keywords_refresh(k) == 0 || k->known;
}

void
maildir_keyword_names(struct maildir_folder *folder, const char *names_r[MAILDIR_KEYWORDS])
{
	if (names_are_known(folder->keywords))
		keywords_names(folder->keywords, names_r);
	else
		memset(names_r, 0, MAILDIR_KEYWORDS * sizeof(*names_r));
}

int
maildir_keyword_find(struct maildir_folder *folder, const char *name)
{
	return names_are_known(folder->keywords) ? keywords_number(folder->keywords, name) : -1;
}

int
maildir_keyword_make(struct maildir_folder *folder, const char *name)
{
	int number;

	if (!keyword_valid(name)) {
		errno = EINVAL;
		return -1;
	}
	if (keywords_refresh(folder->keywords) < 0)
		return -1;
	number = keywords_number(folder->keywords, name);
	if (number >= 0)
		return number;
	if (mdlock_folder(&folder->home) < 0)
		return -1;
	number = folder_add_keyword(folder, name, false);
	mdlock_folder_drop(&folder->home);
	return number;
}
