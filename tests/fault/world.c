/*
 * world.c: a small Maildir and what must be true of it.
 * Runs as: whoever runs the tests.
 */
#include "tests/fault/world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const char *const world_folder[WORLD_FOLDERS] = {"INBOX", "Work"};
const char *const world_index[] = {"sallyport.index", "sallyport.log", "sallyport.texts", NULL};
static const char *const folder_dir[WORLD_FOLDERS] = {".", ".Work"};

/* In the order of enum maildir_flag. */
static const char letters[] = "PRSTDF";

_Noreturn void
world_die(const char *what, const char *name)
{
	fprintf(stderr, "the test itself: %s %s: %s\n", what, name, strerror(errno));
	_exit(2);
}

static bool
wrong(const char *what, const char *folder, long number)
{
	fprintf(stderr, "  %s: %s (%ld)\n", folder, what, number);
	return false;
}

/* --- the tree --- */

void
world_path(const struct world *world, char path[PATH_MAX], int folder, const char *name)
{
	snprintf(path, PATH_MAX, "%s/%s/%s", world->path, folder_dir[folder], name);
}

void
world_make(struct world *world, const char *dir)
{
	struct maildir *md;

	snprintf(world->path, sizeof(world->path), "%s/sallyport-world.XXXXXX", dir);
	if (mkdtemp(world->path) == NULL || maildir_create(world->path) < 0 ||
	    maildir_open(world->path, "world", &md) < 0)
		world_die("mkdtemp", world->path);
	if (maildir_folder_create(md, world_folder[1]) < 0)
		world_die("create", world_folder[1]);
	maildir_close(&md);
}

static void
remove_tree(const char *path, int depth)
{
	DIR *dir = opendir(path);
	char name[PATH_MAX];
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlink(name) < 0 && depth > 0)
			remove_tree(name, depth - 1);
	}
	if (dir != NULL)
		closedir(dir);
	(void)rmdir(path);
}

void
world_remove(struct world *world)
{
	remove_tree(world->path, 3);
}

void
world_forget_index(struct world *world)
{
	char path[PATH_MAX];

	for (int f = 0; f < WORLD_FOLDERS; f++) {
		for (int i = 0; world_index[i] != NULL; i++) {
			world_path(world, path, f, world_index[i]);
			if (unlink(path) < 0 && errno != ENOENT)
				world_die("unlink", path);
		}
	}
}

size_t
world_text(unsigned id, char *buf)
{
	/* Of eight messages one is larger than a single read, and one ends without a line end. */
	unsigned lines = id % 8 == 3 ? 1200 : id * 3;
	size_t n;

	n = (size_t)snprintf(buf, WORLD_TEXT,
	    "From: Writer %u <w%u@example.org>\nSubject: message %u\n"
	    "Date: Mon, 2 Mar 2026 10:%02u:00 +0100\nMessage-ID: <%u@example.org>\n\n",
	    id, id, id, id, id);
	for (unsigned i = 0; i < lines; i++)
		n += (size_t)snprintf(
		    buf + n, WORLD_TEXT - n, "%u line %u of the text of it\n", id, i);
	if (id % 8 == 5)
		n += (size_t)snprintf(buf + n, WORLD_TEXT - n, "the end");
	return n;
}

void
world_arriving(struct world *world, int folder, unsigned id, uint32_t flags)
{
	struct known *known = &world->message[folder][id];

	memset(known, 0, sizeof(*known));
	for (int i = 0; i < WORLD_FLAGS; i++)
		known->flag[i] = flags >> i & 1 ? IS : IS_NOT;
	known->there = MAY_BE;
}

static void
known_letters(struct known *known, const char *set)
{
	for (int i = 0; i < WORLD_FLAGS; i++)
		known->flag[i] = strchr(set, letters[i]) != NULL ? IS : IS_NOT;
}

void
world_deliver(struct world *world, int folder, unsigned id, const char *set)
{
	static char text[WORLD_TEXT];
	char name[NAME_MAX], path[PATH_MAX];
	size_t size = world_text(id, text);
	int fd;

	snprintf(name, sizeof(name), "%s/%u.M%u.world%s%s", set == NULL ? "new" : "cur",
	    1700000000 + id, id, set == NULL ? "" : ":2,", set == NULL ? "" : set);
	world_path(world, path, folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, size) != (ssize_t)size || close(fd) < 0)
		world_die("write", path);
	world_arriving(world, folder, id, 0);
	world->message[folder][id].there = IS;
	known_letters(&world->message[folder][id], set == NULL ? "" : set);
}

/* --- the files as they are --- */

struct disk {
	unsigned count[WORLD_MESSAGES];
	uint32_t flags[WORLD_MESSAGES];
	char name[WORLD_MESSAGES][NAME_MAX + 4]; /* with "new/" or "cur/" */
};

/* Returns the number of the message in a file, or -1 if it is not exactly one of the world's. */
int
world_which(const char *text, size_t size)
{
	static char expected[WORLD_TEXT];
	char head[WORLD_TEXT > 256 ? 256 : WORLD_TEXT];
	const char *subject;
	unsigned id;

	snprintf(head, sizeof(head), "%.*s", (int)(size < 255 ? size : 255), text);
	subject = strstr(head, "Subject: message ");
	if (subject == NULL || sscanf(subject, "Subject: message %u", &id) != 1 ||
	    id >= WORLD_MESSAGES)
		return -1;
	return world_text(id, expected) == size && memcmp(text, expected, size) == 0 ? (int)id : -1;
}

static int
file_id(const char *path)
{
	static char text[WORLD_TEXT];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		world_die("open", path);
	n = read(fd, text, sizeof(text));
	close(fd);
	return n < 0 ? -1 : world_which(text, (size_t)n);
}

static uint32_t
name_flags(const char *name)
{
	const char *info = strstr(name, ":2,");
	uint32_t flags = 0;

	for (int i = 0; info != NULL && i < WORLD_FLAGS; i++)
		flags |= strchr(info + 3, letters[i]) != NULL ? 1U << i : 0;
	return flags;
}

static bool
disk_read_dir(const struct world *world, int folder, const char *sub, struct disk *disk)
{
	char path[PATH_MAX], file[PATH_MAX + NAME_MAX + 2];
	struct dirent *entry;
	bool good = true;
	DIR *dir;
	int id;

	world_path(world, path, folder, sub);
	dir = opendir(path);
	if (dir == NULL)
		world_die("opendir", path);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		id = file_id(file);
		if (id < 0) {
			fprintf(stderr, "  %s: not what was delivered\n", file);
			good = false;
			continue;
		}
		disk->count[id]++;
		disk->flags[id] = name_flags(entry->d_name);
		snprintf(disk->name[id], sizeof(disk->name[id]), "%s/%s", sub, entry->d_name);
	}
	closedir(dir);
	return good;
}

static bool
disk_read(const struct world *world, int folder, struct disk *disk)
{
	memset(disk, 0, sizeof(*disk));
	return disk_read_dir(world, folder, "cur", disk) &&
	       disk_read_dir(world, folder, "new", disk);
}

void
world_rename(struct world *world, int folder, unsigned id, const char *set)
{
	static struct disk disk;
	struct known *known = &world->message[folder][id];
	char old[PATH_MAX], new[PATH_MAX], name[NAME_MAX + 16];
	const char *base;

	/* Do not rename a file that a fault hides: another program could not either. */
	if (!disk_read(world, folder, &disk) || disk.count[id] != 1)
		return;
	world_path(world, old, folder, disk.name[id]);
	if (set == NULL) {
		if (unlink(old) < 0)
			world_die("unlink", old);
		known->there = IS_NOT;
		return;
	}
	base = strchr(disk.name[id], '/') + 1;
	snprintf(name, sizeof(name), "cur/%.*s:2,%s", (int)strcspn(base, ":"), base, set);
	world_path(world, new, folder, name);
	if (rename(old, new) < 0)
		world_die("rename", old);
	known_letters(known, set);
	memset(known->keyword, IS_NOT, sizeof(known->keyword));
}

/* --- names --- */

const char *
world_keyword(unsigned keyword)
{
	static char name[16];

	snprintf(name, sizeof(name), "$Key%u", keyword);
	return name;
}

uint32_t
world_uid(const struct world *world, int folder, unsigned id)
{
	for (uint32_t uid = 1; uid < WORLD_UIDS; uid++) {
		if (world->told[folder][uid] == id + 1)
			return uid;
	}
	return 0;
}

/* --- what must be true --- */

static bool
may(uint8_t known, bool is)
{
	return known == MAY_BE || (known == IS) == is;
}

static bool
check_marks(
    struct session *session, int f, int id, const struct maildir_message *message, uint32_t on_disk)
{
	const struct known *known = &session->world->message[f][id];
	uint32_t keywords = session_keywords(session->folder[f], message);

	if (message->flags != on_disk)
		return wrong("flags are not those of the file name", world_folder[f], id);
	for (int i = 0; i < WORLD_FLAGS; i++) {
		if (!may(known->flag[i], message->flags >> i & 1))
			return wrong("a flag is neither before nor after", world_folder[f], id);
	}
	for (int i = 0; i < WORLD_KEYWORDS; i++) {
		if (!may(known->keyword[i], keywords >> i & 1))
			return wrong("a keyword is neither before nor after", world_folder[f], id);
	}
	return true;
}

static bool
check_uid(struct world *world, int f, int id, uint32_t uid)
{
	uint8_t told = uid < WORLD_UIDS ? world->told[f][uid] : 0;
	uint32_t before = world_uid(world, f, (unsigned)id);

	if (told != 0 && told != WORLD_SOME && told != id + 1)
		return wrong("a UID was given twice", world_folder[f], uid);
	if (before != 0 && before != uid)
		return wrong("a message has another UID", world_folder[f], uid);
	if (told == 0 && uid < world->next[f])
		return wrong("a new message below the UIDNEXT that was told", world_folder[f], uid);
	return true;
}

static void
listing_add(
    FILE *out, struct session *session, int f, const struct maildir_message *message, int id)
{
	struct facts facts;

	session_facts(session, f, message->uid, &facts);
	fprintf(out,
	    "%s %u: message %d flags %x keywords %x size %llu %d date %lld id %s texts %llx%s\n",
	    world_folder[f], message->uid, id, message->flags,
	    session_keywords(session->folder[f], message), (unsigned long long)facts.size,
	    facts.newline, (long long)facts.date, facts.id, (unsigned long long)facts.texts,
	    facts.failed ? " NOT READ" : "");
}

static bool
listing_message(FILE *out, struct session *session, int f, size_t place, struct disk *disk)
{
	struct maildir_folder *folder = session->folder[f];
	struct maildir_message message;
	int id;

	if (!maildir_message(folder, place, &message))
		return wrong("is damaged in the list", world_folder[f], (long)place);
	id = session_id(folder, message.uid);
	if (id < 0 || id == WORLD_SOME)
		return wrong("cannot be read", world_folder[f], message.uid);
	if (disk->count[id] != 1)
		return wrong("is there more than once", world_folder[f], id);
	disk->count[id] = 0;
	if (message.modseq == 0 || message.modseq > maildir_highest_modseq(folder))
		return wrong("MODSEQ out of range", world_folder[f], (long)message.modseq);
	listing_add(out, session, f, &message, id);
	return check_marks(session, f, id, &message, disk->flags[id]) &&
	       check_uid(session->world, f, id, message.uid);
}

static bool
listing_folder(FILE *out, struct session *session, int f)
{
	struct world *world = session->world;
	struct maildir_folder *folder = session->folder[f];
	static struct disk disk;

	if (!disk_read(world, f, &disk))
		return false;
	for (int id = 0; id < WORLD_MESSAGES; id++) {
		if (disk.count[id] > 1)
			return wrong("was doubled", world_folder[f], id);
		if (!may(world->message[f][id].there, disk.count[id] == 1))
			return wrong(disk.count[id] ? "came back" : "is lost", world_folder[f], id);
	}
	if (world->validity[f] != 0 && maildir_uidvalidity(folder) != world->validity[f])
		return wrong("UIDVALIDITY has changed", world_folder[f], world->validity[f]);
	if (maildir_uidnext(folder) < world->next[f])
		return wrong("UIDNEXT has fallen", world_folder[f], maildir_uidnext(folder));
	if (maildir_highest_modseq(folder) < world->modseq[f])
		return wrong(
		    "HIGHESTMODSEQ has fallen from", world_folder[f], (long)world->modseq[f]);
	for (size_t i = 0; i < maildir_count(folder); i++) {
		if (!listing_message(out, session, f, i, &disk))
			return false;
	}
	for (int id = 0; id < WORLD_MESSAGES; id++) {
		if (disk.count[id] != 0)
			return wrong("is on disk and not in the list", world_folder[f], id);
	}
	return true;
}

char *
world_listing(struct session *session)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool good = out != NULL;

	for (int f = 0; f < WORLD_FOLDERS && good; f++)
		good = listing_folder(out, session, f);
	if (out == NULL || fclose(out) != 0)
		world_die("listing", session->world->path);
	if (good)
		return text;
	free(text);
	return NULL;
}

char *
world_fresh(struct world *world)
{
	struct session session;
	char *text = NULL;

	if (session_open(&session, world) < 0) {
		(void)wrong("cannot be opened", strerror(errno), errno);
	} else if (maildir_sync(session.folder[0]) < 0 || maildir_sync(session.folder[1]) < 0) {
		(void)wrong("cannot be synced", strerror(errno), errno);
	} else {
		text = world_listing(&session);
	}
	session_close(&session);
	return text;
}

/* The tree must say the same with its index and without it. */
bool
world_check(struct world *world)
{
	char *with = world_fresh(world), *again = NULL, *without = NULL;
	bool good = with != NULL;

	if (good) {
		again = world_fresh(world);
		world_forget_index(world);
		without = world_fresh(world);
		good = again != NULL && without != NULL;
	}
	if (good && (strcmp(with, again) != 0 || strcmp(with, without) != 0)) {
		fprintf(stderr, "  the sessions differ:\n%s-- again:\n%s-- without the index:\n%s",
		    with, again, without);
		good = false;
	}
	free(with);
	free(again);
	free(without);
	return good;
}
