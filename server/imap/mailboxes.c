/*
 * mailboxes.c: gathers all mailboxes of a user as LIST and LSUB see them.
 * Runs as: mail user.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maildir/base/array.h"
#include "maildir/maildir.h"
#include "maildir/tree/tree.h"
#include "server/imap/mailboxes.h"
#include "server/imap/session.h"

struct gathering {
	struct mailboxes *all;
	bool subscriptions; /* the names are subscriptions, and not folders */
	bool failed;
};

static bool
add_node(struct gathering *g, const char *name, size_t len, bool itself)
{
	struct mailboxes *all = g->all;
	struct mailboxes_node *node;

	node = array_grow(all->node, all->count, &all->room, sizeof(*node));
	if (node == NULL)
		return false;
	all->node = node;
	node += all->count;
	memset(node, 0, sizeof(*node));
	node->name = strndup(name, len);
	if (node->name == NULL)
		return false;
	node->exists = itself && !g->subscriptions;
	node->subscribed = itself && g->subscriptions;
	node->children = !itself && !g->subscriptions;
	node->child_subscribed = !itself && g->subscriptions;
	all->count++;
	return true;
}

/* Adds a name and all of its parents. */
static bool
on_name(void *ctx, const char *name)
{
	struct gathering *g = ctx;
	size_t len = strlen(name), at;

	for (at = 1; at < len && !g->failed; at++)
		if (name[at] == '/')
			g->failed = !add_node(g, name, at, false);
	g->failed = g->failed || !add_node(g, name, len, true);
	return !g->failed;
}

/* By octets, but "/" before all others, so that a tree stays together. */
static int
by_name(const void *a, const void *b)
{
	const char *x = ((const struct mailboxes_node *)a)->name,
		   *y = ((const struct mailboxes_node *)b)->name;

	while (*x == *y && *x != '\0') {
		x++;
		y++;
	}
	if (*x == *y)
		return 0;
	if (*x == '\0' || *y == '\0')
		return *x == '\0' ? -1 : 1;
	if (*x == '/' || *y == '/')
		return *x == '/' ? -1 : 1;
	return (unsigned char)*x < (unsigned char)*y ? -1 : 1;
}

static void
merge(struct mailboxes *all)
{
	size_t to = 0;

	if (all->count == 0)
		return;
	qsort(all->node, all->count, sizeof(all->node[0]), by_name);
	for (size_t i = 1; i < all->count; i++) {
		struct mailboxes_node *have = &all->node[to], *more = &all->node[i];

		if (strcmp(have->name, more->name) != 0) {
			all->node[++to] = *more;
			continue;
		}
		have->exists = have->exists || more->exists;
		have->subscribed = have->subscribed || more->subscribed;
		have->children = have->children || more->children;
		have->child_subscribed = have->child_subscribed || more->child_subscribed;
		free(more->name);
	}
	all->count = to + 1;
}

static bool
is_below(const char *name, const char *parent)
{
	size_t len = strlen(parent);

	return strncmp(name, parent, len) == 0 && name[len] == '/';
}

/* All parents are there, each before the nodes below it. */
static void
link_parents(struct mailboxes *all)
{
	for (size_t i = 0; i < all->count; i++) {
		size_t at = i > 0 ? i - 1 : MAILBOXES_NONE;

		while (at != MAILBOXES_NONE && !is_below(all->node[i].name, all->node[at].name))
			at = all->node[at].parent;
		all->node[i].parent = at;
	}
}

int
mailboxes_read(struct session *session, struct mailboxes *all_r)
{
	struct gathering g = {.all = all_r};
	int r, saved;

	memset(all_r, 0, sizeof(*all_r));
	r = maildir_folders(session->maildir, on_name, &g);
	g.subscriptions = true;
	/* LIST works without subscriptions; a notice names the file. */
	if (r == 0 && !g.failed && maildir_subscriptions(session->maildir, on_name, &g) == -1)
		all_r->closed = errno;
	if (r == -1 || g.failed) {
		saved = g.failed ? ENOMEM : errno;
		mailboxes_clear(all_r);
		errno = saved;
		return -1;
	}
	merge(all_r);
	link_parents(all_r);
	return 0;
}

void
mailboxes_clear(struct mailboxes *all)
{
	for (size_t i = 0; i < all->count; i++)
		free(all->node[i].name);
	free(all->node);
	memset(all, 0, sizeof(*all));
}

struct mailboxes_node *
mailboxes_find(const struct mailboxes *all, const char *name)
{
	const struct mailboxes_node key = {.name = (char *)(uintptr_t)name};

	if (all->count == 0)
		return NULL;
	return bsearch(&key, all->node, all->count, sizeof(all->node[0]), by_name);
}
