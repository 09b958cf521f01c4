/*
 * dialogue.c: what POP3 and IMAP share in their dialogues before the login.
 * Runs as: worker.
 */
#include <string.h>

#include "server/worker/dialogue.h"

enum sasl_result
dialogue_sasl(
    struct channel *channel, struct sasl *sasl, size_t max, const char *initial, size_t len)
{
	enum sasl_result result;
	char *line;

	result = initial != NULL ? sasl_feed(sasl, initial, len, true) : sasl_begin(sasl);
	while (result == SASL_MORE) {
		channel_printf(channel, "+ %s\r\n", sasl->challenge);
		if (!channel_line(channel, max, &line, &len))
			return SASL_WRONG;
		result = sasl_feed(sasl, line, len, false);
		explicit_bzero(line, len);
	}
	return result;
}
