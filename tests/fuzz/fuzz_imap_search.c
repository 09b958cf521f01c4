/*
 * fuzz_imap_search.c: searches, parsed and run on a small Maildir.  The first octet chooses a charset; the rest
 * are the keys.  Each message must match either a search or its opposite.
 */
#include "tests/fuzz/imap_session.h"

enum { KEYS_MAX = 8192 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The UIDs that a search finds; what "$" stands for is the same in each.  false: it is refused. */
static bool
search(const char *prefix, const uint8_t *keys, size_t len, const char *suffix,
    struct sequence *found_r)
{
	struct mdbuf command = {0};
	enum command_result result;

	session_begin();
	session.condstore = true; /* else the first MODSEQ tells HIGHESTMODSEQ */
	mdbuf_addf(&command, " RETURN (SAVE) %s", prefix);
	mdbuf_add(&command, keys, len);
	mdbuf_addf(&command, "%s", suffix);
	assert(!command.failed);
	sequence_clear(&session.saved);
	sequence_add(&session.saved, 2);
	sequence_add(&session.saved, 5);
	session.command_flags = BY_UID;
	result = session_run(run_search, command.data, command.len);
	mdbuf_clear(&command);
	assert(answered.len == 0); /* SAVE alone tells nothing */
	*found_r = session.saved;
	memset(&session.saved, 0, sizeof(session.saved));
	return result == COMMAND_OK;
}

/* The same by number, told as SEARCH's and as ESEARCH's answer. */
static void
tell(const char *charset, const uint8_t *keys, size_t len, const char *returned)
{
	struct mdbuf command = {0};

	session_begin();
	mdbuf_addf(&command, "%s %s", returned, charset);
	mdbuf_add(&command, keys, len);
	session.command_flags = BY_NUMBER;
	assert(session_run(run_search, command.data, command.len) == COMMAND_OK);
	assert(answered.len > 2 && memcmp(answered.data, "* ", 2) == 0);
	assert(memchr(answered.data, '\n', answered.len) == answered.data + answered.len - 1);
	mdbuf_clear(&command);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const charsets[] = {"", "CHARSET utf-8 ", "CHARSET iso-8859-1 ",
	    "CHARSET utf-7 ", "CHARSET iso-2022-jp ", "CHARSET utf-16 ", "CHARSET gb18030 ",
	    "CHARSET no "};
	const char *charset;
	char prefix[64];
	struct sequence yes, no;

	if (size < 1 || size > KEYS_MAX)
		return 0;
	charset = charsets[data[0] % (sizeof(charsets) / sizeof(charsets[0]))];
	data++;
	size--;
	if (search(charset, data, size, "", &yes)) {
		(void)snprintf(prefix, sizeof(prefix), "%sNOT (", charset);
		/* One that is deep or large already may be refused then. */
		if (search(prefix, data, size, ")", &no))
			for (uint32_t uid = 1; uid <= SESSION_MAIL; uid++)
				assert(sequence_has(&yes, uid) != sequence_has(&no, uid));
		sequence_clear(&no);
		tell(charset, data, size, "");
		tell(charset, data, size, " RETURN (MIN MAX COUNT ALL)");
	}
	sequence_clear(&yes);
	return 0;
}
