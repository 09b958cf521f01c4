/*
 * mapping.c: maps a file that other programs may shorten at any time.
 * Runs as: mail user.
 *
 * The first mapping installs the process's handler of SIGBUS.  The handler looks the address up in a table of all
 * mappings, puts a page of zeros there and goes on.  A SIGBUS at any other address gets the default action, and ends
 * the process.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "maildir/base/mapping.h"

/* A folder has three, and a session two or three folders open at once.  With no slot free a file is not mapped
 * (EMFILE), and the session does without the mapping. */
#define MAPPINGS_MAX 64

static struct {
	volatile uintptr_t at, end; /* 0: free */
	volatile sig_atomic_t broken;
} table[MAPPINGS_MAX];

static uintptr_t page_size;

static void
on_bus_error(int signal_number, siginfo_t *info, void *context)
{
	uintptr_t address = (uintptr_t)info->si_addr;
	int saved = errno;

	(void)context;
	for (size_t i = 0; i < MAPPINGS_MAX; i++) {
		if (address < table[i].at || address >= table[i].end)
			continue;
		table[i].broken = 1;
		address &= ~(page_size - 1);
		if (mmap((void *)address, page_size, PROT_READ,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			break;
		errno = saved;
		return;
	}
	(void)signal(
	    signal_number, SIG_DFL); /* the instruction is tried again, and that is the end */
	errno = saved;
}

static int
handler_install(void)
{
	struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};

	if (page_size != 0)
		return 0;
	sigemptyset(&action.sa_mask);
	if (sigaction(SIGBUS, &action, NULL) < 0)
		return -1;
	page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
	return 0;
}

int
mapping_open(struct mapping *mapping, int fd, size_t size)
{
	void *at;

	memset(mapping, 0, sizeof(*mapping));
	if (handler_install() < 0)
		return -1;
	for (int i = 0; i < MAPPINGS_MAX; i++) {
		if (table[i].at != 0)
			continue;
		at = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
		if (at == MAP_FAILED)
			return -1;
		mapping->at = at;
		mapping->size = size;
		mapping->slot = i;
		table[i].broken = 0;
		table[i].end = (uintptr_t)at + size;
		table[i].at = (uintptr_t)at;
		return 0;
	}
	errno = EMFILE;
	return -1;
}

void
mapping_hold(struct mapping *mapping, char *memory, size_t size)
{
	*mapping = (struct mapping){memory, size, -1};
}

void
mapping_close(struct mapping *mapping)
{
	if (mapping->at == NULL)
		return;
	if (mapping->slot < 0) {
		free((char *)(uintptr_t)mapping->at);
	} else {
		table[mapping->slot].at = 0;
		(void)munmap((void *)(uintptr_t)mapping->at, mapping->size);
	}
	memset(mapping, 0, sizeof(*mapping));
}

bool
mapping_broken(const struct mapping *mapping)
{
	return mapping->at != NULL && mapping->slot >= 0 && table[mapping->slot].broken != 0;
}
