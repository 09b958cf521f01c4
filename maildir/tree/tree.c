/*
 * tree.c: deletes and renames folders.
 * Runs as: mail user.
 *
 * A folder is one directory, so one rename makes it or removes it.  A delete first renames the directory to a name that
 * no folder can have, and then empties it.  If the process is killed in between, the next delete empties it.  The
 * directories of folders below a folder lie beside it and are renamed one by one; if a rename fails, those before it
 * are taken back.  The process holds a lock of the tree, so that no two renames interleave.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "maildir/base/array.h"
#include "maildir/base/file.h"
#include "maildir/base/lock.h"
#include "maildir/folder/deliver.h"
#include "maildir/folder/folder.h"
#include "maildir/tree/tree.h"
#include "maildir/uids/keywords.h"
#include "maildir/uids/validity.h"

/* No folder can have this name, since it does not begin with a dot. */
#define DELETED "sallyport.deleted."

/*
 * A delete goes down so many levels of directories; each costs a descriptor.  cur, new and tmp are one level, and other
 * servers hardly keep deeper directories in a folder.
 */
#define REMOVE_DEPTH 6

/*
 * Some file systems skip names while others are removed, so a directory is read so often.  The next delete removes the
 * rest.
 */
#define REMOVE_TRIES 3

bool
maildir_folder_exists(struct maildir *md, const char *name)
{
	struct place place;
	int fd = place_find(md, name, &place);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* --- deleting --- */

struct level {
	DIR *dir;
	int fd; /* of dir */
	char name[NAME_SIZE];
};

/* Goes down into a directory. */
static void
level_push(struct level stack[REMOVE_DEPTH], size_t *depth, int dirfd, const char *name)
{
	struct level *level = &stack[*depth];

	if (*depth == REMOVE_DEPTH || strlen(name) > NAME_MAX ||
	    (level->dir = file_read_dir(dirfd, name, &level->fd)) == NULL)
		return;
	memcpy(level->name, name, strlen(name) + 1);
	++*depth;
}

/* Back up from a directory that is empty now. */
static void
level_pop(struct level stack[REMOVE_DEPTH], size_t *depth, int top)
{
	int above;

	(void)closedir(stack[--*depth].dir);
	above = *depth > 0 ? stack[*depth - 1].fd : top;
	(void)unlinkat(above, stack[*depth].name, AT_REMOVEDIR);
}

/* Removes a directory with what is in it, never through a link; as far as that is possible. */
static void
remove_tree(int top, const char *name)
{
	struct level stack[REMOVE_DEPTH];
	const struct dirent *entry;
	size_t depth = 0;

	level_push(stack, &depth, top, name);
	while (depth > 0) {
		int fd = stack[depth - 1].fd;

		entry = readdir(stack[depth - 1].dir);
		if (entry == NULL)
			level_pop(stack, &depth, top);
		else if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
			 unlinkat(fd, entry->d_name, 0) < 0)
			level_push(stack, &depth, fd, entry->d_name);
	}
}

static int
clear_deleted(void *ctx, const struct dirent *entry)
{
	const struct maildir *md = ctx;
	struct stat st;

	if (strncmp(entry->d_name, DELETED, strlen(DELETED)) != 0)
		return 0;
	for (int tries = 0; tries < REMOVE_TRIES; tries++) {
		remove_tree(md->fd, entry->d_name);
		if (fstatat(md->fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			break;
	}
	return 0;
}

void
maildir_clear_deleted(struct maildir *md)
{
	(void)!file_each_entry(md->fd, ".", clear_deleted, md);
}

/*
 * Records the folder's UIDVALIDITY, since a folder that is made later with this name must have a higher one.  Values
 * that we gave are recorded already, so this is for values of other servers.  Ignores a full disk: deleting must work
 * there.
 */
static void
validity_outlives(struct maildir_folder *folder)
{
	struct uid_record record = {0};
	struct uidfile file;
	uint32_t above, unused;

	if (uidfile_load(&folder->home, &file) < 0)
		return;
	above = file.list.validity;
	uidfile_close(&file);
	if (uid_record_read(&folder->home, &record) == 0 && record.validity > above)
		above = record.validity;
	if (above > 0)
		(void)validity_next(folder->home.md, above, &unused);
}

/*
 * Renames the parts of a folder that was set aside, so that sessions and deliveries that have it open see no folder
 * either.
 */
static void
take_apart(struct maildir *md, const char *aside)
{
	static const char *const part[] = {"cur", "new", "tmp"};
	char old[2 * NAME_SIZE], new[2 * NAME_SIZE];

	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
		snprintf(old, sizeof(old), "%s/%s", aside, part[i]);
		snprintf(new, sizeof(new), "%s/" DELETED "%s", aside, part[i]);
		(void)!renameat(md->fd, old, md->fd, new);
	}
}

/* Renames the folder's directory: after this single step the folder is gone. */
static int
set_aside(struct maildir *md, const char *path)
{
	char aside[NAME_SIZE];

	snprintf(aside, sizeof(aside), DELETED "%lld.%ld.%llu", (long long)time(NULL),
	    (long)getpid(), (unsigned long long)++md->unique);
	if (renameat(md->fd, path, md->fd, aside) < 0)
		return -1;
	take_apart(md, aside);
	return fsync(md->fd);
}

static int
delete_locked(struct maildir *md, const struct place *place)
{
	struct maildir_folder *folder;
	int r;

	if (maildir_folder_open(md, place->name, &folder) < 0)
		return -1;
	/* Wait for a delivery that is under way. */
	r = mdlock_folder(&folder->home);
	if (r == 0) {
		validity_outlives(folder);
		r = set_aside(md, folder->home.path);
		mdlock_folder_drop(&folder->home);
	}
	maildir_folder_close(&folder);
	if (r < 0)
		return -1;
	/* The folder is gone.  Ignore errors of this cleanup. */
	(void)special_use_follow(md, place->name, NULL);
	return 0;
}

int
maildir_folder_delete(struct maildir *md, const char *name)
{
	struct place place;
	int lock, r;

	if (place_of(name, &place) < 0)
		return -1;
	if (strcmp(place.path, ".") == 0) {
		errno = EINVAL;
		return -1;
	}
	lock = mdlock_tree(md);
	if (lock < 0)
		return -1;
	r = delete_locked(md, &place);
	close_keeping_errno(lock);
	return r;
}

/* --- renaming --- */

/* The directories to be renamed: of the folder, if it exists, and of all folders below it. */
struct moves {
	struct maildir *md;
	const char *from, *to;
	struct move {
		char *from, *to;
	} * move;
	size_t count, room;
};

static void
moves_clear(struct moves *moves)
{
	for (size_t i = 0; i < moves->count; i++) {
		free(moves->move[i].from);
		free(moves->move[i].to);
	}
	free(moves->move);
}

static int
moves_add(struct moves *moves, const char *from, const char *to)
{
	struct move *move = array_grow(moves->move, moves->count, &moves->room, sizeof(*move));

	if (move == NULL)
		return -1;
	moves->move = move;
	move = &moves->move[moves->count++];
	move->from = strdup(from);
	move->to = strdup(to);
	return move->from != NULL && move->to != NULL ? 0 : -1;
}

/* Returns whether name is the folder or lies below it.  *rest_r is the rest of the name then. */
static bool
is_within(const char *name, const char *folder, const char **rest_r)
{
	size_t len = strlen(folder);

	*rest_r = name + len;
	return strncmp(name, folder, len) == 0 && (**rest_r == '\0' || **rest_r == '/');
}

/* Plans the rename of a directory of the list, if it is to be renamed. */
static int
moves_plan(struct moves *moves, const struct folder_list *list, const struct folder_entry *entry)
{
	char target[2 * NAME_SIZE];
	const char *rest;
	struct place to;
	struct stat st;

	if (entry->hidden || !is_within(entry->name, moves->from, &rest))
		return 0;
	snprintf(target, sizeof(target), "%s%s", moves->to, rest);
	if (place_of(target, &to) < 0)
		return -1;
	errno = EEXIST;
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->entry[i].name, to.name) == 0)
			return -1;
	}
	if (fstatat(moves->md->fd, to.path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -1;
	return errno == ENOENT ? moves_add(moves, entry->path, to.path) : -1;
}

static int
moves_plan_all(struct moves *moves)
{
	struct folder_list list;
	int r = 0;

	if (folder_list_read(moves->md, &list) < 0)
		return -1;
	for (size_t i = 0; r == 0 && i < list.count; i++)
		r = moves_plan(moves, &list, &list.entry[i]);
	folder_list_clear(&list);
	if (r == 0 && moves->count == 0) {
		errno = ENOENT;
		r = -1;
	}
	return r;
}

static int
move_directory(struct maildir *md, const char *from, const char *to)
{
	if (renameat2(md->fd, from, md->fd, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* rename(2) replaces a directory only if it is empty, and then there is nothing to lose. */
	return renameat(md->fd, from, md->fd, to);
}

static int
moves_run(const struct moves *moves)
{
	size_t done = 0;
	int saved;

	while (done < moves->count &&
	       move_directory(moves->md, moves->move[done].from, moves->move[done].to) == 0)
		done++;
	if (done == moves->count)
		return fsync(moves->md->fd);
	saved = errno;
	while (done-- > 0)
		(void)move_directory(moves->md, moves->move[done].to, moves->move[done].from);
	errno = saved;
	return -1;
}

static int
rename_locked(struct maildir *md, const char *from, const char *to)
{
	struct moves moves = {.md = md, .from = from, .to = to};
	int r;

	if (maildir_folder_exists(md, to)) {
		errno = EEXIST;
		return -1;
	}
	r = moves_plan_all(&moves);
	if (r == 0)
		r = moves_run(&moves);
	moves_clear(&moves);
	if (r == 0)
		(void)special_use_follow(md, from, to);
	return r;
}

/* --- renaming INBOX: its messages move --- */

/* Gives keywords of one folder the numbers of the other; map holds those that were asked for before, else -1. */
static int
keywords_map(struct maildir_folder *from, struct maildir_folder *to, uint64_t keywords,
    int map[MAILDIR_KEYWORDS], uint64_t *mapped_r)
{
	const char *names[MAILDIR_KEYWORDS];

	*mapped_r = 0;
	if (keywords == 0)
		return 0;
	maildir_keyword_names(from, names);
	for (unsigned i = 0; i < MAILDIR_KEYWORDS; i++) {
		const char *name;

		if (!(keywords & UINT64_C(1) << i))
			continue;
		name = map[i] < 0 ? names[i] : NULL;
		if (name != NULL && (map[i] = maildir_keyword_make(to, name)) < 0)
			return -1;
		/* A letter that has no name says nothing. */
		if (map[i] >= 0)
			*mapped_r |= UINT64_C(1) << map[i];
	}
	return 0;
}

/* Copies what can be read, and puts its UIDs into copied: the rest stays where it is. */
static int
inbox_copy(struct maildir_folder *inbox, struct maildir_folder *to, uint32_t *copied)
{
	struct maildir_delivery *delivery;
	struct maildir_message message;
	int map[MAILDIR_KEYWORDS], r = 0;
	const uint32_t *uids;
	uint64_t keywords;
	uint32_t validity;
	size_t count = 0;

	memset(map, -1, sizeof(map));
	if (maildir_delivery_begin(to, &delivery) < 0)
		return -1;
	for (size_t i = 0; r == 0 && maildir_message(inbox, i, &message); i++) {
		r = keywords_map(inbox, to, message.keywords, map, &keywords);
		if (r < 0)
			break;
		if (maildir_delivery_copy(delivery, inbox, message.uid, keywords) == 0)
			copied[count++] = message.uid;
		else if (errno != ENOENT && errno != EINVAL && errno != EACCES)
			r = -1;
	}
	if (r == 0)
		r = maildir_delivery_commit(delivery, &validity, &uids);
	maildir_delivery_end(&delivery);
	return r;
}

/* copied ends with 0. */
static int
inbox_remove(struct maildir_folder *inbox, const uint32_t *copied)
{
	uint32_t validity = maildir_uidvalidity(inbox);
	int r = 0;

	if (maildir_change_begin(inbox) < 0)
		return -1;
	for (; validity == maildir_uidvalidity(inbox) && *copied != 0; copied++) {
		if (maildir_remove(inbox, *copied) < 0)
			r = -1;
	}
	return maildir_change_end(inbox) < 0 ? -1 : r;
}

/* Removes a folder that was just made, unless somebody has put mail into it already. */
static void
unmake(struct maildir *md, struct maildir_folder *folder)
{
	int saved = errno;

	if (folder != NULL && unlinkat(folder->home.fd, "new", AT_REMOVEDIR) == 0) {
		if (unlinkat(folder->home.fd, "cur", AT_REMOVEDIR) < 0)
			(void)!mkdirat(folder->home.fd, "new", 0700);
		else if (set_aside(md, folder->home.path) == 0)
			maildir_clear_deleted(md);
	}
	errno = saved;
}

static int
rename_inbox(struct maildir *md, const char *to)
{
	struct maildir_folder *inbox = NULL, *folder = NULL;
	uint32_t *copied = NULL;
	int r = -1;

	if (maildir_folder_create(md, to) < 0)
		return -1;
	if (maildir_folder_open(md, to, &folder) == 0 &&
	    maildir_folder_open(md, "INBOX", &inbox) == 0 && maildir_sync(inbox) == 0 &&
	    (copied = calloc(maildir_count(inbox) + 1, sizeof(*copied))) != NULL)
		r = inbox_copy(inbox, folder, copied);
	if (r < 0)
		unmake(md, folder);
	else
		r = inbox_remove(inbox, copied);
	free(copied);
	maildir_folder_close(&inbox);
	maildir_folder_close(&folder);
	return r;
}

int
maildir_folder_rename(struct maildir *md, const char *from, const char *to)
{
	struct place old, new;
	const char *rest;
	bool inbox;
	int lock, r;

	if (place_of(from, &old) < 0 || place_of(to, &new) < 0)
		return -1;
	inbox = strcmp(old.path, ".") == 0;
	if (!inbox && is_within(new.name, old.name, &rest) && *rest == '/') {
		errno = EINVAL;
		return -1;
	}
	lock = mdlock_tree(md);
	if (lock < 0)
		return -1;
	r = inbox ? rename_inbox(md, new.name) : rename_locked(md, old.name, new.name);
	close_keeping_errno(lock);
	return r;
}
