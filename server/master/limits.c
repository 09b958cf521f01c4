/*
 * limits.c: tallies of addresses, networks, users and names.
 * Runs as: root (master).
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "server/master/limits.h"
#include "server/master/siphash.h"

enum { BUCKETS = LIMITS_ENTRIES_MAX };

/*
 * The whole table is one mapping.  Places in entry[] begin with 1, so that a mapping full of zeros is an empty table.  entry[0] holds
 * the ends of the list of entries without a connection: its newer is the one used longest ago.
 */
struct limits {
	uint64_t secret[2]; /* so that nobody can choose names that share an entry or a bucket */
	uint32_t count;
	uint32_t bucket[BUCKETS];
	struct tally entry[1 + LIMITS_ENTRIES_MAX];
};

struct limits *
limits_new(void)
{
	struct limits *limits = mmap(NULL, sizeof(*limits), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (limits == MAP_FAILED)
		return NULL;
	if (madvise(limits, sizeof(*limits), MADV_DONTFORK) == -1 ||
	    madvise(limits, sizeof(*limits), MADV_DONTDUMP) == -1 ||
	    getrandom(limits->secret, sizeof(limits->secret), 0) != (ssize_t)sizeof(limits->secret))
		limits_free(&limits);
	/* A huge page would hold two megabytes for the first entry.  The call fails on a kernel without huge pages. */
	if (limits != NULL)
		(void)madvise(limits, sizeof(*limits), MADV_NOHUGEPAGE);
	return limits;
}

void
limits_free(struct limits **limits)
{
	if (*limits != NULL)
		(void)munmap(*limits, sizeof(**limits));
	*limits = NULL;
}

/* --- the list of entries without a connection --- */

static void
unlink_idle(struct limits *limits, struct tally *t)
{
	limits->entry[t->older].newer = t->newer;
	limits->entry[t->newer].older = t->older;
}

/* Makes t the one that was used last. */
static void
link_idle(struct limits *limits, struct tally *t)
{
	uint32_t at = (uint32_t)(t - limits->entry);

	t->newer = 0;
	t->older = limits->entry[0].older;
	limits->entry[t->older].newer = at;
	limits->entry[0].older = at;
}

/* --- entries --- */

static uint32_t *
bucket_of(struct limits *limits, uint64_t key)
{
	return &limits->bucket[key % BUCKETS];
}

static struct tally *
find(struct limits *limits, uint64_t key)
{
	uint32_t at = *bucket_of(limits, key);
	struct tally *t;

	while (at != 0 && limits->entry[at].key != key)
		at = limits->entry[at].next;
	if (at == 0)
		return NULL;
	t = &limits->entry[at];
	if (t->connections == 0) {
		unlink_idle(limits, t);
		link_idle(limits, t);
	}
	return t;
}

/* Takes the entry that was used longest ago away from its key.  NULL: all have connections. */
static struct tally *
reuse(struct limits *limits)
{
	uint32_t oldest = limits->entry[0].newer, *at;
	struct tally *t = &limits->entry[oldest];

	if (oldest == 0)
		return NULL;
	unlink_idle(limits, t);
	for (at = bucket_of(limits, t->key); *at != oldest; at = &limits->entry[*at].next)
		;
	*at = t->next;
	return t;
}

struct tally *
limits_find(struct limits *limits, const void *key, size_t len)
{
	return find(limits, siphash(limits->secret, key, len));
}

struct tally *
limits_get(struct limits *limits, const void *key, size_t len)
{
	uint64_t hash = siphash(limits->secret, key, len);
	uint32_t *bucket = bucket_of(limits, hash);
	struct tally *t = find(limits, hash);

	if (t != NULL)
		return t;
	t = limits->count < LIMITS_ENTRIES_MAX ? &limits->entry[++limits->count] : reuse(limits);
	if (t == NULL)
		return NULL;
	*t = (struct tally){.key = hash, .last_login = -1, .last_logged = -1, .next = *bucket};
	*bucket = (uint32_t)(t - limits->entry);
	link_idle(limits, t);
	return t;
}

void
limits_enter(struct limits *limits, struct tally *tally)
{
	if (tally->connections++ == 0)
		unlink_idle(limits, tally);
}

void
limits_leave(struct limits *limits, struct tally *tally)
{
	if (tally->connections > 0 && --tally->connections == 0)
		link_idle(limits, tally);
}

/* --- failures --- */

unsigned
limits_failures(struct tally *tally, int64_t now)
{
	if (now - tally->last_failure > LIMITS_FORGET)
		tally->failures = 0;
	return tally->failures;
}

int64_t
limits_failed(struct tally *tally, int64_t now, int64_t base)
{
	unsigned failures = limits_failures(tally, now), i;
	int64_t delay = base, at;

	for (i = 0; i < failures && delay < LIMITS_DELAY_MAX; i++)
		delay *= 2;
	if (delay > LIMITS_DELAY_MAX)
		delay = LIMITS_DELAY_MAX;
	at = now + delay;
	/* failure_delay = 0s also switches off the pacing: a test, or a trusted network. */
	if (base > 0 && at < tally->next_answer)
		at = tally->next_answer;
	tally->next_answer = at + LIMITS_SLOT;
	tally->last_failure = now;
	if (failures < UINT32_MAX)
		tally->failures++;
	return at;
}

/* --- keys --- */

static size_t
address_key(const struct sockaddr_storage *address, size_t v4_len, size_t v6_len,
    unsigned char key_r[LIMITS_ADDRESS_KEY])
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
	const void *from = v6->sin6_addr.s6_addr;
	size_t len = v6_len;

	if (address->ss_family != AF_INET && address->ss_family != AF_INET6)
		return 0;
	if (address->ss_family == AF_INET) {
		from = &v4->sin_addr;
		len = v4_len;
	} else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		from = v6->sin6_addr.s6_addr + 12;
		len = v4_len;
	}
	memcpy(key_r, from, len);
	return len;
}

size_t
limits_address_key(const struct sockaddr_storage *address, unsigned char key_r[LIMITS_ADDRESS_KEY])
{
	return address_key(address, 4, 8, key_r);
}

size_t
limits_network_key(const struct sockaddr_storage *address, unsigned char key_r[LIMITS_ADDRESS_KEY])
{
	return address_key(address, 3, 7, key_r);
}

size_t
limits_count(const struct limits *limits)
{
	return limits->count;
}
