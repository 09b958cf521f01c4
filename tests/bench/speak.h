/*
 * speak.h: what the benchmark's client says in IMAP and POP3, and what it counts in the answers.
 * Each function returns when all was answered, and ends the program where an answer is wrong.
 */
#ifndef BENCH_SPEAK_H
#define BENCH_SPEAK_H

#include "tests/bench/conn.h"

/* What the answers to one or more commands held. */
struct imap_count {
	uint64_t lines[8];    /* untagged responses, by enum imap_word */
	uint64_t exists;      /* the last EXISTS */
	uint64_t numbers;     /* in SEARCH */
	uint64_t literals;    /* octets in literals */
	uint64_t sum;	      /* of the numbers behind the key */
	uint64_t uidvalidity; /* of OK [UIDVALIDITY n] */
	uint64_t modseq;      /* of OK [HIGHESTMODSEQ n] */
};

enum imap_word { EXISTS, EXPUNGE, FETCH, SEARCH, STATUS, VANISHED, OTHER };

/* An IMAP session; key: sum up the number behind each of these, or NULL. */
struct imap {
	struct conn conn;
	struct imap_count count;
	const char *key;
	const char *word; /* whether this stands in CAPABILITY */
	bool has;
	unsigned sent, answered; /* commands; their tags are their numbers */
	uint64_t literal;	 /* octets of one that are still to come */
	bool inside;		 /* the line at hand goes on a response after a literal */
	bool plus;		 /* a continuation request ends the wait, too */
	bool went_on;		 /* there was one */
	bool literal_plus;	 /* the server has LITERAL+ */
};

void imap_open(struct imap *s, struct target *target, const char *user, const char *password);
void imap_ask(struct imap *s, const char *command);

/* The command once for each of from..to, which stand for its '%', all sent at once. */
void imap_each(struct imap *s, const char *command, unsigned from, unsigned to);
void imap_append(struct imap *s, const char *mailbox, const char *message, size_t len);
void imap_idle(struct imap *s);
void imap_idle_look(struct imap *s);
void imap_done(struct imap *s);
void imap_logout(struct imap *s);

/* A POP3 session, and what its answers held. */
struct pop3 {
	struct conn conn;
	unsigned left; /* answers that are still to come */
	bool multi;    /* they have a body */
	bool body;     /* inside of one */
	uint64_t lines, octets;
	unsigned stat; /* what STAT told */
};

void pop3_open(struct pop3 *s, struct target *target, const char *user, const char *password);
void pop3_ask(struct pop3 *s, const char *command, bool multi);

/* RETR of 1..count, pipelined; octets_r: of the messages, dots unstuffed. */
void pop3_retr(struct pop3 *s, unsigned count, uint64_t *octets_r);
void pop3_quit(struct pop3 *s);

#endif
