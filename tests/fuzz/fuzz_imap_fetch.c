/*
 * fuzz_imap_fetch.c: the items of a FETCH, parsed and answered from a small Maildir.  The first octet switches
 * UTF-8 on or off.  Every answer must consist of lines, with literals of the announced length and matching
 * parentheses.
 */
#include "tests/fuzz/imap_session.h"

#include "server/imap/fetch.h"

enum { PLAN_MAX = 2048 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_plan(const char *text, size_t len)
{
	char *copy = malloc(len + (len == 0));
	struct args args = {.at = copy, .end = copy + len};
	struct fetch_plan plan;

	assert(copy != NULL);
	memcpy(copy, text, len);
	if (fetch_parse(&args, &plan)) {
		assert(args_end(&args) && (plan.items != 0 || plan.sections > 0));
		assert(plan.sections <= FETCH_SECTIONS_MAX);
	}
	for (size_t i = 0; i < plan.sections; i++) {
		const struct section *section = &plan.section[i];

		assert(section->numbers <= MIME_DEPTH_MAX && !section->label.failed);
		assert(section->fields.count <= FETCH_FIELDS_MAX);
		for (size_t k = 0; k < section->label.len; k++)
			assert(section->label.data[k] >= 0x20 && section->label.data[k] < 0x7f);
	}
	fetch_clear(&plan);
	free(copy);
}

static const char *
skip_quoted(const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++) {
		at += *at == '\\';
		assert(at < end && *at != '\r' && *at != '\n' && *at != '\0');
		assert((*at & 0x80) == 0 || imap_utf8(&session));
	}
	assert(at < end);
	return at + 1;
}

/* "{5}\r\nhello"; a "{" that is nothing of the kind (in an atom) is not told by us. */
static const char *
skip_literal(const char *at, const char *end, bool binary)
{
	unsigned long long len = 0;

	for (at++; at < end && *at >= '0' && *at <= '9'; at++)
		len = len * 10 + (unsigned long long)(*at - '0');
	assert(end - at >= 3 && memcmp(at, "}\r\n", 3) == 0);
	at += 3;
	assert(len <= (unsigned long long)(end - at));
	assert(binary || memchr(at, '\0', len) == NULL);
	return at + len;
}

static void
check_answer(const char *at, const char *end)
{
	while (at < end) {
		int depth = 0;

		assert(end - at > 2 && memcmp(at, "* ", 2) == 0);
		while (*at != '\r') {
			if (*at == '"') {
				at = skip_quoted(at, end);
			} else if (*at == '{') {
				at = skip_literal(at, end, at[-1] == '~');
			} else {
				depth += *at == '(' || *at == '['   ? 1
					 : *at == ')' || *at == ']' ? -1
								    : 0;
				assert(depth >= 0 && *at >= 0x20 && *at < 0x7f);
				at++;
			}
			assert(at < end);
		}
		assert(depth == 0 && end - at >= 2 && at[1] == '\n');
		at += 2;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char set[] = " 1:* ";
	char command[PLAN_MAX + sizeof(set)];

	if (size < 1 || size - 1 > PLAN_MAX)
		return 0;
	session_begin();
	session.utf8_accept = (data[0] & 1) != 0;
	memcpy(command, set, sizeof(set) - 1);
	memcpy(command + sizeof(set) - 1, data + 1, size - 1);
	check_plan(command + sizeof(set) - 1, size - 1);
	session.command_flags = BY_UID;
	(void)session_run(run_fetch, command, sizeof(set) - 1 + size - 1);
	if (answered.len > 0)
		check_answer(answered.data, answered.data + answered.len);
	return 0;
}
