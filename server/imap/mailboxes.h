/*
 * mailboxes.h: all mailboxes of a user as LIST and LSUB see them: folders, parents that were never made,
 * and subscriptions to either or to none.
 */
#ifndef SERVER_IMAP_MAILBOXES_H
#define SERVER_IMAP_MAILBOXES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;

#define MAILBOXES_NONE SIZE_MAX

struct mailboxes_node {
	char *name;  /* the folder's; malloc'd */
	bool exists; /* there is a folder */
	bool subscribed;
	bool children;	       /* a folder is below it */
	bool child_subscribed; /* a subscribed name is below it */
	bool child_special;    /* a folder with a special use is below it */
	size_t parent;	       /* its place; MAILBOXES_NONE at the top */
	int special;	       /* enum special, or SPECIAL_USES */
};

/* By rising name, parents in front of their children; each name once. */
struct mailboxes {
	struct mailboxes_node *node;
	size_t count, room;
	int closed; /* errno: which names are subscribed to cannot be read, and none is; or 0 */
};

/* -1: errno. */
int mailboxes_read(struct session *session, struct mailboxes *all_r);
void mailboxes_clear(struct mailboxes *all);

/* Makes the folders for special uses that are missing, when the settings say so. */
void mailboxes_make_special(struct session *session);

#endif
