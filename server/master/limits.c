/*
 * limits.c: tallies of addresses and users.
 * Runs as: root (master).
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "server/master/limits.h"

enum { BUCKETS = 4096 };

struct limits {
	uint32_t seed; /* so that an attacker cannot choose addresses that share a bucket */
	size_t count;
	size_t sweep; /* the bucket that was last searched for entries to forget */
	struct tally *buckets[BUCKETS];
};

struct limits *
limits_new(void)
{
	struct limits *limits = calloc(1, sizeof(*limits));

	if (limits != NULL && getrandom(&limits->seed, sizeof(limits->seed), 0) == -1)
		limits->seed = 1;
	return limits;
}

void
limits_free(struct limits **limits)
{
	struct tally *t, *next;
	size_t i;

	if (*limits == NULL)
		return;
	for (i = 0; i < BUCKETS; i++)
		for (t = (*limits)->buckets[i]; t != NULL; t = next) {
			next = t->next;
			free(t);
		}
	free(*limits);
	*limits = NULL;
}

/* FNV-1a from a secret start. */
static size_t
bucket_of(const struct limits *limits, const unsigned char *key, size_t len)
{
	uint32_t h = 2166136261u ^ limits->seed;
	size_t i;

	for (i = 0; i < len; i++)
		h = (h ^ key[i]) * 16777619u;
	return (h ^ h >> 15) % BUCKETS;
}

/* Frees entries of a bucket without connections, if they have no failures or the table is full. */
static void
forget(struct limits *limits, size_t bucket, bool even_fresh)
{
	struct tally **at = &limits->buckets[bucket], *t;

	while ((t = *at) != NULL) {
		if (t->connections == 0 && (t->failures == 0 || even_fresh) &&
		    t->last_login == -1) {
			*at = t->next;
			free(t);
			limits->count--;
		} else
			at = &t->next;
	}
}

static void
decay(struct tally *t, int64_t now)
{
	if (t->failures > 0 && now - t->last_failure > LIMITS_FORGET)
		t->failures = 0;
}

static void
make_room(struct limits *limits)
{
	size_t i;

	limits->sweep = (limits->sweep + 1) % BUCKETS;
	forget(limits, limits->sweep, false);
	for (i = 0; limits->count >= LIMITS_ENTRIES_MAX && i < BUCKETS; i++)
		forget(limits, (limits->sweep + i) % BUCKETS, true);
}

struct tally *
limits_get(struct limits *limits, const void *key, size_t len)
{
	size_t bucket = bucket_of(limits, key, len);
	struct tally *t;

	for (t = limits->buckets[bucket]; t != NULL; t = t->next)
		if (t->len == len && memcmp(t->key, key, len) == 0)
			return t;
	make_room(limits);
	if (len > LIMITS_KEY_MAX || limits->count >= LIMITS_ENTRIES_MAX)
		return NULL;
	t = calloc(1, sizeof(*t) + len);
	if (t == NULL)
		return NULL;
	memcpy(t->key, key, len);
	t->len = len;
	t->last_login = t->last_logged = -1;
	t->next = limits->buckets[bucket];
	limits->buckets[bucket] = t;
	limits->count++;
	return t;
}

void
limits_enter(struct tally *tally)
{
	tally->connections++;
}

void
limits_leave(struct tally *tally)
{
	if (tally->connections > 0)
		tally->connections--;
}

int64_t
limits_answer_at(struct tally *tally, int64_t now, int64_t base)
{
	int64_t delay = base, at;
	unsigned i;

	decay(tally, now);
	for (i = 0; i < tally->failures && delay < LIMITS_DELAY_MAX; i++)
		delay *= 2;
	if (delay > LIMITS_DELAY_MAX)
		delay = LIMITS_DELAY_MAX;
	at = now + delay;
	/* failure_delay = 0s also switches off the pacing: a test, or a trusted network. */
	if (base > 0 && at < tally->next_answer)
		at = tally->next_answer;
	tally->next_answer = at + LIMITS_SLOT;
	return at;
}

void
limits_failed(struct tally *tally, int64_t now)
{
	decay(tally, now);
	tally->failures++;
	tally->last_failure = now;
}

void
limits_succeeded(struct tally *tally, int64_t now)
{
	/*
	 * The failures stay: one good account must not reset the price of guessing at others.  But this
	 * attempt gives back the slot that it had reserved.
	 */
	if (tally->next_answer > now)
		tally->next_answer -= LIMITS_SLOT;
}

size_t
limits_address_key(const struct sockaddr_storage *address, unsigned char key_r[16])
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
	const void *from = v6->sin6_addr.s6_addr;
	size_t len = 8;

	if (address->ss_family != AF_INET && address->ss_family != AF_INET6)
		return 0;
	if (address->ss_family == AF_INET) {
		from = &v4->sin_addr;
		len = 4;
	} else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		from = v6->sin6_addr.s6_addr + 12;
		len = 4;
	}
	memcpy(key_r, from, len);
	return len;
}

size_t
limits_count(const struct limits *limits)
{
	return limits->count;
}
