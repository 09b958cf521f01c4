/*
 * world.h: a small Maildir and what must be true of it, whatever happened to the processes that worked
 * on it.
 *
 * The messages are numbered; the text of a message follows from its number.  The world is in memory that
 * processes share.  A process that works on the tree notes what it is about to do, and then what it was
 * told.  Another process compares the notes with the tree, even after the death of the first.
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
	WORLD_UIDS = 4096, /* room for the jump of UIDs after a cut dovecot-uidlist */
	WORLD_FLAGS = 6,
	WORLD_KEYWORDS = 32, /* more than a file name has letters for */
	WORLD_TEXT = 128 * 1024,
	WORLD_SOME = 255, /* in told: some message, which could not be read */
};

/* During a step and after its failure both are possible. */
enum maybe {
	IS_NOT,
	IS,
	MAY_BE,
};

struct known {
	uint8_t there; /* enum maybe, as the next two */
	uint8_t flag[WORLD_FLAGS];
	uint8_t keyword[WORLD_KEYWORDS];
};

struct world {
	struct fault_plan plan;
	char path[64];
	char step[32];	       /* the present step */
	unsigned done, failed; /* steps, by what the session was told */
	struct known message[WORLD_FOLDERS][WORLD_MESSAGES];
	uint32_t validity[WORLD_FOLDERS]; /* as the session was told; 0: not yet */
	uint32_t next[WORLD_FOLDERS];
	uint64_t modseq[WORLD_FOLDERS];
	uint8_t told[WORLD_FOLDERS][WORLD_UIDS]; /* the message with that UID, + 1; 0: not told */
};

/* A session that has the Maildir open. */
struct session {
	struct world *world;
	struct maildir *md;
	struct maildir_folder *folder[WORLD_FOLDERS];
};

extern const char *const world_folder[WORLD_FOLDERS];
extern const char *const world_index[]; /* names of the files that are only a cache, up to NULL */

/* Makes the tree, with both folders, in dir. */
void world_make(struct world *world, const char *dir);
void world_remove(struct world *world);
void world_path(const struct world *world, char path_r[PATH_MAX], int folder, const char *name);
_Noreturn void world_die(const char *what, const char *name);
/* Writes the text of a message, with bare LF, to buf of WORLD_TEXT octets.  Returns its length. */
size_t world_text(unsigned id, char *buf);
/* Returns the number of the message with this text, or -1 if the text is not exactly that of one. */
int world_which(const char *text, size_t size);
/* A message is on its way into the folder, by a session or another program; then it arrived, or did not. */
void world_arriving(struct world *world, int folder, unsigned id, uint32_t flags);
/* Another program delivers: a file in new/, or in cur/ with these letters after its name. */
void world_deliver(struct world *world, int folder, unsigned id, const char *letters);
/* Another program gives the file of a message other letters, or removes it (NULL). */
void world_rename(struct world *world, int folder, unsigned id, const char *letters);
void world_forget_index(struct world *world);

/* The name of a keyword; valid until the next call. */
const char *world_keyword(unsigned keyword);

/* The UID that a session was told for a message, or 0. */
uint32_t world_uid(const struct world *world, int folder, unsigned id);

/*
 * Returns what a session shows of all messages, a line each; the caller frees it.  Compares that with what
 * must be true, and with the files.  NULL if anything is wrong, which is on stderr then.
 */
char *world_listing(struct session *session);
/* The same for a new session, which is opened and closed. */
char *world_fresh(struct world *world);
/* Checks all that must hold, whatever happened.  Returns false with the reason on stderr. */
bool world_check(struct world *world);

/* --- steps of a session; 0, or -1 with errno --- */

int session_open(struct session *session, struct world *world);
void session_close(struct session *session);
/* Syncs the folder and notes what it reports. */
int session_sync(struct session *session, int folder);
bool session_has(const struct session *session, int folder, unsigned id);
int session_mark(struct session *session, int folder, unsigned id, uint32_t add, uint32_t remove);
int session_keyword(struct session *session, int folder, unsigned id, unsigned keyword, bool on);
int session_remove(struct session *session, int folder, unsigned id);
/* Appends the messages with these numbers as one set; uids gets their UIDs. */
int session_append(struct session *session, int folder, const unsigned *ids, size_t count,
    uint32_t flags, uint32_t *uids_r);
int session_copy(struct session *session, int from, unsigned id, int to, uint32_t *uid_r);
/* Returns the number of the message with that UID: WORLD_SOME if it cannot be read, -1 if its text is not
 * that of any message. */
int session_id(struct maildir_folder *folder, uint32_t uid);
/* The keywords of the world that the message has, as bits. */
uint32_t session_keywords(struct maildir_folder *folder, const struct maildir_message *message);

/* Facts of a message, computed or from the index. */
struct facts {
	bool failed, newline;
	uint64_t size;
	uint64_t texts; /* a hash of ENVELOPE and so on */
	char id[MAILDIR_ID_SIZE];
	time_t date;
};
void session_facts(struct session *session, int folder, uint32_t uid, struct facts *facts_r);

#endif
