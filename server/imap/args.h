/*
 * args.h: reads the words of a whole command.  RFC 9051 section 9.
 *
 * The text is the command as it came, its literals inside as "{5}\r\nhello", without its last CRLF.
 * Each function takes one thing at the cursor and moves past it, or returns false and leaves the
 * cursor anywhere: the command is BAD then.  Nothing is copied; strings with escapes are unescaped in
 * place.  No recursion: lists are walked with args_open, args_more and args_close.
 *
 * The grammar has one blank between two words, and none at the end or inside a parenthesis.  Clients send more of
 * them: several count as one, and blanks where none should be are skipped.
 */
#ifndef SERVER_IMAP_ARGS_H
#define SERVER_IMAP_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct args {
	char *at, *end;
	bool utf8; /* quoted strings may hold UTF-8 (RFC 6855, RFC 9051) */
};

/* A string with its length; not terminated.  Only a literal8 can hold a NUL. */
struct word {
	char *at;
	size_t len;
};

bool args_space(struct args *args);	   /* one SP or more */
bool args_end(const struct args *args);	   /* only blanks are left */
bool args_char(struct args *args, char c); /* that octet */
bool args_next_is(const struct args *args, char c);

bool args_open(struct args *args);  /* "(" */
bool args_more(struct args *args);  /* SP between two items: neither ")" nor the end comes next */
bool args_close(struct args *args); /* ")" */

/* 1*ATOM-CHAR.  also: more characters that are taken, such as "]" or "\\"; NULL: none. */
bool args_atom(struct args *args, const char *also, struct word *word_r);
bool args_quoted(struct args *args, struct word *word_r);
/* {n} or {n+}; *literal8_r: it was ~{n}, which is wrong where literal8_r is NULL. */
bool args_literal(struct args *args, struct word *word_r, bool *literal8_r);
bool args_string(struct args *args, struct word *word_r);	/* quoted or literal */
bool args_astring(struct args *args, struct word *word_r);	/* or ASTRING-CHARs */
bool args_list_mailbox(struct args *args, struct word *word_r); /* LIST's pattern */
bool args_nstring(struct args *args, struct word *word_r);	/* NIL: at is NULL */

/* "(A B)": a bit for each of the words, by its place among the names.  Returns false also if another word is there. */
bool args_names(struct args *args, const char *const *names, size_t count, unsigned *bits_r);

/* 1 to 10 digits, below 2^32 (64 bits: 1 to 19, below 2^63); nz: not 0. */
bool args_number(struct args *args, uint32_t *number_r);
bool args_nz_number(struct args *args, uint32_t *number_r);
bool args_number64(struct args *args, uint64_t *number_r);

/* The octets of a sequence-set, or "$" alone.  sequence.h parses them. */
bool args_set(struct args *args, struct word *word_r);

/* "1-Feb-1994" (quoted or not; in quotes also " 1-Feb-1994"): days since 1970-01-01. */
bool args_date(struct args *args, int64_t *day_r);
/* " 1-Feb-1994 12:34:56 +0100" in quotes, with or without the blank: seconds since 1970-01-01 UTC. */
bool args_date_time(struct args *args, int64_t *time_r);

/* Whether the word is that text, in any case. */
bool word_is(struct word word, const char *text);

/* The row with that name, in a table of count rows of size octets each; each begins with its name.  NULL:
 * there is none. */
const void *word_row(struct word word, const void *rows, size_t count, size_t size);

#endif
