/*
 * pattern.c: compares names with LIST's patterns, in one walk over the name.
 * Runs as: mail user.
 *
 * The pattern is an automaton: in state n its first n octets have matched what was read of the name.  All
 * states that are possible are kept at once, as bits, so nothing is tried twice.
 */
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "server/imap/pattern.h"

enum { WORD_BITS = 64, WORDS = PATTERN_MAX / WORD_BITS + 1 };

#define INBOX "INBOX"

struct automaton {
	const char *octet; /* of the pattern */
	size_t len;
	uint64_t state[WORDS]; /* bits 0 to len */
};

static bool
is_wildcard(char c)
{
	return c == '*' || c == '%';
}

/*
 * Enters state n.  A wildcard may match nothing, so the state after it is entered, too; what follows a state that is
 * entered already is entered as well, which bounds the work.
 */
static void
enter(const struct automaton *automaton, uint64_t *state, size_t n)
{
	uint64_t bit;

	for (;; n++) {
		bit = UINT64_C(1) << n % WORD_BITS;
		if ((state[n / WORD_BITS] & bit) != 0)
			return;
		state[n / WORD_BITS] |= bit;
		if (n == automaton->len || !is_wildcard(automaton->octet[n]))
			return;
	}
}

static bool
same_octet(char a, char b, bool fold)
{
	return a == b || (fold && strncasecmp(&a, &b, 1) == 0);
}

/* Reads an octet of the name; fold: in any case.  false: no state is left. */
static bool
step(struct automaton *automaton, char c, bool fold)
{
	uint64_t next[WORDS] = {0}, any = 0;

	for (size_t word = 0; word <= automaton->len / WORD_BITS; word++) {
		for (uint64_t bits = automaton->state[word]; bits != 0; bits &= bits - 1) {
			size_t n = word * WORD_BITS + (size_t)__builtin_ctzll(bits);
			char octet;

			if (n == automaton->len)
				continue;
			octet = automaton->octet[n];
			if (octet == '*' || (octet == '%' && c != '/'))
				enter(automaton, next, n);
			else if (octet != '%' && same_octet(octet, c, fold))
				enter(automaton, next, n + 1);
		}
	}
	memcpy(automaton->state, next, sizeof(next));
	for (size_t word = 0; word < WORDS; word++)
		any |= next[word];
	return any != 0;
}

bool
pattern_match(const char *pattern, size_t pattern_len, const char *name, size_t name_len)
{
	struct automaton automaton = {.octet = pattern, .len = pattern_len};
	const size_t inbox = strlen(INBOX);
	bool fold = name_len >= inbox && strncasecmp(name, INBOX, inbox) == 0 &&
		    (name_len == inbox || name[inbox] == '/');

	if (pattern_len > PATTERN_MAX)
		return false;
	enter(&automaton, automaton.state, 0);
	for (size_t i = 0; i < name_len; i++) {
		if (!step(&automaton, name[i], fold && i < inbox))
			return false;
	}
	return (automaton.state[pattern_len / WORD_BITS] >> pattern_len % WORD_BITS & 1) != 0;
}
