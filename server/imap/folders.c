/*
 * folders.c: CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE.
 * Runs as: mail user.
 */
#include <errno.h>
#include <string.h>

#include "maildir/maildir.h"
#include "maildir/tree/tree.h"
#include "server/imap/answer.h"
#include "server/imap/list.h"
#include "server/imap/mailbox.h"
#include "server/imap/session.h"
#include "server/imap/special.h"

/* Takes a mailbox name that is the only argument. */
static enum command_result
only_mailbox(struct session *session, struct args *args, char folder_r[IMAP_NAME_MAX])
{
	enum command_result result;

	result = imap_take_mailbox(session, args, IMAP_NO_MAILBOX, folder_r);
	return result == COMMAND_OK && !args_end(args) ? COMMAND_BAD : result;
}

/* CREATE's "(USE (\Sent))": RFC 6154 section 3.  *use_r is SPECIAL_NONE without it. */
static enum command_result
take_use(struct session *session, struct args *args, enum special *use_r)
{
	struct word word;

	*use_r = SPECIAL_NONE;
	if (args_end(args))
		return COMMAND_OK;
	if (!args_space(args) || !args_open(args))
		return COMMAND_BAD;
	if (args_close(args))
		return args_end(args) ? COMMAND_OK : COMMAND_BAD;
	if (!args_atom(args, NULL, &word) || !word_is(word, "USE") || !args_space(args) ||
	    !args_open(args))
		return COMMAND_BAD;
	if (!args_next_is(args, ')')) {
		if (!args_atom(args, "\\", &word))
			return COMMAND_BAD;
		*use_r = special_of(word);
		if (*use_r == SPECIAL_NONE || args_more(args))
			return imap_say(session, COMMAND_NO,
			    "[USEATTR] A mailbox can be made for one of \\Drafts \\Sent \\Trash "
			    "\\Junk \\Archive");
	}
	if (!args_close(args))
		return COMMAND_BAD;
	return args_close(args) && args_end(args) ? COMMAND_OK : COMMAND_BAD;
}

/* RFC 8474 section 4.1: the answer tells the new mailbox's id, which its first sync gives it. */
static enum command_result
say_created(struct session *session, const char *name)
{
	struct maildir_folder *folder;
	char id[MAILDIR_ID_SIZE];
	bool known;

	if (maildir_folder_open(session->maildir, name, &folder) == -1)
		return imap_failed(session, "create");
	known = maildir_sync(folder) == 0 && maildir_folder_id(folder, id) == 0;
	maildir_folder_close(&folder);
	/* A mailbox without an id is created all the same, and gets its id when it can be written. */
	return known ? imap_say(session, COMMAND_OK, "[MAILBOXID (%s)] Created", id) : COMMAND_OK;
}

enum command_result
run_create(struct session *session, struct args *args)
{
	char folder[IMAP_NAME_MAX];
	enum command_result result;
	enum special use;

	result = imap_take_mailbox(session, args, IMAP_NO_NAME, folder);
	if (result == COMMAND_OK)
		result = take_use(session, args, &use);
	if (result != COMMAND_OK)
		return result;
	/* LIST tells one mailbox for each use.  Do not make a second, which it would not tell. */
	if (use != SPECIAL_NONE && special_taken(session, use))
		return imap_say(session, COMMAND_NO, "[USEATTR] Another mailbox has that use");
	if (maildir_folder_create(session->maildir, folder) == -1)
		return imap_failed(session, "create");
	if (use != SPECIAL_NONE &&
	    maildir_special_use_set(session->maildir, special_name(use), folder) == -1) {
		enum command_result failed = imap_failed(session, "create");

		(void)maildir_folder_delete(session->maildir, folder);
		session->deleted = true;
		return failed;
	}
	list_tell_oldname(session, folder);
	return say_created(session, folder);
}

struct below {
	const char *folder;
	bool any;
};

static bool
on_folder(void *ctx, const char *name)
{
	struct below *below = ctx;
	size_t len = strlen(below->folder);

	below->any = strncmp(name, below->folder, len) == 0 && name[len] == '/';
	return !below->any;
}

/* RFC 9051 section 6.3.5: a name that LIST tells only because others are below it cannot be deleted. */
static enum command_result
say_undeleted(struct session *session, const char *folder)
{
	struct below below = {folder, false};
	int error = errno;

	if (error == ENOENT && maildir_folders(session->maildir, on_folder, &below) == 0 &&
	    below.any)
		return imap_say(
		    session, COMMAND_NO, "[HASCHILDREN] There are mailboxes below that name");
	errno = error;
	return imap_failed(session, "delete");
}

enum command_result
run_delete(struct session *session, struct args *args)
{
	char folder[IMAP_NAME_MAX];
	enum command_result result;

	result = only_mailbox(session, args, folder);
	if (result != COMMAND_OK)
		return result;
	if (strcmp(folder, "INBOX") == 0)
		return imap_say(session, COMMAND_NO, "[CANNOT] INBOX cannot be deleted");
	/* A session that deletes its selected mailbox leaves it. */
	if (session->box != NULL && strcmp(session->box->name, folder) == 0) {
		sequence_clear(&session->saved);
		mailbox_close(&session->box);
	}
	if (maildir_folder_delete(session->maildir, folder) == -1)
		return say_undeleted(session, folder);
	session->deleted = true;
	list_tell_oldname(session, folder);
	return COMMAND_OK;
}

enum command_result
run_rename(struct session *session, struct args *args)
{
	char from[IMAP_NAME_MAX], to[IMAP_NAME_MAX], old[IMAP_NAME_MAX];
	enum command_result result;

	result = imap_take_mailbox(session, args, IMAP_NO_MAILBOX, from);
	if (result != COMMAND_OK)
		return result;
	memcpy(old, session->oldname, sizeof(old));
	if (!args_space(args))
		return COMMAND_BAD;
	result = imap_take_mailbox(session, args, IMAP_NO_NAME, to);
	if (result != COMMAND_OK)
		return result;
	if (!args_end(args))
		return COMMAND_BAD;
	if (maildir_folder_rename(session->maildir, from, to) == -1)
		return imap_failed(session, "rename");
	/* RFC 9051 section 6.3.6: if the client spelled either name otherwise, LIST tells the new one, and the old one
	 * as it was spelled. */
	if (old[0] == '\0' && session->oldname[0] != '\0')
		imap_name_client(from, imap_utf8(session), old);
	memcpy(session->oldname, old, sizeof(old));
	list_tell_oldname(session, to);
	return COMMAND_OK;
}

enum command_result
run_subscribe(struct session *session, struct args *args)
{
	char folder[IMAP_NAME_MAX];
	enum command_result result;

	result = only_mailbox(session, args, folder);
	if (result != COMMAND_OK)
		return result;
	if (maildir_subscribe(session->maildir, folder, (session->command_flags & REMOVES) == 0) ==
	    -1)
		return imap_failed(session, "subscribe");
	return COMMAND_OK;
}
