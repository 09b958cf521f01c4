/*
 * check.h: looks at a Maildir as it lies on the disk, reports what is odd, and mends what can be mended without loss.
 *
 * A look changes nothing, takes no lock, and may run beside any session.  If a session changes a folder meanwhile,
 * some of a report may be a moment old.  A look looks twice before it calls odd what a session could just be doing.
 *
 * Functions that return int give 0, or -1 with errno set.
 */
#ifndef MAILDIR_CHECK_CHECK_H
#define MAILDIR_CHECK_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "maildir/maildir.h"

/* The oddities.  name is a path below the folder. */
enum maildir_odd {
	/* In a folder. */
	ODD_MISSING,	  /* cur, new or tmp */
	ODD_STRANGE,	  /* is not the directory or file that it should be; detail: what it is */
	ODD_CLOSED,	  /* a directory or file that cannot be looked at; detail: why */
	ODD_OWNER,	  /* belongs to another user; number: the uid */
	ODD_LINKED,	  /* a file of ours that has other names too; number: how many it has */
	ODD_MODE,	  /* its owner cannot use it, or everybody can write it; number: the mode */
	ODD_NO_MESSAGE,	  /* in cur/ or new/; detail: what it is */
	ODD_NAME,	  /* a name that no message can have */
	ODD_DOUBLED,	  /* another message has the same base name; detail: its path */
	ODD_TWIN,	  /* the same file has a second name; detail: that */
	ODD_UNREADABLE,	  /* a message; number: its owner's uid; detail: the mode */
	ODD_UIDLIST_LOST, /* all messages get new UIDs with the next session; detail: why */
	ODD_UIDLIST_TORN, /* lines of it cannot be read, and their messages get new UIDs; detail: why */
	ODD_LOCK,	  /* a lock file of a process that is dead */
	ODD_TEMPORARY, /* of ours, left behind */
	ODD_OLD,       /* in tmp/, for longer than a delivery can take */
	ODD_INDEX,     /* damaged, or of another version or machine */
	/* In the Maildir itself: folder is NULL. */
	ODD_NO_FOLDER, /* a directory, at any depth, that may have messages and is no folder; detail: why */
	ODD_LINK, /* a symbolic link, at any depth, that may be meant as a folder; detail: its target */
	ODD_HIDDEN,	    /* a directory that means the name of another, which is detail */
	ODD_SUBSCRIPTION,   /* of a folder that does not exist */
	ODD_VALIDITY_NAMES, /* several files dovecot-uidvalidity.*; number: of them */
	ODD_QUOTA,	    /* maildirsize, which is not kept up */
	ODD_DELETED,	    /* a folder that was deleted, and not all of it is gone yet */
	/* Not odd; reported only when it was mended. */
	ODD_NO_UID, /* number: of messages that had none */
	ODD_NO_INDEX,
	ODDITIES,
};

struct maildir_finding {
	enum maildir_odd odd;
	bool mended; /* it was odd, and is not any more */
	/* Each may be NULL.  Names are as they are on disk, with any octets. */
	const char *folder, *name, *detail;
	const char *directory; /* of ODD_NO_FOLDER and ODD_LINK: where the mail would be shown */
	uint64_t number;
};

/* The caller of a look.  At the time now a file is old or not. */
struct maildir_check {
	time_t now;
	void (*tell)(void *ctx, const struct maildir_finding *finding);
	void *ctx;
};

enum maildir_index_state {
	MAILDIR_INDEX_NONE,
	MAILDIR_INDEX_CURRENT, /* the next session need not look at a single message */
	MAILDIR_INDEX_OLD,     /* it will look through the folder */
	MAILDIR_INDEX_DAMAGED,
};

enum { MAILDIR_KEYWORD_SHOWN = 200 }; /* octets of a keyword's name */

/* The result of a look at a folder. */
struct maildir_report {
	size_t messages, unseen;
	size_t fresh; /* in new/ */
	uint64_t octets;
	uint32_t validity, next; /* 0: no UIDs were given yet */
	size_t without_uid;	 /* messages that get one with the next session */
	size_t without_file;	 /* lines of dovecot-uidlist, kept in case the message comes back */
	enum maildir_index_state index;
	uint64_t snapshot, log, texts; /* octets of the index's files */
	size_t with_texts;	       /* messages of which all is known */
	size_t keywords;
	struct maildir_keyword {
		int number;
		char name[MAILDIR_KEYWORD_SHOWN + 1]; /* "": it has none */
		size_t messages;
	} keyword[MAILDIR_KEYWORDS];
};

/* As maildir_open, and also one that lacks some of cur, new and tmp, but not all. */
int maildir_check_open(const char *path, const char *host, struct maildir **md_r);

/* Looks at what is not of one folder. */
int maildir_check_tree(struct maildir *md, const struct maildir_check *check);
/* Looks at a folder that maildir_folders has named. */
int maildir_check_folder(struct maildir *md, const char *name, const struct maildir_check *check,
    struct maildir_report *report_r);
/* Gives those numbers that are about the index; reports nothing. */
int maildir_check_index(struct maildir *md, const char *name, struct maildir_report *report_r);

/*
 * Mend, and report what was mended.  Mend the tree first, since that may make folders.  No message is removed, and a
 * UIDVALIDITY changes only if ODD_UIDLIST_LOST was reported.
 */
int maildir_mend_tree(struct maildir *md, const struct maildir_check *check);
int maildir_mend_folder(struct maildir *md, const char *name, const struct maildir_check *check);

#endif
