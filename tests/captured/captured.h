/*
 * captured.h: attacks from inside.  build/captured/sallyport is the program with a hole in it: a client's line
 * "CAPTURED name arguments" has the process that reads it run the attack of that name, with the uid, the root
 * directory, the filters and the limits that the process has at that moment.
 *
 * A new attack is a function in a file of this folder, and CAPTURED_ATTACK(name, function) below it.
 */
#ifndef TESTS_CAPTURED_CAPTURED_H
#define TESTS_CAPTURED_CAPTURED_H

#include "server/channel.h"

struct worker;
struct reader;

/*
 * An attack.  channel: the client's, through which captured_say answers.  arguments: the rest of the line, "" if
 * none.  An attack that a filter kills does not return, and the connection ends without the last line.
 */
typedef void captured_attack(struct channel *channel, char *arguments);

struct captured_row {
	const char *name;
	captured_attack *run;
	struct captured_row *next;
};

void captured_add(struct captured_row *row);

#define CAPTURED_ATTACK(name, function)                                                            \
	__attribute__((constructor)) static void add_##function(void)                              \
	{                                                                                          \
		static struct captured_row row = {name, function, 0};                              \
                                                                                                   \
		captured_add(&row);                                                                \
	}

/* Runs the attack of a line, "name arguments". */
void captured_run(struct channel *channel, char *line);

/* One line of the answer, without its CRLF.  It is sent at once, since the next step may be the last. */
void captured_say(struct channel *channel, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The answer to a system call that should fail: "label: done", or "label: " and the name of errno. */
void captured_say_result(struct channel *channel, const char *label, long result);

/* The process's whole state.  Before the login the process is a worker, after it a reader; the attacker knows. */
struct worker *captured_worker(struct channel *channel);
struct reader *captured_reader(struct channel *channel);

#endif
