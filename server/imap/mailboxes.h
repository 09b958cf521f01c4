/*
 * mailboxes.h: all mailboxes of a user as LIST and LSUB see them: folders, parents that were never made, and
 * subscriptions to existing and other names.
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
	size_t parent;	       /* its place; MAILBOXES_NONE at the top */
	unsigned verdict;      /* list.c's own */
	int special;	       /* enum special; 0, SPECIAL_NONE, until special_mark has looked */
};

/* By rising name, parents before their children; each name once. */
struct mailboxes {
	struct mailboxes_node *node;
	size_t count, room;
	int closed; /* errno: the subscriptions cannot be read, and none is marked; or 0 */
};

/* Reads folders and subscriptions.  -1: errno. */
int mailboxes_read(struct session *session, struct mailboxes *all_r);
void mailboxes_clear(struct mailboxes *all);

/* The node of that name; or NULL. */
struct mailboxes_node *mailboxes_find(const struct mailboxes *all, const char *name);

#endif
