/*
 * layer.h: a layer between maildir/ and libc that fails the n-th call into the file system, or kills
 * the process at that call.
 *
 * In a copy of libmaildir.a the calls are named fault_open, fault_read and so on (by objcopy, see the
 * Makefile); layer.c has these functions.  A call that the plan does not name goes to libc unchanged.
 */
#ifndef TESTS_FAULT_LAYER_H
#define TESTS_FAULT_LAYER_H

#include <stdbool.h>
#include <stdint.h>

enum fault_kind {
	FAULT_NONE,   /* only counts the calls */
	FAULT_EIO,    /* the call fails with EIO (a lock with ENOLCK, a mapping with ENOMEM) */
	FAULT_FULL,   /* the call fails with ENOSPC */
	FAULT_FILLED, /* the same, and every later call that needs room on the disk */
	FAULT_FILES,  /* EMFILE, for this call and every later one that opens a file */
	FAULT_SHORT,  /* reads or writes fewer octets than asked for */
	FAULT_TORN,   /* writes a part; the process dies */
	FAULT_DEATH,  /* the process dies before the call */
	FAULT_POWER,  /* the same, and octets that were written without fsync are lost */
	FAULT_MEMORY, /* an allocation fails, once; allocations are counted apart */
	FAULT_KINDS,
};

/* The plan is in memory that processes share, so that it outlives a process that dies. */
struct fault_plan {
	uint32_t kind;	/* enum fault_kind */
	uint32_t armed; /* set last */
	uint32_t
	    at; /* the call to hit, counted from 1 among those that can have this fault; 0: none */
	uint32_t count; /* such calls so far */
	uint32_t happened;
	uint32_t confined; /* the process may not call kill(2): it dies by an illegal instruction */
	char call[32];	   /* the name of the call that was hit */
};

/* Follows the plan from now on (while it is armed), in this process and its children. */
void layer_follow(struct fault_plan *plan);
/* Closes the descriptors that the layer kept for FAULT_POWER. */
void layer_forget(void);
const char *layer_kind(enum fault_kind kind);

#endif
