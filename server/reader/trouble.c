/*
 * trouble.c: logs a failure in a Maildir: path, owner, mode, and a command that may help.
 * Runs as: mail user.
 *
 * Such a command names the Maildir as the configuration does, and never a file: root will paste it into a shell,
 * and the mail user chooses the names in a Maildir.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "auth/account.h"
#include "maildir/folder/obstacle.h"
#include "server/log.h"
#include "server/reader/trouble.h"

enum { COMMAND_MAX = 256 }; /* octets; a longer command is left out, since the log would cut it */

/* Characters that a shell takes as they are. */
static const char plain[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._@%+=:,-";

/* The text of an error; it names the setting of ours that may be the cause. */
static const char *
error_text(int error)
{
	return error == ENOMEM ? "out of memory: the limit is the setting memory" : strerror(error);
}

/* Whether there is nothing new to log.  Work that stopped because its client has gone has not failed. */
static bool
already_logged(struct trouble *trouble, const char *what, int error)
{
	if (error == ECANCELED)
		return true;
	for (size_t i = 0; i < trouble->count; i++)
		if (trouble->logged[i].error == error && strcmp(trouble->logged[i].what, what) == 0)
			return true;
	if (trouble->count == sizeof(trouble->logged) / sizeof(trouble->logged[0]))
		return true;
	trouble->logged[trouble->count].what = what;
	trouble->logged[trouble->count].error = error;
	trouble->count++;
	return false;
}

/* Logs a command, with the Maildir's path after it. */
static void
tell_command(struct log_line *line, const struct trouble *trouble, const char *command)
{
	const char *path = trouble->path;
	char text[COMMAND_MAX];
	int len;

	len = snprintf(text, sizeof(text), "%s %s", command, path);
	if (path[strspn(path, plain)] == '\0' && len > 0 && len < (int)sizeof(text))
		log_text(line, "try", text);
}

static void
tell_owner(struct log_line *line, const char *path, const struct maildir_obstacle *obstacle)
{
	char mode[8];

	log_text(line, "path", path);
	snprintf(mode, sizeof(mode), "%04o", (unsigned)obstacle->mode);
	log_number(line, "owner", obstacle->owner);
	log_text(line, "mode", mode);
}

static void
tell_remedy(struct log_line *line, const struct trouble *trouble, int error,
    const struct maildir_obstacle *obstacle)
{
	const struct auth_account *account = trouble->account;
	char command[64] = "chmod -R u+rwX";

	if ((error == EACCES || error == EPERM) && obstacle != NULL) {
		if (obstacle->foreign)
			snprintf(command, sizeof(command), "chown -R %lu:%lu",
			    (unsigned long)account->uid, (unsigned long)account->gid);
		tell_command(line, trouble, command);
	} else if (error == ENOSPC) {
		tell_command(line, trouble, "df");
	} else if (error == EROFS) {
		tell_command(line, trouble, "findmnt -T");
	}
}

static void
begin(struct log_line *line, const struct trouble *trouble, const char *what, int error)
{
	log_begin(line, LOG_ERROR, trouble->protocol, "failed");
	log_text(line, "user", trouble->account->name);
	log_text(line, "what", what);
	log_text(line, "error", error_text(error));
}

void
trouble_log(struct trouble *trouble, const char *what, int error)
{
	static struct maildir_obstacle obstacle;
	struct log_line line;
	int saved = errno;
	bool found;

	if (already_logged(trouble, what, error))
		return;
	found =
	    (error == EACCES || error == EPERM) && maildir_obstacle(trouble->maildir, &obstacle);
	begin(&line, trouble, what, error);
	if (found)
		tell_owner(&line, obstacle.path, &obstacle);
	else
		log_text(&line, "path", trouble->path);
	tell_remedy(&line, trouble, error, found ? &obstacle : NULL);
	log_end(&line);
	errno = saved;
}

void
trouble_messages(struct trouble *trouble, const char *what, int error,
    struct maildir_folder *folder, uint32_t uid, size_t messages)
{
	static struct maildir_obstacle obstacle;
	struct log_line line;
	int saved = errno;

	if (already_logged(trouble, what, error))
		return;
	begin(&line, trouble, what, error);
	log_number(&line, "messages", (long long)messages);
	if (maildir_message_file(folder, uid, &obstacle)) {
		tell_owner(&line, obstacle.path, &obstacle);
		tell_remedy(&line, trouble, error, &obstacle);
	}
	log_end(&line);
	errno = saved;
}

/* Finds the Maildir, or the longest part of its path that exists. */
static void
look_up(const struct trouble *trouble, char found_r[PATH_MAX], struct maildir_obstacle *obstacle_r)
{
	struct stat st;
	char *slash;
	int r;

	snprintf(found_r, PATH_MAX, "%s", trouble->path);
	r = stat(trouble->inside, &st);
	while (r == -1 && (slash = strrchr(found_r, '/')) != NULL && slash != found_r) {
		*slash = '\0';
		r = stat(found_r, &st);
	}
	memset(obstacle_r, 0, sizeof(*obstacle_r));
	if (r == -1)
		return;
	obstacle_r->owner = st.st_uid;
	obstacle_r->mode = st.st_mode & 07777;
}

void
trouble_maildir(const struct trouble *trouble, const char *what, int error)
{
	static struct maildir_obstacle obstacle;
	char found[PATH_MAX], command[96];
	struct log_line line;
	bool there;

	look_up(trouble, found, &obstacle);
	there = strcmp(found, trouble->path) == 0;
	obstacle.foreign = obstacle.owner != trouble->account->uid;
	log_begin(&line, LOG_ERROR, "maildir", "cannot-open");
	log_text(&line, "user", trouble->account->name);
	log_text(&line, "what", what);
	log_text(&line, "error", error_text(error));
	log_text(&line, "wanted", trouble->path);
	tell_owner(&line, found, &obstacle);
	snprintf(command, sizeof(command), "install -d -m 700 -o %lu -g %lu",
	    (unsigned long)trouble->account->uid, (unsigned long)trouble->account->gid);
	if (!there && (error == EACCES || error == EPERM || error == ENOENT))
		tell_command(&line, trouble, command);
	else
		tell_remedy(&line, trouble, error, &obstacle);
	log_end(&line);
}
