/*
 * fuzz_imap_utf7.c: names of mailboxes: any octets as modified UTF-7 and as UTF-8.  A name that one encoding
 * accepts must survive the way through the other.  A name that becomes the name of a folder must be possible
 * in a Maildir, and must be the same when the client sends it back.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "maildir/folder/foldername.h"
#include "maildir/message/charset.h"
#include "server/imap/name.h"

enum { OUT_MAX = 4096, PART_MAX = 200, FOLDER_MAX = 254 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef enum utf7 converter(const char *text, size_t len, char *out, size_t size);

static void
there_and_back(converter *there, converter *back, const char *text, size_t len)
{
	static char out[OUT_MAX], again[OUT_MAX];
	char *exact;
	size_t out_len;

	if (there(text, len, out, sizeof(out)) != UTF7_OK)
		return;
	out_len = strlen(out);
	assert(back(out, out_len, again, sizeof(again)) == UTF7_OK);
	assert(strlen(again) == len && memcmp(again, text, len) == 0);
	exact = malloc(out_len + 1);
	assert(exact != NULL);
	assert(there(text, len, exact, out_len) == UTF7_LONG);
	assert(there(text, len, exact, out_len + 1) == UTF7_OK);
	free(exact);
}

static void
check_folder(const char *folder)
{
	size_t len = strlen(folder), part;

	assert(len > 0 && len <= FOLDER_MAX);
	for (const char *at = folder; *at != '\0'; at++)
		assert(*at >= 0x20 && *at < 0x7f && *at != '.');
	for (const char *at = folder;; at += part + 1) {
		part = strcspn(at, "/");
		assert(part > 0 && part <= PART_MAX);
		if (at[part] == '\0')
			break;
	}
	if (strncasecmp(folder, "INBOX", 5) == 0 && (folder[5] == '/' || folder[5] == '\0'))
		assert(memcmp(folder, "INBOX", 5) == 0);
}

static void
check_name(const char *name, size_t len, bool utf8)
{
	char folder[IMAP_NAME_MAX], client[IMAP_NAME_MAX], again[IMAP_NAME_MAX];

	if (imap_name_folder(name, len, utf8, folder) != NULL)
		return;
	check_folder(folder);
	for (int i = 0; i < 2; i++) {
		imap_name_client(folder, i != 0, client);
		assert(imap_name_folder(client, strlen(client), i != 0, again) == NULL);
		assert(strcmp(folder, again) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[FOLDERNAME_SIZE], again[FOLDERNAME_SIZE];
	/* Exactly as large: a look past the end is found. */
	char *text = malloc(size > 0 ? size : 1);

	assert(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	there_and_back(utf7_decode, utf7_encode, text, size);
	there_and_back(utf7_encode, utf7_decode, text, size);
	check_name(text, size, false);
	check_name(text, size, true);
	free(text);
	text = strndup((const char *)data, size);
	assert(text != NULL);
	/* What other programs write into the Maildir: a name that is one, and means itself. */
	if (foldername_guess(text, name) == FOLDERNAME_OK) {
		check_folder(name);
		assert(foldername_guess(name, again) == FOLDERNAME_OK);
		assert(strcmp(name, again) == 0);
		check_name(name, strlen(name), false);
	}
	free(text);
	return 0;
}
