/*
 * fuzz_conf.c: the configuration parser.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_complaints complaints;
	struct conf *conf;
	char *text = malloc(size + 1); /* exact, so that an octet beyond is seen */

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	conf = conf_parse(text, size, &complaints);
	if ((conf == NULL) != (complaints.len > 0))
		abort();
	conf_free(&conf);
	free(text);
	return 0;
}
