/*
 * world.h: a small Maildir of which it is known what must be true, whatever happened to those who
 * worked on it.
 *
 * The messages are numbered; a message's text follows from its number.  The world is in memory that
 * processes share: one that works on the tree writes down what it is about to do, and then what it was
 * told; another, after its death, compares that with the tree.
 */
#ifndef TESTS_FAULT_WORLD_H
#define TESTS_FAULT_WORLD_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "maildir/maildir.h"
#include "tests/fault/layer.h"

enum {
	WORLD_FOLDERS = 2, /* INBOX and Work */
	WORLD_MESSAGES = 24,
	WORLD_UIDS = 4096, /* a cut dovecot-uidlist makes the next UID jump */
	WORLD_FLAGS = 6,
	WORLD_KEYWORDS = 32, /* more than a file name has letters for */
	WORLD_TEXT = 128 * 1024,
	WORLD_SOME = 255, /* in told: a message that could not be read */
};

/* While something is being done, and after it failed, it may be so or not. */
enum maybe {
	IS_NOT,
	IS,
	MAY_BE,
};

struct known {
	uint8_t there; /* enum maybe, and these too */
	uint8_t flag[WORLD_FLAGS];
	uint8_t keyword[WORLD_KEYWORDS];
};

struct world {
	struct fault_plan plan;
	char path[64];
	char step[32];	       /* what is being done */
	unsigned done, failed; /* steps that were said to be */
	struct known message[WORLD_FOLDERS][WORLD_MESSAGES];
	uint32_t validity[WORLD_FOLDERS]; /* as they were told, 0: not yet */
	uint32_t next[WORLD_FOLDERS];
	uint64_t modseq[WORLD_FOLDERS];
	uint8_t told[WORLD_FOLDERS][WORLD_UIDS]; /* the message behind a UID + 1, 0: not told */
};

/* Somebody who has the Maildir open. */
struct session {
	struct world *world;
	struct maildir *md;
	struct maildir_folder *folder[WORLD_FOLDERS];
};

extern const char *const world_folder[WORLD_FOLDERS];
extern const char *const world_index[]; /* the files that are only a cache; NULL ends it */

/* Makes the tree, with both folders; in dir. */
void world_make(struct world *world, const char *dir);
void world_remove(struct world *world);
void world_path(const struct world *world, char path_r[PATH_MAX], int folder, const char *name);
_Noreturn void world_die(const char *what, const char *name);
/* The text of a message with bare LF, in buf of WORLD_TEXT octets; its length. */
size_t world_text(unsigned id, char *buf);
/* Which message this is, or -1 when it is none to the last octet. */
int world_which(const char *text, size_t size);
/* A message is being put into the folder, by whoever; and it was, or was not. */
void world_arriving(struct world *world, int folder, unsigned id, uint32_t flags);
/* What another program does: a file in new/, or in cur/ with these letters behind its name. */
void world_deliver(struct world *world, int folder, unsigned id, const char *letters);
/* It gives the message's file other letters, or (NULL) removes it. */
void world_rename(struct world *world, int folder, unsigned id, const char *letters);
void world_forget_index(struct world *world);

/* The name of a keyword, until the next call. */
const char *world_keyword(unsigned keyword);

/* The UID that was told for a message, or 0. */
uint32_t world_uid(const struct world *world, int folder, unsigned id);

/*
 * What a session says of all messages, a line each, malloc'd; NULL: it has told on stderr what is
 * wrong.  It compares that with what must be true, and with the files.
 */
char *world_listing(struct session *session);
/* The same of a new session, opened and closed. */
char *world_fresh(struct world *world);
/* All that must hold after whatever happened; false, and why on stderr. */
bool world_check(struct world *world);

/* --- what a session does; 0, or -1 with errno --- */

int session_open(struct session *session, struct world *world);
void session_close(struct session *session);
/* Syncs the folder and notes what it says. */
int session_sync(struct session *session, int folder);
bool session_has(const struct session *session, int folder, unsigned id);
int session_mark(struct session *session, int folder, unsigned id, uint32_t add, uint32_t remove);
int session_keyword(struct session *session, int folder, unsigned id, unsigned keyword, bool on);
int session_remove(struct session *session, int folder, unsigned id);
/* The messages with these numbers as one set, with its UIDs. */
int session_append(struct session *session, int folder, const unsigned *ids, size_t count,
    uint32_t flags, uint32_t *uids_r);
int session_copy(struct session *session, int from, unsigned id, int to, uint32_t *uid_r);
/* Which message has that UID: WORLD_SOME when it cannot be read, -1 when its octets are not those of
 * any. */
int session_id(struct maildir_folder *folder, uint32_t uid);
/* Those of the world's keywords that it has, as bits. */
uint32_t session_keywords(struct maildir_folder *folder, const struct maildir_message *message);

/* What a message's text and file tell, computed or remembered. */
struct facts {
	bool failed, newline;
	uint64_t size;
	uint64_t texts; /* ENVELOPE and so on, as a sum */
	char id[MAILDIR_ID_SIZE];
	time_t date;
};
void session_facts(struct session *session, int folder, uint32_t uid, struct facts *facts_r);

#endif
