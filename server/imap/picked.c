/*
 * picked.c: the messages that a command names.
 * Runs as: mail user.
 */
#include <string.h>

#include "server/imap/mailbox.h"
#include "server/imap/picked.h"
#include "server/imap/session.h"

bool
picked_parse(struct session *session, struct word set, bool by_uid, struct picked *picked_r)
{
	struct mailbox *box = session->box;
	const struct sequence *s = &picked_r->set;
	uint32_t star;

	memset(picked_r, 0, sizeof(*picked_r));
	picked_r->by_uid = by_uid || word_is(set, "$");
	if (word_is(set, "$"))
		return sequence_copy(&session->saved, &picked_r->set);
	star = by_uid ? mailbox_last_uid(box) : (uint32_t)box->count;
	if (sequence_parse(&picked_r->set, set.at, set.len, star) != SEQUENCE_OK)
		return false;
	return by_uid || s->count == 0 || s->range[s->count - 1].last <= box->count;
}

void
picked_all(const struct mailbox *box, struct picked *picked_r)
{
	memset(picked_r, 0, sizeof(*picked_r));
	if (box->count > 0)
		sequence_add_range(&picked_r->set, 1, (uint32_t)box->count);
}

/* The places that the next range stands for. */
static void
next_range(const struct mailbox *box, struct picked *picked)
{
	const struct sequence_range *range = &picked->set.range[picked->range++];
	bool to_end = picked->by_uid ? range->last == UINT32_MAX : range->last >= box->count;

	picked->place = picked->by_uid ? mailbox_find(box, range->first) : range->first - 1;
	if (to_end)
		picked->end = box->count;
	else
		picked->end = picked->by_uid ? mailbox_find(box, range->last + 1) : range->last;
	if (picked->place > picked->end)
		picked->place = picked->end;
}

bool
picked_next(struct mailbox *box, struct picked *picked, size_t *place_r)
{
	while (picked->place == picked->end && picked->range < picked->set.count)
		next_range(box, picked);
	if (picked->place == picked->end || mailbox_is_lost(box))
		return false;
	*place_r = picked->place++;
	return true;
}

void
picked_clear(struct picked *picked)
{
	sequence_clear(&picked->set);
}
