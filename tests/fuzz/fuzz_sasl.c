/*
 * fuzz_sasl.c: SASL dialogues.  The first octet chooses the mechanism and whether there is an initial response;
 * the rest is fed line by line.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/sasl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold after every line, whatever it was. */
static void
check(const struct sasl *sasl, enum sasl_result result)
{
	size_t name = strnlen(sasl->name, sizeof(sasl->name));
	size_t password = strnlen(sasl->password, sizeof(sasl->password));

	assert(name < sizeof(sasl->name) && password < sizeof(sasl->password));
	assert(sasl->challenge != NULL);
	if (result == SASL_DONE)
		assert(name > 0 && password > 0);
	else
		assert(password == 0);
	if (result == SASL_WRONG || result == SASL_CANCEL)
		assert(name == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum sasl_result result = SASL_MORE;
	struct sasl sasl;
	bool initial;

	if (size < 1 || sasl_start(&sasl, (data[0] & 1) != 0 ? "plain" : "LOGIN") != 0)
		return 0;
	initial = (data[0] & 2) != 0;
	if (!initial)
		result = sasl_begin(&sasl);
	data++;
	size--;
	while (size > 0) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t len = end != NULL ? (size_t)(end - data) : size;
		/* A copy of just that size, so that reading beyond it is seen. */
		char *line = malloc(len > 0 ? len : 1);

		if (line == NULL)
			return 0;
		memcpy(line, data, len);
		if (result == SASL_MORE) {
			result = sasl_feed(&sasl, line, len, initial);
			check(&sasl, result);
		} else {
			/* A dialogue that has ended takes nothing more. */
			assert(sasl_feed(&sasl, line, len, initial) == SASL_WRONG);
		}
		free(line);
		initial = false;
		len += end != NULL;
		data += len;
		size -= len;
	}
	sasl_clear(&sasl);
	return 0;
}
