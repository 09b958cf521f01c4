/*
 * conf_file.c: reads the text of a configuration from its file, or from the process that has read the file.
 * Runs as: root (master), the processes that it starts, or the user who types `sallyport check`.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/conf.h"

enum { CONF_FILE_MAX = 1 << 20 }; /* octets; so that a wrong path costs little */

/* Returns all of a file with room for a NUL after it, which the caller frees; NULL with errno if it fails. */
static char *
read_text(int fd, size_t *len_r)
{
	struct stat st;
	char *text = NULL;
	ssize_t n = 0;

	*len_r = 0;
	if (fd == -1)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= CONF_FILE_MAX)
		text = malloc((size_t)st.st_size + 1);
	else
		errno = EINVAL;
	/* pread: the processes that share a memory file share its position as well. */
	while (text != NULL &&
	       (n = pread(fd, text + *len_r, (size_t)st.st_size - *len_r, (off_t)*len_r)) > 0)
		*len_r += (size_t)n;
	if (n == -1) {
		free(text);
		text = NULL;
	}
	return text;
}

/* Returns a memory file with that text, which nobody can change; or -1. */
static int
share_text(const char *text, size_t len)
{
	int fd = memfd_create("sallyport.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd == -1)
		return -1;
	if (write(fd, text, len) == (ssize_t)len &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
		return fd;
	close(fd);
	return -1;
}

static struct conf *
load(int fd, bool share, struct conf_complaints *complaints_r)
{
	struct conf *conf;
	size_t len;
	char *text = read_text(fd, &len);
	int text_fd = text != NULL && share ? share_text(text, len) : -1;

	if (text == NULL || (share && text_fd == -1)) {
		complaints_r->len = 1;
		complaints_r->list[0].line = 0;
		snprintf(complaints_r->list[0].text, sizeof(complaints_r->list[0].text),
		    "cannot read it: %s", strerror(errno));
		free(text);
		return NULL;
	}
	conf = conf_parse(text, len, complaints_r);
	free(text);
	if (conf != NULL)
		conf->text_fd = text_fd;
	else if (text_fd != -1)
		close(text_fd);
	return conf;
}

struct conf *
conf_load(const char *path, struct conf_complaints *complaints_r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct conf *conf = load(fd, true, complaints_r);

	if (fd != -1)
		close(fd);
	return conf;
}

struct conf *
conf_load_text(int text_fd, struct conf_complaints *complaints_r)
{
	return load(text_fd, false, complaints_r);
}
