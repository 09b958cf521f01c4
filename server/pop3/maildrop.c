/*
 * maildrop.c: INBOX as POP3 numbers it.
 * Runs as: mail user.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "maildir/maildir.h"
#include "server/conf.h"
#include "server/pop3/maildrop.h"

enum {
	MAILDROP_LOCK_TRIES = 20,
	MAILDROP_LOCK_PAUSE = 50 * 1000 * 1000, /* ns; a second in all */
};

struct drop_message {
	size_t index; /* in the folder */
	uint64_t octets;
	const char *saved_uidl; /* of dovecot-uidlist, if it can be used; else NULL */
	bool deleted, seen;
};

struct maildrop {
	struct maildir_folder *folder;
	int uidl_format; /* enum conf_uidl */
	size_t len;
	struct drop_message *messages;
};

/* A saved UIDL is somebody else's text: it must be what RFC 1939 allows. */
static const char *
usable_uidl(const char *uidl)
{
	size_t i;

	if (uidl == NULL || *uidl == '\0')
		return NULL;
	for (i = 0; uidl[i] != '\0'; i++)
		if (i == POP3_UIDL_MAX || uidl[i] < 0x21 || uidl[i] > 0x7e)
			return NULL;
	return uidl;
}

static int
by_saved_uidl(const void *a, const void *b)
{
	const struct drop_message *const *x = a, *const *y = b;

	return strcmp((*x)->saved_uidl, (*y)->saved_uidl);
}

/* Of messages with the same saved UIDL only one may keep it. */
static int
unique_uidls(struct maildrop *drop)
{
	struct drop_message **with;
	const char *last = NULL;
	size_t n = 0, i;

	with = calloc(drop->len + 1, sizeof(*with));
	if (with == NULL)
		return -1;
	for (i = 0; i < drop->len; i++)
		if (drop->messages[i].saved_uidl != NULL)
			with[n++] = &drop->messages[i];
	qsort(with, n, sizeof(with[0]), by_saved_uidl);
	for (i = 0; i < n; i++) {
		if (last != NULL && strcmp(with[i]->saved_uidl, last) == 0)
			with[i]->saved_uidl = NULL;
		else
			last = with[i]->saved_uidl;
	}
	free(with);
	return 0;
}

/* What RETR will send: it ends the last line if the message does not (RFC 1939 section 3). */
static int
measure(struct maildrop *drop, struct drop_message *message)
{
	bool newline;

	if (maildir_size(drop->folder, message->index, &message->octets, &newline) == -1)
		return -1;
	if (!newline && message->octets > 0)
		message->octets += 2;
	return 0;
}

struct ordered {
	uint32_t order; /* 0: none, behind those that have one */
	struct drop_message message;
};

static int
by_order(const void *a, const void *b)
{
	const struct ordered *x = a, *y = b;
	uint32_t i = x->order - 1, j = y->order - 1; /* 0 becomes the largest */

	if (i != j)
		return i < j ? -1 : 1;
	return x->message.index < y->message.index ? -1 : x->message.index > y->message.index;
}

/* Numbers the readable messages: saved POP3 order first, then by UID. */
static int
take_messages(struct maildrop *drop)
{
	size_t count = maildir_count(drop->folder), i, n = 0;
	struct ordered *all = calloc(count + 1, sizeof(*all));
	const struct maildir_message *m;

	drop->messages = calloc(count + 1, sizeof(*drop->messages));
	if (all == NULL || drop->messages == NULL) {
		free(all);
		return -1;
	}
	for (i = 0; i < count; i++) {
		struct drop_message *one = &all[n].message;

		one->index = i;
		if (measure(drop, one) == -1)
			continue;
		m = maildir_message(drop->folder, i);
		one->saved_uidl = usable_uidl(m->pop3_uidl);
		all[n++].order = m->pop3_order;
	}
	qsort(all, n, sizeof(all[0]), by_order);
	for (i = 0; i < n; i++)
		drop->messages[i] = all[i].message;
	drop->len = n;
	free(all);
	return unique_uidls(drop);
}

/*
 * The lock of a session that has just ended may still be held for a moment, by a process that has yet
 * to see its client's end: clients that come back at once should not be turned away.
 */
static int
lock_session(struct maildir_folder *folder)
{
	const struct timespec pause = {.tv_nsec = MAILDROP_LOCK_PAUSE};
	int tries;

	for (tries = 0; tries < MAILDROP_LOCK_TRIES; tries++) {
		if (maildir_session_lock(folder) == 0)
			return 0;
		if (errno != EAGAIN)
			return -1;
		(void)nanosleep(&pause, NULL);
	}
	errno = EAGAIN;
	return -1;
}

int
maildrop_open(struct maildir *maildir, int uidl_format, struct maildrop **drop_r)
{
	struct maildrop *drop = calloc(1, sizeof(*drop));
	int saved;

	*drop_r = NULL;
	if (drop == NULL)
		return -1;
	drop->uidl_format = uidl_format;
	if (maildir_folder_open(maildir, "INBOX", &drop->folder) == -1 ||
	    lock_session(drop->folder) == -1 || maildir_sync(drop->folder) == -1 ||
	    take_messages(drop) == -1) {
		saved = errno;
		maildrop_close(&drop);
		errno = saved;
		return -1;
	}
	*drop_r = drop;
	return 0;
}

void
maildrop_close(struct maildrop **drop)
{
	if (*drop == NULL)
		return;
	if ((*drop)->folder != NULL)
		maildir_folder_close(&(*drop)->folder);
	free((*drop)->messages);
	free(*drop);
	*drop = NULL;
}

size_t
maildrop_last(const struct maildrop *drop)
{
	return drop->len;
}

void
maildrop_stat(const struct maildrop *drop, size_t *count_r, uint64_t *octets_r)
{
	size_t i;

	*count_r = 0;
	*octets_r = 0;
	for (i = 0; i < drop->len; i++) {
		if (drop->messages[i].deleted)
			continue;
		++*count_r;
		*octets_r += drop->messages[i].octets;
	}
}

bool
maildrop_has(const struct maildrop *drop, uint32_t number)
{
	return number >= 1 && number <= drop->len && !drop->messages[number - 1].deleted;
}

uint64_t
maildrop_octets(const struct maildrop *drop, uint32_t number)
{
	return drop->messages[number - 1].octets;
}

/* Of the UID and UIDVALIDITY, as Dovecot and its forebears do, so that clients notice no change. */
static void
make_uidl(int format, unsigned uid, unsigned validity, char uidl_r[POP3_UIDL_MAX + 1])
{
	const size_t size = POP3_UIDL_MAX + 1;

	switch ((enum conf_uidl)format) {
	case CONF_UIDL_HEX_UID:
		snprintf(uidl_r, size, "%08x%08x", uid, validity);
		break;
	case CONF_UIDL_HEX_VALIDITY:
		snprintf(uidl_r, size, "%08x%08x", validity, uid);
		break;
	case CONF_UIDL_DOT:
		snprintf(uidl_r, size, "%u.%u", validity, uid);
		break;
	case CONF_UIDL_DOT_UID:
		snprintf(uidl_r, size, "%u.%u", uid, validity);
		break;
	case CONF_UIDL_DASH:
		snprintf(uidl_r, size, "%u-%u", validity, uid);
		break;
	case CONF_UIDL_COURIER:
		snprintf(uidl_r, size, "UID%u-%u", uid, validity);
		break;
	case CONF_UIDL_UID:
		snprintf(uidl_r, size, "%u", uid);
		break;
	}
}

void
maildrop_uidl(const struct maildrop *drop, uint32_t number, char uidl_r[POP3_UIDL_MAX + 1])
{
	const struct drop_message *m = &drop->messages[number - 1];

	if (m->saved_uidl != NULL)
		snprintf(uidl_r, POP3_UIDL_MAX + 1, "%s", m->saved_uidl);
	else
		make_uidl(drop->uidl_format, (unsigned)maildir_message(drop->folder, m->index)->uid,
		    (unsigned)maildir_uidvalidity(drop->folder), uidl_r);
}

int
maildrop_read(struct maildrop *drop, uint32_t number, struct maildir_reader **reader_r)
{
	struct drop_message *message = &drop->messages[number - 1];

	/* Another program may have put another file there: what is announced is what will come. */
	if (measure(drop, message) == -1)
		return -1;
	return maildir_reader_open(drop->folder, message->index, reader_r);
}

void
maildrop_delete(struct maildrop *drop, uint32_t number)
{
	drop->messages[number - 1].deleted = true;
}

void
maildrop_seen(struct maildrop *drop, uint32_t number)
{
	drop->messages[number - 1].seen = true;
}

void
maildrop_reset(struct maildrop *drop)
{
	size_t i;

	for (i = 0; i < drop->len; i++)
		drop->messages[i].deleted = false;
}

size_t
maildrop_update(struct maildrop *drop, bool mark_seen, size_t *removed_r)
{
	size_t failed = 0, changed = 0, i;
	const struct drop_message *m;

	*removed_r = 0;
	for (i = 0; i < drop->len; i++) {
		m = &drop->messages[i];
		if (m->deleted && maildir_remove(drop->folder, m->index) == -1)
			failed++;
		else if (m->deleted)
			++*removed_r;
		else if (m->seen && mark_seen &&
			 (maildir_message(drop->folder, m->index)->flags & MAILDIR_SEEN) == 0 &&
			 maildir_flags(drop->folder, m->index, MAILDIR_SEEN, 0, 0, 0) == 0)
			changed++;
	}
	/* Removed is what is told as removed: it must not come back after a power cut. */
	if (*removed_r + changed > 0 && maildir_settle(drop->folder) == -1 && *removed_r > 0)
		failed += *removed_r;
	return failed;
}

void
maildrop_keep_sizes(struct maildrop *drop)
{
	(void)maildir_save_sizes(
	    drop->folder); /* a cache: without it the next session reads again */
}
