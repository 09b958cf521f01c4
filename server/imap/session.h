/*
 * session.h: an IMAP session after login, as its commands see it, and the table of those commands.
 */
#ifndef SERVER_IMAP_SESSION_H
#define SERVER_IMAP_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "maildir/base/buf.h"
#include "server/command.h"
#include "server/imap/args.h"
#include "server/imap/imap.h"
#include "server/imap/input.h"
#include "server/imap/name.h"
#include "server/imap/sequence.h"

struct conf;
struct maildir;
struct maildir_watch;
struct mailbox;

struct session {
	struct reader *reader;
	struct channel *channel;
	struct maildir *maildir;
	const struct conf *conf;
	struct imap_input input;
	char tag[IMAP_TAG_MAX + 1];
	bool identified;	/* the client's ID is in the log */
	bool rev2;		/* ENABLE IMAP4rev2 */
	bool utf8_accept;	/* ENABLE UTF8=ACCEPT */
	bool condstore;		/* RFC 7162: the client knows of mod-sequences */
	bool qresync;		/* ENABLE QRESYNC */
	unsigned command_flags; /* of the present command's row */
	bool stands;		/* its OK is true whatever becomes of the selected mailbox */
	bool by_number;		/* the present command is a search by number: as BY_NUMBER */
	bool say_modseq;	/* the present command's OK tells HIGHESTMODSEQ */
	struct mailbox *box;	/* the selected mailbox, or NULL */
	struct sequence saved;	/* SEARCHRES: UIDs of the selected mailbox */
	/* IDLE keeps it for the next IDLE; NULL before the first. */
	struct maildir_watch *watch;
	bool deleted; /* a mailbox was deleted, and its files are still to be removed */
	/* How the client spelled the last name, where OLDNAME tells it; or "". */
	char oldname[IMAP_NAME_MAX];
	struct mdbuf reply;  /* the present command's: "[CODE] text" */
	const char *leaving; /* why the session ends, for its BYE and the log; NULL: it goes on */
};

/* Whether names and strings may be UTF-8. */
static inline bool
imap_utf8(const struct session *session)
{
	return session->utf8_accept || session->rev2;
}

/* --- rows of the table of commands: see server/command.h --- */

/* States. */
enum {
	IN_AUTHENTICATED = 1 << 0, /* no mailbox is selected */
	IN_SELECTED = 1 << 1,
	IN_BOTH = IN_AUTHENTICATED | IN_SELECTED,
};

/* Flags: what a command does to sequence numbers, and so what may be told with its answer. */
enum {
	BY_NUMBER = 1 << 0,	/* it names messages by number: no EXPUNGE with its answer */
	TELLS_NOTHING = 1 << 1, /* it changes or leaves the mailbox: no news of it at all */
	HOLDS = 1 << 2, /* its changes of flags may wait for those of the commands after it */
	/* Which command it is, for a handler of two. */
	BY_UID = 1 << 3, /* it names and tells messages by UID */
	READ_ONLY = 1 << 4,
	REMOVES = 1 << 5,
	OLD_LIST = 1 << 6,
};

/* Whether the present command names and tells messages by UID. */
static inline bool
imap_by_uid(const struct session *session)
{
	return (session->command_flags & BY_UID) != 0;
}

/*
 * The table: commands.c.  A handler finds the cursor of its args at the first argument.  It sends untagged
 * answers only; the loop in serve.c sends the tagged one, with the text that imap_say has left in reply.
 */
extern const struct command imap_commands[];

/* The handlers, each in the file that its prototype's group names. */
command_run run_select, run_close, run_unselect;	       /* select.c */
command_run run_status;					       /* status.c */
command_run run_list, run_namespace;			       /* list.c */
command_run run_create, run_delete, run_rename, run_subscribe; /* folders.c */
command_run run_fetch;					       /* fetch.c */
command_run run_store;					       /* store.c */
command_run run_copy;					       /* copy.c */
command_run run_expunge;				       /* expunge.c */
command_run run_search;					       /* search.c */
command_run run_append;					       /* append.c */
command_run run_idle;					       /* idle.c */

#endif
