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
	MAILDROP_BATCH = 1000, /* messages changed under one lock: others get a turn between */
};

struct drop_message {
	uint32_t uid;
	uint32_t order; /* 0: none; it comes after those that have one */
	uint64_t octets;
	char *saved_uidl; /* of dovecot-uidlist, if there is one; else NULL */
	bool has_saved, measured;
	bool deleted, seen;
};

struct maildrop {
	struct maildir_folder *folder;
	int uidl_format; /* enum conf_uidl */
	size_t len;
	struct drop_message *messages;
	struct maildrop_left_out left_out;
	int error; /* errno of a change that failed */
};

/* Names of files are not unique for certain: they are treated like saved UIDLs.  -1: memory was short. */
static int
take_uidl(struct maildrop *drop, struct drop_message *message)
{
	bool guid = drop->uidl_format == CONF_UIDL_GUID;
	bool named = guid || drop->uidl_format == CONF_UIDL_FILE;
	char uidl[MAILDIR_UIDL_SIZE];

	if (!(message->has_saved && maildir_pop3_uidl(drop->folder, message->uid, uidl)) &&
	    !(named && maildir_name_uidl(drop->folder, message->uid, guid, uidl)))
		return 0;
	message->saved_uidl = strdup(uidl);
	return message->saved_uidl != NULL ? 0 : -1;
}

static int
by_saved_uidl(const void *a, const void *b)
{
	const struct drop_message *const *x = a, *const *y = b;

	return strcmp((*x)->saved_uidl, (*y)->saved_uidl);
}

static void
forget_uidl(struct drop_message *message)
{
	free(message->saved_uidl);
	message->saved_uidl = NULL;
}

/* Only one of several messages with the same saved UIDL may keep it. */
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
			forget_uidl(with[i]);
		else
			last = with[i]->saved_uidl;
	}
	free(with);
	return 0;
}

/* The octets that RETR will send: it ends the last line if the message does not (RFC 1939 section 3). */
static uint64_t
wire_octets(uint64_t octets, bool newline)
{
	return newline || octets == 0 ? octets : octets + 2;
}

/* exact: of the file as it is now, since it is going to be sent; else what is remembered will do. */
static int
measure(struct maildrop *drop, struct drop_message *message, bool exact)
{
	bool newline;
	int r = exact ? maildir_exact_size(drop->folder, message->uid, &message->octets, &newline)
		      : maildir_size(drop->folder, message->uid, &message->octets, &newline);

	if (r == -1)
		return -1;
	message->octets = wire_octets(message->octets, newline);
	return 0;
}

static int
by_order(const void *a, const void *b)
{
	const struct drop_message *x = a, *y = b;
	uint32_t i = x->order - 1, j = y->order - 1; /* 0 becomes the largest */

	if (i != j)
		return i < j ? -1 : 1;
	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* All messages that are there at this moment: measuring a message may change the folder's list. */
static int
take_list(struct maildrop *drop)
{
	size_t count = maildir_count(drop->folder);
	struct maildir_message m;

	drop->messages = calloc(count + 1, sizeof(*drop->messages));
	if (drop->messages == NULL)
		return -1;
	for (drop->len = 0; drop->len < count; drop->len++) {
		if (!maildir_message(drop->folder, drop->len, &m)) {
			errno = EIO;
			return -1;
		}
		drop->messages[drop->len] = (struct drop_message){
		    .uid = m.uid,
		    .order = m.pop3_order,
		    .octets = wire_octets(m.octets, m.newline),
		    .measured = m.octets_known,
		    .has_saved = m.has_pop3_uidl,
		};
	}
	return 0;
}

/* Messages that cannot be read are left out.  -1: ECANCELED, see maildir_on_stop. */
static int
measure_all(struct maildrop *drop)
{
	size_t kept = 0;

	for (size_t i = 0; i < drop->len; i++) {
		struct drop_message one = drop->messages[i];

		if (one.measured || measure(drop, &one, false) == 0)
			drop->messages[kept++] = one;
		else if (errno == ECANCELED)
			return -1;
		else if (errno != ENOENT)
			drop->left_out =
			    (struct maildrop_left_out){drop->left_out.messages + 1, one.uid, errno};
	}
	drop->len = kept;
	return 0;
}

/* Numbers the readable messages: saved POP3 order first, then by UID. */
static int
take_messages(struct maildrop *drop)
{
	bool ordered = false, named = false;
	size_t i;

	if (take_list(drop) == -1 || measure_all(drop) == -1)
		return -1;
	for (i = 0; i < drop->len; i++)
		ordered = ordered || drop->messages[i].order != 0;
	/* Most have no order of their own: they come by UID. */
	if (ordered)
		qsort(drop->messages, drop->len, sizeof(drop->messages[0]), by_order);
	for (i = 0; i < drop->len; i++) {
		if (take_uidl(drop, &drop->messages[i]) == -1)
			return -1;
		named = named || drop->messages[i].saved_uidl != NULL;
	}
	return named ? unique_uidls(drop) : 0;
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

static void
forget_messages(struct maildrop *drop)
{
	for (size_t i = 0; i < drop->len; i++)
		forget_uidl(&drop->messages[i]);
	free(drop->messages);
	drop->messages = NULL;
	drop->len = 0;
	drop->left_out.messages = 0;
}

/* An index that is found broken is rebuilt by a second look: a message that is not listed would count as expunged, and
 * one with another UIDL as new. */
static int
take_all(struct maildrop *drop)
{
	int r = -1;

	for (int look = 0; look < 2; look++) {
		forget_messages(drop);
		if (maildir_sync(drop->folder) == -1)
			return -1;
		r = take_messages(drop);
		if (!maildir_broken(drop->folder) || (r == -1 && errno == ECANCELED))
			return r;
	}
	errno = EIO;
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
	    lock_session(drop->folder) == -1 || take_all(drop) == -1) {
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
	forget_messages(*drop);
	free(*drop);
	*drop = NULL;
}

size_t
maildrop_last(const struct maildrop *drop)
{
	return drop->len;
}

const struct maildrop_left_out *
maildrop_left_out(const struct maildrop *drop)
{
	return &drop->left_out;
}

struct maildir_folder *
maildrop_folder(struct maildrop *drop)
{
	return drop->folder;
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

/* Two numbers of eight digits: the common form, of which a client may ask for a hundred thousand. */
static void
hex_uidl(uint32_t first, uint32_t second, char uidl_r[POP3_UIDL_MAX + 1])
{
	uint64_t value = (uint64_t)first << 32 | second;

	for (int i = 15; i >= 0; i--, value >>= 4)
		uidl_r[i] = "0123456789abcdef"[value & 15];
	uidl_r[16] = '\0';
}

/* Makes it of the UID and UIDVALIDITY, as Dovecot and its forebears do, so that clients notice no change. */
static void
make_uidl(int format, uint32_t uid, uint32_t validity, char uidl_r[POP3_UIDL_MAX + 1])
{
	static const struct {
		const char *before, *between;
		bool uid_first;
	} decimal[] = {
	    [CONF_UIDL_DOT] = {"", ".", false},
	    [CONF_UIDL_DOT_UID] = {"", ".", true},
	    [CONF_UIDL_DASH] = {"", "-", false},
	    [CONF_UIDL_COURIER] = {"UID", "-", true},
	};
	bool uid_first;

	if (format == CONF_UIDL_UID) {
		snprintf(uidl_r, POP3_UIDL_MAX + 1, "%u", uid);
	} else if (format == CONF_UIDL_HEX_VALIDITY) {
		hex_uidl(validity, uid, uidl_r);
	} else if ((size_t)format < sizeof(decimal) / sizeof(decimal[0]) &&
		   decimal[format].before != NULL) {
		uid_first = decimal[format].uid_first;
		snprintf(uidl_r, POP3_UIDL_MAX + 1, "%s%u%s%u", decimal[format].before,
		    uid_first ? uid : validity, decimal[format].between,
		    uid_first ? validity : uid);
	} else {
		hex_uidl(uid, validity, uidl_r); /* also when the name of a file can be none */
	}
}

void
maildrop_uidl(const struct maildrop *drop, uint32_t number, char uidl_r[POP3_UIDL_MAX + 1])
{
	const struct drop_message *m = &drop->messages[number - 1];

	if (m->saved_uidl != NULL)
		snprintf(uidl_r, POP3_UIDL_MAX + 1, "%s", m->saved_uidl);
	else
		make_uidl(drop->uidl_format, m->uid, maildir_uidvalidity(drop->folder), uidl_r);
}

int
maildrop_read(struct maildrop *drop, uint32_t number, struct maildir_reader **reader_r)
{
	struct drop_message *message = &drop->messages[number - 1];

	/* Another program may have put another file there: what is announced is what will come. */
	if (measure(drop, message, true) == -1)
		return -1;
	return maildir_reader_open(drop->folder, message->uid, reader_r);
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

static void
update_one(struct maildrop *drop, const struct drop_message *m, bool mark_seen, size_t *removed,
    size_t *failed)
{
	static const struct maildir_flag_change seen = {.add = MAILDIR_SEEN};
	struct maildir_message now;

	if (m->deleted && maildir_remove(drop->folder, m->uid) == -1) {
		drop->error = errno;
		++*failed;
	} else if (m->deleted)
		++*removed;
	else if (m->seen && mark_seen && maildir_lookup(drop->folder, m->uid, &now) &&
		 (now.flags & MAILDIR_SEEN) == 0)
		(void)maildir_flags(drop->folder, m->uid, &seen); /* else it stays new */
}

/* Whether QUIT changes anything of it. */
static bool
is_marked(const struct drop_message *m, bool mark_seen)
{
	return m->deleted || (m->seen && mark_seen);
}

/* Changes messages from that place on, as many as one lock should cover.  Returns the place where it stopped. */
static size_t
update_batch(
    struct maildrop *drop, size_t from, bool mark_seen, size_t *removed_r, size_t *failed_r)
{
	size_t done = 0, removed = 0, failed = 0, i;

	if (maildir_change_begin(drop->folder) == -1) {
		drop->error = errno;
		for (i = from; i < drop->len; i++)
			*failed_r += drop->messages[i].deleted;
		return drop->len;
	}
	for (i = from; i < drop->len && done < MAILDROP_BATCH; i++) {
		if (!is_marked(&drop->messages[i], mark_seen))
			continue;
		update_one(drop, &drop->messages[i], mark_seen, &removed, &failed);
		done++;
	}
	/* A message that is reported as removed must not come back after a power cut. */
	if (maildir_change_end(drop->folder) == -1) {
		drop->error = errno;
		failed += removed;
	}
	*removed_r += removed;
	*failed_r += failed;
	return i;
}

size_t
maildrop_update(struct maildrop *drop, bool mark_seen, size_t *removed_r)
{
	size_t failed = 0, i = 0;

	*removed_r = 0;
	while (i < drop->len) {
		if (is_marked(&drop->messages[i], mark_seen))
			i = update_batch(drop, i, mark_seen, removed_r, &failed);
		else
			i++;
	}
	errno = drop->error;
	return failed;
}
