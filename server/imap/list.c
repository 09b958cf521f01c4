/*
 * list.c: LIST with its extensions (RFC 5258, 5819, 6154), LSUB, NAMESPACE.
 * Runs as: mail user.
 */
#include <errno.h>
#include <string.h>

#include "maildir/maildir.h"
#include "server/imap/answer.h"
#include "server/imap/list.h"
#include "server/imap/mailboxes.h"
#include "server/imap/pattern.h"
#include "server/imap/session.h"
#include "server/imap/special.h"
#include "server/imap/status.h"

enum { LIST_PATTERNS_MAX = 32 }; /* in a command; each is compared with every name */

/* Verdicts on a node. */
enum { MATCHES = 1 << 0, SELECTED = 1 << 1, UNTOLD_BELOW = 1 << 2 };

struct listing {
	struct session *session;
	bool extended; /* the command uses something of RFC 5258 */
	bool lsub;
	/* selection */
	bool subscribed, special, recursive;
	/* RETURN */
	bool return_subscribed;
	unsigned status;     /* items; 0: none */
	const char *oldname; /* RFC 9051 section 6.3.9.7: of the only mailbox; or NULL */
	struct word reference;
	struct word pattern[LIST_PATTERNS_MAX];
	size_t patterns;
};

/* --- arguments --- */

/* "(SUBSCRIBED RECURSIVEMATCH)" */
static bool
take_selection(struct args *args, struct listing *list)
{
	static const char *const names[] = {
	    "SUBSCRIBED", "SPECIAL-USE", "RECURSIVEMATCH", "REMOTE" /* there are none */};
	unsigned bits;

	if (!args_names(args, names, sizeof(names) / sizeof(names[0]), &bits))
		return false;
	list->extended = true;
	list->subscribed = (bits & 1U << 0) != 0;
	list->special = (bits & 1U << 1) != 0;
	list->recursive = (bits & 1U << 2) != 0;
	/* RFC 5258 section 3.1: RECURSIVEMATCH needs something to match. */
	return !list->recursive || list->subscribed || list->special;
}

/* "RETURN (CHILDREN STATUS (MESSAGES))" to the end. */
static bool
take_return(struct args *args, struct listing *list)
{
	struct word word;

	list->extended = true;
	if (!args_atom(args, NULL, &word) || !word_is(word, "RETURN") || !args_space(args) ||
	    !args_open(args))
		return false;
	if (args_close(args))
		return true;
	do {
		if (!args_atom(args, NULL, &word))
			return false;
		if (word_is(word, "SUBSCRIBED"))
			list->return_subscribed = true;
		else if (word_is(word, "STATUS")) {
			if (!args_space(args) || !status_items(args, &list->status))
				return false;
		} else if (!word_is(word, "CHILDREN") && !word_is(word, "SPECIAL-USE"))
			return false; /* these two are always told */
	} while (args_more(args));
	return args_close(args);
}

static bool
take_patterns(struct args *args, struct listing *list)
{
	if (!args_open(args)) {
		list->patterns = 1;
		return args_list_mailbox(args, &list->pattern[0]);
	}
	list->extended = true;
	do {
		if (list->patterns == LIST_PATTERNS_MAX ||
		    !args_list_mailbox(args, &list->pattern[list->patterns++]))
			return false;
	} while (args_more(args));
	return args_close(args);
}

static bool
take_arguments(struct args *args, struct listing *list)
{
	if (!list->lsub && args_next_is(args, '(')) {
		if (!take_selection(args, list) || !args_space(args))
			return false;
	}
	if (!args_astring(args, &list->reference) || !args_space(args) ||
	    !take_patterns(args, list))
		return false;
	if (list->lsub || args_end(args))
		return args_end(args);
	return args_space(args) && take_return(args, list) && args_end(args);
}

/* --- answers --- */

static void
put_attribute(struct channel *channel, const char *name, const char **before)
{
	channel_puts(channel, *before);
	channel_puts(channel, name);
	*before = " ";
}

static void
put_node(const struct listing *list, const struct mailboxes_node *node)
{
	struct session *session = list->session;
	struct channel *channel = session->channel;
	const char *before = "";

	channel_puts(channel, list->lsub ? "* LSUB (" : "* LIST (");
	if (list->lsub) {
		if (!node->subscribed)
			put_attribute(channel, "\\Noselect", &before); /* RFC 3501 section 6.3.9 */
	} else {
		/* RFC 9051 section 9 wants one of them.  Old clients know only the second. */
		if (!node->exists)
			put_attribute(channel,
			    list->extended || session->rev2 ? "\\NonExistent" : "\\Noselect",
			    &before);
		if (node->subscribed && (list->subscribed || list->return_subscribed))
			put_attribute(channel, "\\Subscribed", &before);
		put_attribute(
		    channel, node->children ? "\\HasChildren" : "\\HasNoChildren", &before);
		if (node->special != SPECIAL_NONE)
			put_attribute(channel, special_name(node->special), &before);
	}
	channel_puts(channel, ") \"/\" ");
	imap_put_name(session, node->name);
	/* RFC 9051 section 6.3.9.6: a mailbox below is selected and not told. */
	if ((node->verdict & UNTOLD_BELOW) != 0)
		channel_printf(channel, " (\"CHILDINFO\" (%s%s%s))",
		    list->subscribed ? "\"SUBSCRIBED\"" : "",
		    list->subscribed && list->special ? " " : "",
		    list->special ? "\"SPECIAL-USE\"" : "");
	if (list->oldname != NULL && list->oldname[0] != '\0') {
		channel_puts(channel, " (\"OLDNAME\" (");
		imap_put_string(session, list->oldname, strlen(list->oldname));
		channel_puts(channel, "))");
	}
	channel_puts(channel, "\r\n");
	if (list->status != 0 && node->exists)
		(void)!status_tell(session, node->name, list->status);
}

/* The patterns, each after the reference, as pattern_match wants them. */
static void
take_wanted(const struct listing *list, char wanted_r[LIST_PATTERNS_MAX][IMAP_NAME_MAX])
{
	struct mdbuf text = {0};

	for (size_t i = 0; i < list->patterns; i++) {
		text.len = 0;
		mdbuf_add(&text, list->reference.at, list->reference.len);
		mdbuf_add(&text, list->pattern[i].at, list->pattern[i].len);
		imap_name_pattern(
		    text.data, text.failed ? 0 : text.len, imap_utf8(list->session), wanted_r[i]);
	}
	mdbuf_clear(&text);
}

/* Whether a pattern matches the name, whatever encoding the client uses. */
static bool
matches(char wanted[][IMAP_NAME_MAX], size_t patterns, const struct mailboxes_node *node)
{
	char name[IMAP_NAME_MAX];

	imap_name_client(node->name, true, name);
	for (size_t i = 0; i < patterns; i++) {
		if (pattern_match(wanted[i], strlen(wanted[i]), name, strlen(name)))
			return true;
	}
	return false;
}

/* LSUB with "%" shows a parent of a subscribed name: RFC 3501 section 6.3.9. */
static bool
lsub_shows(const struct listing *list, const struct mailboxes_node *node)
{
	const struct word *pattern = &list->pattern[0];

	return node->subscribed ||
	       (node->child_subscribed && memchr(pattern->at, '%', pattern->len) != NULL);
}

/* Whether the selection takes the node, whatever is below it. */
static bool
selected(const struct listing *list, const struct mailboxes_node *node)
{
	if (list->lsub)
		return lsub_shows(list, node);
	if (list->subscribed || list->special)
		return (!list->subscribed || node->subscribed) &&
		       (!list->special || node->special != SPECIAL_NONE);
	return node->exists || node->children;
}

/* Decides for each node whether it is told; UNTOLD_BELOW is for RECURSIVEMATCH. */
static void
judge(const struct listing *list, struct mailboxes *all)
{
	char wanted[LIST_PATTERNS_MAX][IMAP_NAME_MAX];
	struct mailboxes_node *node;
	size_t at;

	take_wanted(list, wanted);
	for (size_t i = 0; i < all->count; i++) {
		node = &all->node[i];
		node->verdict = (matches(wanted, list->patterns, node) ? MATCHES : 0) |
				(selected(list, node) ? SELECTED : 0);
		if (node->verdict != SELECTED || !list->recursive)
			continue;
		for (at = node->parent; at != MAILBOXES_NONE; at = all->node[at].parent)
			all->node[at].verdict |= UNTOLD_BELOW;
	}
}

static enum command_result
tell_all(struct listing *list)
{
	struct channel *channel = list->session->channel;
	const struct mailboxes_node *node;
	struct mailboxes all;

	if (mailboxes_read(list->session, &all) == -1)
		return imap_failed(list->session, "list");
	if (all.closed != 0 && (list->lsub || list->subscribed)) {
		errno = all.closed;
		mailboxes_clear(&all);
		return imap_failed(list->session, "list");
	}
	special_mark(list->session, &all);
	judge(list, &all);
	for (node = all.node; node < all.node + all.count && !channel_gone(channel); node++)
		if ((node->verdict & MATCHES) != 0 && node->verdict != MATCHES)
			put_node(list, node);
	mailboxes_clear(&all);
	return COMMAND_OK;
}

void
list_tell(struct session *session, const char *folder)
{
	const struct listing list = {
	    .session = session,
	    .extended = true,
	    .return_subscribed = true,
	    .oldname = session->oldname,
	};
	const struct mailboxes_node gone = {.name = (char *)(uintptr_t)folder}, *node;
	struct mailboxes all;

	if (mailboxes_read(session, &all) == -1)
		return;
	special_mark(session, &all);
	node = mailboxes_find(&all, folder);
	put_node(&list, node != NULL ? node : &gone);
	mailboxes_clear(&all);
}

void
list_tell_oldname(struct session *session, const char *folder)
{
	if (session->oldname[0] != '\0')
		list_tell(session, folder);
}

enum command_result
run_list(struct session *session, struct args *args)
{
	struct listing list = {
	    .session = session, .lsub = (session->command_flags & OLD_LIST) != 0};

	if (!take_arguments(args, &list))
		return COMMAND_BAD;
	/* RFC 9051 section 6.3.9: an empty pattern asks for the separator. */
	if (!list.extended && list.pattern[0].len == 0) {
		channel_puts(session->channel, list.lsub ? "* LSUB (\\Noselect) \"/\" \"\"\r\n"
							 : "* LIST (\\Noselect) \"/\" \"\"\r\n");
		return COMMAND_OK;
	}
	return tell_all(&list);
}

enum command_result
run_namespace(struct session *session, struct args *args)
{
	(void)args;
	channel_puts(session->channel, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
	return COMMAND_OK;
}
