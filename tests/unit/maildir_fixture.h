/*
 * maildir_fixture.h: shared by the tests of maildir/: a scratch Maildir, and files in it.
 */
#ifndef TESTS_UNIT_MAILDIR_FIXTURE_H
#define TESTS_UNIT_MAILDIR_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

#include "maildir/courier/courier.h"
#include "maildir/maildir.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct fixture {
	char path[64]; /* the Maildir */
	struct maildir *md;
	struct maildir_folder *inbox;
	int fd;
	unsigned notices;
	char notice[1024]; /* the last one */
};

__attribute__((unused)) static void
fixture_notice(void *ctx, const char *text)
{
	struct fixture *f = ctx;

	assert_null(strchr(text, '\n'));
	f->notices++;
	snprintf(f->notice, sizeof(f->notice), "%s", text);
}

__attribute__((unused)) static void
fixture_remove(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char name[PATH_MAX];

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (unlink(name) < 0)
			fixture_remove(name); /* our own few directories: not deep */
	}
	if (dir != NULL)
		closedir(dir);
	(void)rmdir(path);
}

/* Opens the Maildir as a process of its own would. */
__attribute__((unused)) static void
fixture_open(struct fixture *f)
{
	assert_int_equal(maildir_open(f->path, "test.host", &f->md), 0);
	courier_import(f->md);
	maildir_on_notice(f->md, fixture_notice, f);
	assert_int_equal(maildir_folder_open(f->md, "INBOX", &f->inbox), 0);
}

__attribute__((unused)) static void
fixture_close(struct fixture *f)
{
	maildir_folder_close(&f->inbox);
	maildir_close(&f->md);
}

__attribute__((unused)) static void
fixture_reopen(struct fixture *f)
{
	fixture_close(f);
	fixture_open(f);
}

__attribute__((unused)) static int
fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	snprintf(f->path, sizeof(f->path), "/tmp/test-maildir-XXXXXX");
	if (mkdtemp(f->path) == NULL || maildir_create(f->path) < 0)
		return -1;
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fixture_open(f);
	*state = f;
	return 0;
}

__attribute__((unused)) static int
fixture_teardown(void **state)
{
	struct fixture *f = *state;

	fixture_close(f);
	close(f->fd);
	fixture_remove(f->path);
	free(f);
	return 0;
}

__attribute__((unused)) static void
put_bytes(struct fixture *f, const char *name, const void *data, size_t size)
{
	int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), (ssize_t)size);
	close(fd);
}

__attribute__((unused)) static void
put(struct fixture *f, const char *name, const char *text)
{
	put_bytes(f, name, text, strlen(text));
}

/* All of a file, malloc'd and NUL-terminated. */
__attribute__((unused)) static char *
get(struct fixture *f, const char *name)
{
	int fd = openat(f->fd, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *text;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	text = malloc((size_t)st.st_size + 1);
	assert_non_null(text);
	assert_int_equal(read(fd, text, (size_t)st.st_size), st.st_size);
	text[st.st_size] = '\0';
	close(fd);
	return text;
}

__attribute__((unused)) static bool
exists(struct fixture *f, const char *name)
{
	struct stat st;

	return fstatat(f->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

__attribute__((unused)) static void
rename_file(struct fixture *f, const char *old, const char *new)
{
	assert_int_equal(renameat(f->fd, old, f->fd, new), 0);
}

__attribute__((unused)) static struct maildir_message
message_at(struct maildir_folder *folder, size_t place)
{
	struct maildir_message message;

	assert_true(maildir_message(folder, place, &message));
	return message;
}

__attribute__((unused)) static uint32_t
uid_at(struct maildir_folder *folder, size_t place)
{
	return message_at(folder, place).uid;
}

/* The place of a UID in the list, or SIZE_MAX. */
__attribute__((unused)) static size_t
index_of(struct fixture *f, uint32_t uid)
{
	for (size_t i = 0; i < maildir_count(f->inbox); i++) {
		if (uid_at(f->inbox, i) == uid)
			return i;
	}
	return SIZE_MAX;
}

__attribute__((unused)) static int
change_flags(struct maildir_folder *folder, uint32_t uid, uint32_t add, uint32_t remove,
    uint64_t add_keywords, uint64_t remove_keywords)
{
	const struct maildir_flag_change change = {add, remove, add_keywords, remove_keywords};

	return maildir_flags(folder, uid, &change);
}

/* All octets that the reader gives, in reads of so many, malloc'd and NUL-terminated. */
__attribute__((unused)) static char *
read_message(struct fixture *f, size_t index, size_t step, size_t *len_r)
{
	struct maildir_reader *reader;
	char *text = NULL;
	size_t len = 0;
	ssize_t n;

	if (maildir_reader_open(f->inbox, uid_at(f->inbox, index), &reader) < 0)
		return NULL;
	do {
		text = realloc(text, len + step + 1);
		assert_non_null(text);
		n = maildir_reader_read(reader, text + len, step);
		assert_true(n >= 0 && (size_t)n <= step);
		len += (size_t)n;
	} while (n > 0);
	text[len] = '\0';
	*len_r = len;
	maildir_reader_close(&reader);
	return text;
}

/* The first line of a message without its end, malloc'd: tests put there who it is. */
__attribute__((unused)) static char *
first_line(struct fixture *f, size_t index)
{
	size_t len;
	char *text = read_message(f, index, 4096, &len);

	if (text != NULL)
		text[strcspn(text, "\r\n")] = '\0';
	return text;
}

__attribute__((unused)) static void
assert_line(struct fixture *f, uint32_t uid, const char *expected)
{
	size_t index = index_of(f, uid);
	char *line;

	assert_true(index != SIZE_MAX);
	line = first_line(f, index);
	assert_non_null(line);
	assert_string_equal(line, expected);
	free(line);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

#endif
