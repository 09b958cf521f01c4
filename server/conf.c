/*
 * conf.c: the configuration: what a value may be, the table of settings, and the lines of the file.
 * Runs as: root (master), or the user who types `sallyport check`.
 *
 * The format: one setting a line, "name = value", with blanks around both ignored.  A line whose first
 * octet other than a blank is "#" is a comment.  A setting that may be repeated adds to a list.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "maildir/base/number.h"
#include "server/conf.h"
#include "server/protocol.h"

/* The parser's position. */
struct place {
	struct conf *conf;
	struct conf_complaints *complaints;
	unsigned line;
};

struct setting {
	const char *name;
	/* Checks a value and stores it, or complains; a list splits the value in place. */
	void (*set)(struct place *place, const struct setting *s, char *value);
	size_t offset;	      /* of the field in struct conf */
	const char *standard; /* the default as in the file, or NULL */
	int64_t min, max;     /* set_number; set_duration in ms; set_octets */
	const char *words;    /* set_word: "system file", numbered from 0 */
	/* set_listen: the usual port, and what is spoken there */
	unsigned port;
	const struct protocol *protocol;
	bool tls;
};

static void __attribute__((format(printf, 2, 3)))
complain(struct place *place, const char *format, ...)
{
	struct conf_complaints *c = place->complaints;
	va_list ap;

	if (c->len == CONF_COMPLAINTS_MAX)
		return;
	c->list[c->len].line = place->line;
	va_start(ap, format);
	vsnprintf(c->list[c->len].text, sizeof(c->list[c->len].text), format, ap);
	va_end(ap);
	c->len++;
}

/* --- what a value may be --- */

static void *
field(struct place *place, const struct setting *s)
{
	return (char *)place->conf + s->offset;
}

struct units {
	const char *what, *letters; /* a number without a letter has the first unit */
	int64_t factors[3];
	int64_t scale; /* of the bounds in a complaint */
	const char *suffix;
};

/* A number within the setting's bounds, followed by one of the units or none. */
static void
set_with_units(
    struct place *place, const struct setting *s, const char *value, const struct units *units)
{
	const char *unit = NULL;
	uint64_t number = 0;
	size_t digits = number_read(value, strlen(value), INT64_MAX, &number);
	int64_t n = -1;

	if (digits > 0 && value[digits] == '\0')
		unit = units->letters;
	else if (digits > 0 && value[digits + 1] == '\0')
		unit = strchr(units->letters, value[digits]);
	if (unit != NULL && (int64_t)number <= INT64_MAX / units->factors[unit - units->letters])
		n = (int64_t)number * units->factors[unit - units->letters];
	if (n == -1 || n < s->min || n > s->max)
		complain(place,
		    "%s: \"%.60s\" is not a %s from %lld%s to %lld%s; the default is %s", s->name,
		    value, units->what, (long long)(s->min / units->scale), units->suffix,
		    (long long)(s->max / units->scale), units->suffix, s->standard);
	else
		memcpy(field(place, s), &n, sizeof(n));
}

static void
set_number(struct place *place, const struct setting *s, char *value)
{
	static const struct units plain = {"number", " ", {1}, 1, ""};

	set_with_units(place, s, value, &plain);
}

static void
set_duration(struct place *place, const struct setting *s, char *value)
{
	static const struct units times = {
	    "time (such as 30s, 10m, 2h)", "smh", {1000, 60000, 3600000}, 1000, "s"};

	set_with_units(place, s, value, &times);
}

static void
set_octets(struct place *place, const struct setting *s, char *value)
{
	static const struct units sizes = {"size (such as 64M)", "BKM", {1, 1024, 1048576}, 1, ""};

	set_with_units(place, s, value, &sizes);
}

static void
set_bool(struct place *place, const struct setting *s, char *value)
{
	bool yes = strcmp(value, "yes") == 0;

	if (!yes && strcmp(value, "no") != 0)
		complain(place, "%s: write yes or no, not \"%.60s\"", s->name, value);
	else
		memcpy(field(place, s), &yes, sizeof(yes));
}

static void
set_text(struct place *place, const struct setting *s, char *value)
{
	char **text = field(place, s);

	free(*text);
	*text = strdup(value);
	if (*text == NULL)
		complain(place, "%s: out of memory", s->name);
}

static void
set_path(struct place *place, const struct setting *s, char *value)
{
	if (value[0] == '/')
		set_text(place, s, value);
	else
		complain(place,
		    "%s: \"%.60s\" is not an absolute path; write one that begins with /", s->name,
		    value);
}

static void
set_word(struct place *place, const struct setting *s, char *value)
{
	const char *at = s->words;
	size_t len;
	int n = 0;

	for (; *at != '\0'; at += len + (at[len] == ' '), n++) {
		len = strcspn(at, " ");
		if (strlen(value) == len && memcmp(at, value, len) == 0) {
			memcpy(field(place, s), &n, sizeof(n));
			return;
		}
	}
	complain(place, "%s: \"%.60s\" is none of: %s", s->name, value, s->words);
}

/* Splits "host:port", "[v6]:port", "host" or "*" in place; returns false if value is none of them. */
static bool
split_address(char *value, char **host_r, unsigned *port)
{
	char *colon = strrchr(value, ':'), *end;
	uint64_t n = 0;
	size_t digits;

	*host_r = value;
	if (value[0] == '[') {
		end = strchr(value, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
		*end = '\0';
		*host_r = value + 1;
		colon = end[1] == ':' ? end + 1 : NULL;
	} else if (colon != NULL && strchr(value, ':') != colon) {
		return true; /* a bare IPv6 address */
	}
	if (colon == NULL)
		return true;
	*colon = '\0';
	digits = number_read(colon + 1, strlen(colon + 1), 65535, &n);
	if (n == 0 || colon[1 + digits] != '\0')
		return false;
	*port = (unsigned)n;
	return true;
}

static bool
listened_on_already(const struct conf *conf, const struct conf_listener *l)
{
	size_t i;

	for (i = 0; i < conf->listeners_len; i++)
		if (conf->listeners[i].address_len == l->address_len &&
		    memcmp(&conf->listeners[i].address, &l->address, l->address_len) == 0)
			return true;
	return false;
}

static void
add_listener(struct place *place, const struct setting *s, const char *host, unsigned port)
{
	struct conf_listener *l = &place->conf->listeners[place->conf->listeners_len];
	struct sockaddr_in *v4 = (struct sockaddr_in *)&l->address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&l->address;

	if (place->conf->listeners_len == CONF_LISTENERS_MAX) {
		complain(place,
		    "%s: more than %d addresses to listen on; write *:%u for all of them", s->name,
		    CONF_LISTENERS_MAX, port);
		return;
	}
	memset(l, 0, sizeof(*l));
	l->protocol = s->protocol;
	l->tls = s->tls;
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		l->address_len = sizeof(*v4);
		snprintf(l->text, sizeof(l->text), "%s:%u", host, port);
	} else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		l->address_len = sizeof(*v6);
		snprintf(l->text, sizeof(l->text), "[%s]:%u", host, port);
	} else {
		complain(place,
		    "%s: \"%.60s\" is no IP address; write * or an address such as 192.0.2.1:%u "
		    "or [2001:db8::1]:%u",
		    s->name, host, s->port, s->port);
		return;
	}
	if (listened_on_already(place->conf, l))
		complain(place, "%s: %s is listened on already; write it once", s->name, l->text);
	place->conf->listeners_len++;
}

/* "off", or any number of addresses separated by blanks; "*" is all of IPv4 and of IPv6. */
static void
set_listen(struct place *place, const struct setting *s, char *value)
{
	char *save = NULL, *word, *host;
	unsigned port;

	if (strcmp(value, "off") == 0)
		return;
	for (word = strtok_r(value, " \t", &save); word != NULL;
	     word = strtok_r(NULL, " \t", &save)) {
		port = s->port;
		if (!split_address(word, &host, &port)) {
			complain(place, "%s: write off, *, ADDRESS or ADDRESS:PORT, such as *:%u",
			    s->name, s->port);
		} else if (strcmp(host, "*") == 0) {
			add_listener(place, s, "0.0.0.0", port);
			add_listener(place, s, "::", port);
		} else {
			add_listener(place, s, host, port);
		}
	}
}

static void
set_certificate(struct place *place, const struct setting *s, char *value)
{
	struct conf *conf = place->conf;
	struct conf_certificate *c = &conf->certificates[conf->certificates_len];
	char *save = NULL, *chain = strtok_r(value, " \t", &save),
	     *key = strtok_r(NULL, " \t", &save);

	if (chain == NULL || key == NULL || strtok_r(NULL, " \t", &save) != NULL ||
	    chain[0] != '/' || key[0] != '/') {
		complain(place,
		    "%s: write two absolute paths, the certificate chain and its key: "
		    "%s = /etc/sallyport/mail.crt /etc/sallyport/mail.key",
		    s->name, s->name);
	} else if (conf->certificates_len == CONF_CERTIFICATES_MAX) {
		complain(place, "%s: at most %d; put several names into one certificate", s->name,
		    CONF_CERTIFICATES_MAX);
	} else {
		c->chain = strdup(chain);
		c->key = strdup(key);
		c->line = place->line;
		conf->certificates_len++;
		if (c->chain == NULL || c->key == NULL)
			complain(place, "%s: out of memory", s->name);
	}
}

/* --- the settings --- */

#define FIELD(name) offsetof(struct conf, name)
enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, MIB = 1 << 20 };

/* sallyport.conf(5) describes each setting with its default. */
static const struct setting settings[] = {
    {"listen_pop3", set_listen, 0, "*", .port = 110, .protocol = &protocol_pop3},
    {"listen_pop3s", set_listen, 0, "*", .port = 995, .protocol = &protocol_pop3, .tls = true},
    {"listen_imap", set_listen, 0, "*", .port = 143, .protocol = &protocol_imap},
    {"listen_imaps", set_listen, 0, "*", .port = 993, .protocol = &protocol_imap, .tls = true},
    {"certificate", set_certificate, 0, NULL, 0},
    {"accounts", set_word, FIELD(accounts), "system", .words = "system file"},
    {"users_file", set_path, FIELD(users_file), SALLYPORT_ETC "/sallyport/users"},
    {"allow_plain_passwords", set_bool, FIELD(allow_plain_passwords), "no"},
    {"min_uid", set_number, FIELD(min_uid), "500", 1, 4294967294},
    {"maildir", set_text, FIELD(maildir), "~/Maildir"},
    {"mark_seen", set_bool, FIELD(mark_seen), "yes"},
    {"pop3_uidl_format", set_word, FIELD(pop3_uidl_format), "%08Xu%08Xv",
	.words = "%08Xu%08Xv %08Xv%08Xu %v.%u %u.%v %v-%u UID%u-%v %u %f %g"},
    {"worker_user", set_text, FIELD(worker_user), "sallyport"},
    {"key_user", set_text, FIELD(key_user), "sallyport-key"},
    {"empty_dir", set_path, FIELD(empty_dir), "/run/sallyport/empty"},
    {"log", set_word, FIELD(log), "syslog", .words = "stderr syslog"},
    {"log_tls", set_word, FIELD(log_tls), "brief", .words = "brief full"},
    {"login_in_clear", set_word, FIELD(login_in_clear), "never", .words = "never loopback"},
    {"max_connections", set_number, FIELD(max_connections), "1000", 1, CONF_CONNECTIONS_MAX},
    {"max_per_address", set_number, FIELD(max_per_address), "50", 1, CONF_CONNECTIONS_MAX},
    {"max_before_login", set_number, FIELD(max_before_login), "100", 1, CONF_CONNECTIONS_MAX},
    {"max_per_user", set_number, FIELD(max_per_user), "30", 1, CONF_CONNECTIONS_MAX},
    {"login_timeout", set_duration, FIELD(login_timeout), "60s", 5 * SECOND, 10 * MINUTE},
    {"login_failures", set_number, FIELD(login_failures), "3", 1, 10},
    {"failure_delay", set_duration, FIELD(failure_delay), "2s", 0, 20 * SECOND},
    {"pop3_idle_timeout", set_duration, FIELD(pop3_idle_timeout), "10m", 10 * SECOND, 24 * HOUR},
    {"pop3_login_delay", set_duration, FIELD(pop3_login_delay), "0s", 0, 24 * HOUR},
    {"imap_idle_timeout", set_duration, FIELD(imap_idle_timeout), "30m", 10 * SECOND, 24 * HOUR},
    {"imap_still_here", set_duration, FIELD(imap_still_here), "10m", 2 * SECOND, 24 * HOUR},
    {"append_limit", set_octets, FIELD(append_limit), "64M", 64 * 1024, 4095LL * MIB},
    {"drafts_folder", set_text, FIELD(drafts_folder), NULL},
    {"sent_folder", set_text, FIELD(sent_folder), NULL},
    {"trash_folder", set_text, FIELD(trash_folder), NULL},
    {"junk_folder", set_text, FIELD(junk_folder), NULL},
    {"archive_folder", set_text, FIELD(archive_folder), NULL},
    {"make_special_folders", set_bool, FIELD(make_special_folders), "no"},
    {"shutdown_wait", set_duration, FIELD(shutdown_wait), "10s", SECOND, 10 * MINUTE},
    {"memory", set_octets, FIELD(memory), "256M", 16 * MIB, 4096LL * MIB},
    {.name = NULL},
};
enum { SETTINGS = sizeof(settings) / sizeof(settings[0]) };

/* --- the lines --- */

/* Returns the setting that shares the longest beginning with the wrong name. */
static const char *
resembling(const char *name)
{
	const struct setting *s, *best = &settings[0];
	size_t len, most = 0;

	for (s = settings; s->name != NULL; s++) {
		for (len = 0; name[len] != '\0' && name[len] == s->name[len]; len++)
			;
		if (len > most) {
			most = len;
			best = s;
		}
	}
	return best->name;
}

static void
parse_setting(struct place *place, char *name, char *value, unsigned *seen)
{
	const struct setting *s = settings;
	unsigned *line;

	while (s->name != NULL && strcmp(s->name, name) != 0)
		s++;
	line = &seen[s - settings];
	if (s->name == NULL)
		complain(place, "there is no setting \"%.60s\"; did you mean %s?", name,
		    resembling(name));
	else if (*value == '\0')
		complain(place,
		    "%s has no value; write %s = VALUE, or delete the line for the default", name,
		    name);
	else if (*line != 0 && s->set != set_listen && s->set != set_certificate)
		complain(place, "%s stands in line %u already; keep one of the two", name, *line);
	else {
		*line = place->line;
		s->set(place, s, value);
	}
}

static char *
trim(char *text)
{
	size_t len;

	text += strspn(text, " \t\r");
	len = strlen(text);
	while (len > 0 && strchr(" \t\r", text[len - 1]) != NULL)
		text[--len] = '\0';
	return text;
}

static void
parse_line(struct place *place, char *line, unsigned *seen)
{
	char *equals, *name;

	line = trim(line);
	if (*line == '\0' || *line == '#')
		return;
	equals = strchr(line, '=');
	if (equals == NULL) {
		complain(place,
		    "\"%.60s\" is no setting; write NAME = VALUE, or # before a comment", line);
		return;
	}
	*equals = '\0';
	name = trim(line);
	parse_setting(place, name, trim(equals + 1), seen);
}

/* Returns whether every % of the maildir setting means something: see reader_maildir_path. */
static bool
percents_known(const char *text)
{
	for (text = strchr(text, '%'); text != NULL; text = strchr(text + 2, '%'))
		if (text[1] == '\0' || strchr("und", text[1]) == NULL)
			return false;
	return true;
}

/* Checks what depends on several settings. */
static void
check_whole(struct place *place)
{
	struct conf *conf = place->conf;

	place->line = 0;
	if (conf->listeners_len == 0)
		complain(place, "nothing to listen on; write listen_pop3s = *");
	if (conf->certificates_len == 0)
		complain(place, "no certificate; write certificate = CHAIN KEY "
				"(sallyport cert server mail.example.org makes a pair)");
	if (conf->maildir != NULL && conf->maildir[0] != '/' &&
	    strncmp(conf->maildir, "~/", 2) != 0)
		complain(
		    place, "maildir: write a path that begins with ~/ (the account's home) or /");
	if (conf->maildir != NULL && !percents_known(conf->maildir))
		complain(place, "maildir: a %% that means nothing; write %%u for the user's name, "
				"%%n for it without its domain, %%d for its domain");
	if (conf->max_before_login > conf->max_connections)
		complain(place, "max_before_login is above max_connections; write at most %lld",
		    (long long)conf->max_connections);
}

static void
set_defaults(struct place *place, const unsigned *seen)
{
	const struct setting *s;
	char value[256];

	place->line = 0;
	for (s = settings; s->name != NULL; s++) {
		if (seen[s - settings] != 0 || s->standard == NULL)
			continue;
		snprintf(value, sizeof(value), "%s", s->standard);
		s->set(place, s, value);
	}
}

struct conf *
conf_parse(char *text, size_t len, struct conf_complaints *complaints_r)
{
	struct place place = {.complaints = complaints_r};
	unsigned seen[SETTINGS] = {0}; /* the line in which each setting was last */
	char *line = text, *end;

	complaints_r->len = 0;
	place.conf = calloc(1, sizeof(*place.conf));
	if (place.conf == NULL) {
		complain(&place, "out of memory");
		return NULL;
	}
	place.conf->text_fd = -1;
	for (; line < text + len; line = end + 1) {
		place.line++;
		end = memchr(line, '\n', (size_t)(text + len - line));
		if (end == NULL)
			end = text + len; /* text has room for this NUL */
		*end = '\0';
		if (strlen(line) != (size_t)(end - line) || end - line > CONF_LINE_MAX)
			complain(&place,
			    "this line is longer than %d octets or holds a NUL; write it as text",
			    CONF_LINE_MAX);
		else
			parse_line(&place, line, seen);
	}
	set_defaults(&place, seen);
	if (complaints_r->len == 0)
		check_whole(&place);
	if (complaints_r->len > 0)
		conf_free(&place.conf);
	return place.conf;
}

void
conf_free(struct conf **conf)
{
	const struct setting *s;
	size_t i;

	if (*conf == NULL)
		return;
	if ((*conf)->text_fd != -1)
		close((*conf)->text_fd);
	for (s = settings; s->name != NULL; s++)
		if (s->set == set_path || s->set == set_text)
			free(*(char **)(void *)((char *)*conf + s->offset));
	for (i = 0; i < (*conf)->certificates_len; i++) {
		free((*conf)->certificates[i].chain);
		free((*conf)->certificates[i].key);
	}
	free(*conf);
	*conf = NULL;
}
