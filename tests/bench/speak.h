/*
 * speak.h: the commands of the benchmark's client in IMAP and POP3, and what it counts in the answers.
 * Each function returns when all commands are answered, and ends the program if an answer is wrong.
 */
#ifndef BENCH_SPEAK_H
#define BENCH_SPEAK_H

#include "tests/bench/conn.h"

/* What the answers to one or more commands contained. */
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

/* An IMAP session.  key: add up the numbers that follow this word, or NULL. */
struct imap {
	struct conn conn;
	struct imap_count count;
	const char *key;
	const char *word; /* look for this word in CAPABILITY, or NULL */
	bool has;
	unsigned sent, answered; /* commands; their tags are their numbers */
	uint64_t literal;	 /* octets of a literal that are still to come */
	bool inside;		 /* this line continues a response after a literal */
	bool plus;		 /* a continuation request also ends the wait */
	bool went_on;		 /* a continuation request came */
	bool literal_plus;	 /* the server has LITERAL+ */
};

void imap_open(struct imap *s, struct target *target, const char *user, const char *password);
void imap_ask(struct imap *s, const char *command);

/* Sends the command once for each number in from..to, which replaces its '%', all at once. */
void imap_each(struct imap *s, const char *command, unsigned from, unsigned to);
void imap_append(struct imap *s, const char *mailbox, const char *message, size_t len);
void imap_idle(struct imap *s);
void imap_idle_look(struct imap *s);
void imap_done(struct imap *s);
void imap_logout(struct imap *s);

/* A POP3 session, and what its answers contained. */
struct pop3 {
	struct conn conn;
	unsigned left; /* answers that are still to come */
	bool multi;    /* they have a body */
	bool body;     /* inside a body */
	uint64_t lines, octets;
	unsigned stat; /* messages in STAT's answer */
};

void pop3_open(struct pop3 *s, struct target *target, const char *user, const char *password);
void pop3_ask(struct pop3 *s, const char *command, bool multi);

/* RETR of 1..count, pipelined; octets_r: of the messages, dots unstuffed. */
void pop3_retr(struct pop3 *s, unsigned count, uint64_t *octets_r);
void pop3_quit(struct pop3 *s);

#endif
