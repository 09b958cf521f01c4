/*
 * layer.h: a layer between maildir/ and libc that fails the n-th call into the file system, or kills
 * the process there.
 *
 * A copy of libmaildir.a has its calls named fault_open, fault_read and so on (objcopy, see the
 * Makefile); layer.c has these.  What a plan does not touch goes to libc unchanged.
 */
#ifndef TESTS_FAULT_LAYER_H
#define TESTS_FAULT_LAYER_H

#include <stdbool.h>
#include <stdint.h>

enum fault_kind {
	FAULT_NONE,   /* only counts */
	FAULT_EIO,    /* the call fails with EIO (a lock with ENOLCK, a mapping with ENOMEM) */
	FAULT_FULL,   /* the call fails with ENOSPC */
	FAULT_FILLED, /* and all from there on that need room */
	FAULT_FILES,  /* EMFILE, from there on whenever a file is opened */
	FAULT_SHORT,  /* reads or writes a part of what was asked for */
	FAULT_TORN,   /* writes a part and dies */
	FAULT_DEATH,  /* dies before the call */
	FAULT_POWER,  /* and what was written and not fsynced is lost */
	FAULT_MEMORY, /* there is no memory, once; these calls are counted apart */
	FAULT_KINDS,
};

/* In memory that the processes share, so that it outlives the one that dies. */
struct fault_plan {
	uint32_t kind;	/* enum fault_kind */
	uint32_t armed; /* set last */
	uint32_t at;	/* which call, from 1, of those that the kind can happen to; 0: none */
	uint32_t count; /* of such calls so far */
	uint32_t happened;
	uint32_t confined; /* the process may not call kill(2): it dies of an instruction */
	char call[32];	   /* the name of the one it happened to */
};

/* Follows the plan from now on (while it is armed), in this process and its children. */
void layer_follow(struct fault_plan *plan);
/* Lets go of what it kept for FAULT_POWER. */
void layer_forget(void);
const char *layer_kind(enum fault_kind kind);

#endif
