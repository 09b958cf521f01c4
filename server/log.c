/*
 * log.c: makes log lines, sends them to the log process, and turns them into text there.
 * Runs as: every process.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/log.h"

enum { DOTS = 3 }; /* octets of "..." */

static bool direct = true; /* lines go to standard error */
static int channel = -1;
static uint32_t lost; /* lines that found no room; the log process does not know of them */
static uint32_t connection;
static char client[LOG_ADDRESS_MAX];
static unsigned client_port;

void
log_use_channel(int fd)
{
	/* What a parent lost is its own to tell; without a channel before, it is this process's. */
	if (channel != -1)
		lost = 0;
	direct = false;
	channel = fd;
}

int
log_fd(void)
{
	return channel;
}

void
log_count_lost(void)
{
	lost++;
}

void
log_set_connection(uint32_t id, const char *address, unsigned port)
{
	connection = id;
	client_port = port;
	(void)snprintf(client, sizeof(client), "%s", id != 0 ? address : "");
}

/* --- a line --- */

void
log_begin(struct log_line *line, enum log_level level, const char *module, const char *event)
{
	struct ipc_message *m = &line->message;

	ipc_begin(m, IPC_LOG_LINE);
	ipc_put_u8(m, (uint8_t)level);
	ipc_put_u32(m, connection);
	ipc_put_string(m, client);
	ipc_put_u16(m, (uint16_t)client_port);
	ipc_put_string(m, module);
	ipc_put_string(m, event);
}

static void
put_pair(struct log_line *line, const char *key, const char *value, size_t max)
{
	char cut[LOG_VALUE_MAX + DOTS];
	size_t len = strnlen(value, max + 1), room = IPC_MAX - line->message.len;

	if (len > max) {
		memcpy(cut, value, max);
		memcpy(cut + max, "...", DOTS);
		value = cut;
		len = max + DOTS;
	}
	/* Each has two octets for its length.  The text of so long a line would be cut before this pair. */
	if (strlen(key) + len + 4 > room)
		return;
	ipc_put_string(&line->message, key);
	ipc_put_bytes(&line->message, value, len);
}

void
log_text(struct log_line *line, const char *key, const char *value)
{
	put_pair(line, key, value, LOG_VALUE_MAX);
}

void
log_client(struct log_line *line, const char *key, const char *value)
{
	put_pair(line, key, value, LOG_CLIENT_MAX);
}

void
log_number(struct log_line *line, const char *key, long long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", value);
	put_pair(line, key, text, sizeof(text));
}

/* For commands that a person types, and for master before the log process runs. */
static void
write_directly(struct log_line *line)
{
	const struct log_writer writer = {.role = NULL};
	struct log_text text;

	if (!log_format(line, &writer, &text))
		return;
	text.text[text.len++] = '\n'; /* in place of the NUL */
	(void)!write(STDERR_FILENO, text.text, text.len);
}

void
log_tell_lost(void)
{
	struct log_line line;

	if (lost == 0 || channel == -1)
		return;
	log_begin(&line, LOG_WARN, "log", "lost");
	log_number(&line, "lines", lost);
	if (ipc_post(channel, &line.message, NULL, 0) == 0)
		lost = 0;
}

void
log_end(struct log_line *line)
{
	int saved = errno;

	log_tell_lost();
	if (direct)
		write_directly(line);
	else if (channel == -1 || ipc_post(channel, &line->message, NULL, 0) == -1)
		lost++;
	errno = saved;
}

void
log_pairs(enum log_level level, const char *module, const char *event, ...)
{
	struct log_line line;
	const char *key;
	va_list ap;

	log_begin(&line, level, module, event);
	va_start(ap, event);
	while ((key = va_arg(ap, const char *)) != NULL)
		log_text(&line, key, va_arg(ap, const char *));
	va_end(ap);
	log_end(&line);
}

/* --- its text --- */

static void
put(struct log_text *line, const char *text)
{
	size_t len = strlen(text);

	if (len > sizeof(line->text) - 1 - line->len)
		len = sizeof(line->text) - 1 - line->len;
	memcpy(line->text + line->len, text, len);
	line->len += len;
	line->text[line->len] = '\0';
}

static void
put_octet(struct log_text *line, unsigned char c)
{
	char text[8];

	if (c == '"' || c == '\\')
		snprintf(text, sizeof(text), "\\%c", c);
	else if (c < 0x20 || c > 0x7e)
		snprintf(text, sizeof(text), "\\x%02x", c);
	else
		snprintf(text, sizeof(text), "%c", c);
	put(line, text);
}

static void
put_value(struct log_text *line, const char *key, const char *value)
{
	bool quoted = value[0] == '\0' || value[strcspn(value, " \"\\=")] != '\0';

	put(line, " ");
	put(line, key);
	put(line, quoted ? "=\"" : "=");
	for (; *value != '\0'; value++)
		put_octet(line, (unsigned char)*value);
	if (quoted)
		put(line, "\"");
}

/* A module, an event or a key. */
static bool
get_word(struct ipc_message *message, char word_r[LOG_WORD_MAX + 1])
{
	ipc_get_string(message, word_r, LOG_WORD_MAX + 1);
	return word_r[0] != '\0' &&
	       word_r[strspn(word_r, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

/* Whose line it is: the connection as master names it, in its own lines or for a channel. */
static void
put_writer(struct log_text *text, uint32_t id, const char *role)
{
	char word[16] = "-";

	if (id != 0)
		(void)snprintf(word, sizeof(word), "%08x", (unsigned)id);
	put(text, word);
	if (role != NULL) {
		put(text, "/");
		put(text, role);
	}
}

static void
put_address(struct log_text *text, const char *address, unsigned port)
{
	char number[16];

	if (address == NULL || address[0] == '\0')
		return;
	put_value(text, "rip", address);
	(void)snprintf(number, sizeof(number), "%u", port);
	put_value(text, "rport", number);
}

/* Returns whether a process may write that key.  Addresses come from master only. */
static bool
allowed(const struct log_writer *writer, const char *key, bool is_user)
{
	if (writer->role == NULL)
		return true;
	if (is_user)
		return writer->names_user;
	return strcmp(key, "rip") != 0 && strcmp(key, "rport") != 0 && strcmp(key, "lip") != 0;
}

/* The pairs of a line, with the address after the user or else first. */
static bool
put_pairs(struct ipc_message *m, const struct log_writer *writer, const char *address,
    unsigned port, struct log_text *text)
{
	char key[LOG_WORD_MAX + 1], value[LOG_VALUE_MAX + DOTS + 1];
	bool addressed = false;

	if (writer->user != NULL)
		put_value(text, "user", writer->user);
	while (m->at < m->len) {
		bool is_user;

		if (!get_word(m, key))
			return false;
		ipc_get_string(m, value, sizeof(value));
		is_user = strcmp(key, "user") == 0;
		if (m->bad || !allowed(writer, key, is_user))
			return false;
		if (is_user && writer->user != NULL)
			continue;
		if (!is_user && !addressed) {
			put_address(text, address, port);
			addressed = true;
		}
		put_value(text, key, value);
	}
	if (!addressed)
		put_address(text, address, port);
	return !m->bad;
}

bool
log_format(struct log_line *line, const struct log_writer *writer, struct log_text *text_r)
{
	struct ipc_message *m = &line->message;
	char address[LOG_ADDRESS_MAX], module[LOG_WORD_MAX + 1], event[LOG_WORD_MAX + 1];
	bool master = writer->role == NULL;
	unsigned level, port;
	uint32_t id;

	text_r->len = 0;
	text_r->text[0] = '\0';
	if (ipc_open(m) != IPC_LOG_LINE)
		return false;
	level = ipc_get_u8(m);
	id = ipc_get_u32(m);
	ipc_get_string(m, address, sizeof(address));
	port = ipc_get_u16(m);
	if (level > LOG_NOTE || !get_word(m, module) || !get_word(m, event))
		return false;
	text_r->level = level;
	put_writer(text_r, master ? id : writer->id, writer->role);
	put(text_r, " ");
	put(text_r, module);
	put(text_r, " ");
	put(text_r, event);
	return put_pairs(
	    m, writer, master ? address : writer->address, master ? port : writer->port, text_r);
}

_Noreturn void
fatal(const char *module, const char *what)
{
	log_event(LOG_ERROR, module, "fatal", "what", what, "error", strerror(errno));
	_exit(EXIT_FAILURE);
}

_Noreturn void
fatalx(const char *module, const char *what)
{
	log_event(LOG_ERROR, module, "fatal", "what", what);
	_exit(EXIT_FAILURE);
}

_Noreturn void
bug(const char *what)
{
	log_event(LOG_ERROR, "bug", "fatal", "what", what);
	_exit(EXIT_FAILURE);
}
