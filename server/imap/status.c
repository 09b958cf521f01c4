/*
 * status.c: STATUS, and LIST's RETURN (STATUS ...): RFC 5819.
 * Runs as: mail user.
 */
#include <errno.h>
#include <inttypes.h>

#include "maildir/maildir.h"
#include "server/conf.h"
#include "server/imap/answer.h"
#include "server/imap/mailbox.h"
#include "server/imap/resync.h"
#include "server/imap/session.h"
#include "server/imap/status.h"

enum {
	STATUS_MESSAGES,
	STATUS_RECENT,
	STATUS_UIDNEXT,
	STATUS_UIDVALIDITY,
	STATUS_UNSEEN,
	STATUS_DELETED,
	STATUS_SIZE,
	STATUS_APPENDLIMIT,
	STATUS_HIGHESTMODSEQ, /* RFC 7162 */
	STATUS_MAILBOXID,     /* RFC 8474 */
	STATUS_ITEMS,
};

static const char *const names[STATUS_ITEMS] = {"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY",
    "UNSEEN", "DELETED", "SIZE", "APPENDLIMIT", "HIGHESTMODSEQ", "MAILBOXID"};

bool
status_items(struct args *args, unsigned *items_r)
{
	return args_names(args, names, STATUS_ITEMS, items_r) && *items_r != 0;
}

/* A message that cannot be read counts nothing: its FETCH fails, too. */
static uint64_t
size_of_all(struct maildir_folder *folder)
{
	struct maildir_counts counts;
	struct maildir_message message;
	uint64_t sum = 0, octets;
	bool newline;

	maildir_counts(folder, &counts);
	if (counts.octets_known)
		return counts.octets;
	for (size_t i = 0; i < maildir_count(folder); i++)
		if (maildir_message(folder, i, &message) &&
		    maildir_size(folder, message.uid, &octets, &newline) == 0)
			sum += octets;
	return sum;
}

static uint64_t
count_recent(struct maildir_folder *folder)
{
	uint32_t from;

	if (maildir_recent(folder, &from) == -1)
		return 0;
	return maildir_count(folder) - maildir_find(folder, from);
}

static uint64_t
value(struct session *session, struct maildir_folder *folder, int item)
{
	struct maildir_counts counts;

	maildir_counts(folder, &counts);
	switch (item) {
	case STATUS_MESSAGES:
		return counts.messages;
	case STATUS_RECENT:
		return count_recent(folder);
	case STATUS_UIDNEXT:
		return maildir_uidnext(folder);
	case STATUS_UIDVALIDITY:
		return maildir_uidvalidity(folder);
	case STATUS_UNSEEN:
		return counts.unseen;
	case STATUS_DELETED:
		return counts.deleted;
	case STATUS_SIZE:
		return size_of_all(folder);
	case STATUS_HIGHESTMODSEQ:
		return maildir_highest_modseq(folder);
	case STATUS_APPENDLIMIT:
	default:
		return (uint64_t)session->conf->append_limit;
	}
}

static void
put_item(struct session *session, struct maildir_folder *folder, int item)
{
	char id[MAILDIR_ID_SIZE];

	channel_printf(session->channel, "%s ", names[item]);
	if (item != STATUS_MAILBOXID)
		channel_printf(session->channel, "%" PRIu64, value(session, folder, item));
	else if (maildir_folder_id(folder, id) == 0)
		channel_printf(session->channel, "(%s)", id);
	else
		channel_puts(session->channel, "NIL");
}

int
status_tell(struct session *session, const char *name, unsigned items)
{
	struct channel *channel = session->channel;
	struct maildir_folder *folder;
	const char *before = "";

	if ((items & 1U << STATUS_HIGHESTMODSEQ) != 0)
		resync_enable(session);
	if (maildir_folder_open(session->maildir, name, &folder) == -1)
		return -1;
	if (maildir_sync(folder) == -1) {
		int error = errno;

		maildir_folder_close(&folder);
		errno = error;
		return -1;
	}
	channel_puts(channel, "* STATUS ");
	imap_put_name(session, name);
	channel_puts(channel, " (");
	for (int i = 0; i < STATUS_ITEMS; i++) {
		if ((items & 1U << i) == 0)
			continue;
		channel_puts(channel, before);
		put_item(session, folder, i);
		before = " ";
	}
	channel_puts(channel, ")\r\n");
	maildir_save_findings(folder);
	maildir_folder_close(&folder);
	return 0;
}

enum command_result
run_status(struct session *session, struct args *args)
{
	char folder[IMAP_NAME_MAX];
	enum command_result result;
	unsigned items;

	result = imap_take_mailbox(session, args, IMAP_NO_MAILBOX, folder);
	if (result != COMMAND_OK)
		return result;
	if (!args_space(args) || !status_items(args, &items) || !args_end(args))
		return COMMAND_BAD;
	if (status_tell(session, folder, items) == -1)
		return imap_failed(session, "status");
	return COMMAND_OK;
}
