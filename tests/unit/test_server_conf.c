/*
 * test_server_conf.c: the configuration: every setting, every complaint, odd files.
 */
#include "server_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "server/cmd/cmd.h"
#include "server/conf.h"
#include "server/protocol.h"

/* What every good configuration has; one line. */
#define CERTIFICATE "certificate = /etc/mail.crt /etc/mail.key\n"

static struct conf_complaints complaints;

/* Parses a copy of just that size and its NUL, so that reading beyond it is seen. */
static struct conf *
parse(const char *text, size_t len)
{
	struct conf *conf;
	char *copy = malloc(len + 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	copy[len] = 'x'; /* where the NUL may go */
	conf = conf_parse(copy, len, &complaints);
	free(copy);
	assert_int_equal(conf == NULL, complaints.len > 0);
	return conf;
}

static struct conf *
parse_text(const char *text)
{
	struct conf *conf = parse(text, strlen(text));

	if (conf == NULL)
		fail_msg("%s: line %u: %s", text, complaints.list[0].line, complaints.list[0].text);
	return conf;
}

static struct conf *
parse_setting(const char *line)
{
	char text[8192];

	snprintf(text, sizeof(text), CERTIFICATE "%s\n", line);
	return parse_text(text);
}

/* --- what is good --- */

static void
defaults(void **state)
{
	struct conf *conf = parse_text(CERTIFICATE);

	(void)state;
	assert_int_equal(conf->listeners_len, 8); /* four ports on all of IPv4 and IPv6 */
	assert_int_equal(conf->certificates_len, 1);
	assert_string_equal(conf->certificates[0].chain, "/etc/mail.crt");
	assert_string_equal(conf->certificates[0].key, "/etc/mail.key");
	assert_int_equal(conf->accounts, CONF_ACCOUNTS_SYSTEM);
	assert_string_equal(conf->users_file, SALLYPORT_ETC "/sallyport/users");
	assert_false(conf->allow_plain_passwords);
	assert_int_equal(conf->login_in_clear, CONF_CLEAR_NEVER);
	assert_string_equal(conf->maildir, "~/Maildir");
	assert_int_equal(conf->login_timeout, 60000);
	assert_int_equal(conf->pop3_idle_timeout, 600000);  /* RFC 1939 section 3: at least that */
	assert_int_equal(conf->imap_idle_timeout, 1800000); /* RFC 9051 section 5.4 */
	assert_int_equal(conf->imap_still_here, 600000);
	assert_int_equal(conf->append_limit, 64 << 20);
	assert_null(conf->sent_folder);
	assert_false(conf->make_special_folders);
	assert_int_equal(conf->login_failures, 3);
	assert_true(conf->min_uid >= 1);
	assert_true(conf->memory > 0);
	conf_free(&conf);
	assert_null(conf);
	conf_free(&conf); /* nothing is freed twice */
}

enum kind { NUMBER, YES_NO, WORD, TEXT };

#define FIELD(name) offsetof(struct conf, name)

static const struct good {
	const char *line;
	enum kind kind;
	size_t offset;
	int64_t number;
	const char *text;
} goods[] = {
    {"accounts = system", WORD, FIELD(accounts), CONF_ACCOUNTS_SYSTEM},
    {"accounts = file", WORD, FIELD(accounts), CONF_ACCOUNTS_FILE},
    {"users_file = /srv/users", TEXT, FIELD(users_file), 0, "/srv/users"},
    {"users_file = /srv/my users", TEXT, FIELD(users_file), 0, "/srv/my users"},
    {"users_file = /srv/a=b#c", TEXT, FIELD(users_file), 0, "/srv/a=b#c"},
    {"allow_plain_passwords = yes", YES_NO, FIELD(allow_plain_passwords), true},
    {"allow_plain_passwords = no", YES_NO, FIELD(allow_plain_passwords), false},
    {"min_uid = 1", NUMBER, FIELD(min_uid), 1},
    {"min_uid = 4294967294", NUMBER, FIELD(min_uid), 4294967294},
    {"maildir = ~/Maildir", TEXT, FIELD(maildir), 0, "~/Maildir"},
    {"maildir = /srv/mail/%d/%n", TEXT, FIELD(maildir), 0, "/srv/mail/%d/%n"},
    {"mark_seen = no", YES_NO, FIELD(mark_seen), false},
    {"pop3_uidl_format = %08Xu%08Xv", WORD, FIELD(pop3_uidl_format), CONF_UIDL_HEX_UID},
    {"pop3_uidl_format = %08Xv%08Xu", WORD, FIELD(pop3_uidl_format), CONF_UIDL_HEX_VALIDITY},
    {"pop3_uidl_format = %v.%u", WORD, FIELD(pop3_uidl_format), CONF_UIDL_DOT},
    {"pop3_uidl_format = %u.%v", WORD, FIELD(pop3_uidl_format), CONF_UIDL_DOT_UID},
    {"pop3_uidl_format = %v-%u", WORD, FIELD(pop3_uidl_format), CONF_UIDL_DASH},
    {"pop3_uidl_format = UID%u-%v", WORD, FIELD(pop3_uidl_format), CONF_UIDL_COURIER},
    {"pop3_uidl_format = %u", WORD, FIELD(pop3_uidl_format), CONF_UIDL_UID},
    {"pop3_uidl_format = %f", WORD, FIELD(pop3_uidl_format), CONF_UIDL_FILE},
    {"pop3_uidl_format = %g", WORD, FIELD(pop3_uidl_format), CONF_UIDL_GUID},
    {"worker_user = nobody", TEXT, FIELD(worker_user), 0, "nobody"},
    {"key_user = daemon", TEXT, FIELD(key_user), 0, "daemon"},
    {"empty_dir = /var/empty", TEXT, FIELD(empty_dir), 0, "/var/empty"},
    {"log = stderr", WORD, FIELD(log), LOG_TO_STDERR},
    {"log = syslog", WORD, FIELD(log), LOG_TO_SYSLOG},
    {"log_tls = brief", WORD, FIELD(log_tls), CONF_LOG_TLS_BRIEF},
    {"log_tls = full", WORD, FIELD(log_tls), CONF_LOG_TLS_FULL},
    {"login_in_clear = loopback", WORD, FIELD(login_in_clear), CONF_CLEAR_LOOPBACK},
    {"login_in_clear = never", WORD, FIELD(login_in_clear), CONF_CLEAR_NEVER},
    {"max_connections = 100000", NUMBER, FIELD(max_connections), CONF_CONNECTIONS_MAX},
    {"max_per_address = 1", NUMBER, FIELD(max_per_address), 1},
    {"max_before_login = 1", NUMBER, FIELD(max_before_login), 1},
    {"max_per_user = 7", NUMBER, FIELD(max_per_user), 7},
    {"login_timeout = 5s", NUMBER, FIELD(login_timeout), 5000},
    {"login_timeout = 5", NUMBER, FIELD(login_timeout), 5000},
    {"login_timeout = 10m", NUMBER, FIELD(login_timeout), 600000},
    {"login_failures = 10", NUMBER, FIELD(login_failures), 10},
    {"failure_delay = 0s", NUMBER, FIELD(failure_delay), 0},
    {"failure_delay = 20s", NUMBER, FIELD(failure_delay), 20000},
    {"pop3_idle_timeout = 24h", NUMBER, FIELD(pop3_idle_timeout), 86400000},
    {"pop3_login_delay = 15m", NUMBER, FIELD(pop3_login_delay), 900000},
    {"imap_idle_timeout = 1h", NUMBER, FIELD(imap_idle_timeout), 3600000},
    {"append_limit = 10M", NUMBER, FIELD(append_limit), 10485760},
    {"shutdown_wait = 1s", NUMBER, FIELD(shutdown_wait), 1000},
    {"memory = 16M", NUMBER, FIELD(memory), 16 << 20},
    {"memory = 16384K", NUMBER, FIELD(memory), 16 << 20},
    {"memory = 16777216", NUMBER, FIELD(memory), 16 << 20},
    {"memory = 16777216B", NUMBER, FIELD(memory), 16 << 20},
    {"memory = 4096M", NUMBER, FIELD(memory), 4096LL << 20},
    /* Blanks around both sides are passed over. */
    {"  \t min_uid\t=\t 00077 \t ", NUMBER, FIELD(min_uid), 77},
    {"min_uid=77", NUMBER, FIELD(min_uid), 77},
};

static void
settings_are_taken(void **state)
{
	const char *field;
	struct conf *conf;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(goods); i++) {
		conf = parse_setting(goods[i].line);
		field = (const char *)conf + goods[i].offset;
		switch (goods[i].kind) {
		case NUMBER:
			assert_int_equal(*(const int64_t *)(const void *)field, goods[i].number);
			break;
		case YES_NO:
			assert_int_equal(*(const bool *)(const void *)field, goods[i].number);
			break;
		case WORD:
			assert_int_equal(*(const int *)(const void *)field, goods[i].number);
			break;
		case TEXT:
			assert_string_equal(*(char *const *)(const void *)field, goods[i].text);
			break;
		}
		conf_free(&conf);
	}
}

#define NO_IMAP "listen_imap = off\nlisten_imaps = off\n"

static void
listeners(void **state)
{
	static const struct {
		const char *value; /* of listen_pop3; listen_pop3s is off */
		const char *texts[4];
	} rows[] = {
	    {"*", {"0.0.0.0:110", "[::]:110"}},
	    {"*:1110", {"0.0.0.0:1110", "[::]:1110"}},
	    {"192.0.2.1", {"192.0.2.1:110"}},
	    {"192.0.2.1:65535", {"192.0.2.1:65535"}},
	    {"[2001:db8::1]", {"[2001:db8::1]:110"}},
	    {"[2001:db8::1]:1", {"[2001:db8::1]:1"}},
	    {"2001:db8::1", {"[2001:db8::1]:110"}},
	    {"::", {"[::]:110"}},
	    {"127.0.0.1 [::1]", {"127.0.0.1:110", "[::1]:110"}},
	    {"127.0.0.1:1 \t 127.0.0.1:2", {"127.0.0.1:1", "127.0.0.1:2"}},
	};
	char text[256];
	struct conf *conf;
	size_t i, k;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		snprintf(text, sizeof(text), NO_IMAP "listen_pop3s = off\nlisten_pop3 = %s",
		    rows[i].value);
		conf = parse_setting(text);
		for (k = 0; rows[i].texts[k] != NULL; k++) {
			const struct conf_listener *l = &conf->listeners[k];
			bool v6 = rows[i].texts[k][0] == '[';

			assert_true(k < conf->listeners_len);
			assert_string_equal(l->text, rows[i].texts[k]);
			assert_int_equal(l->address.ss_family, v6 ? AF_INET6 : AF_INET);
			assert_int_equal(l->address_len,
			    v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
			assert_ptr_equal(l->protocol, &protocol_pop3);
			assert_false(l->tls);
		}
		assert_int_equal(conf->listeners_len, k);
		conf_free(&conf);
	}
}

static void
listeners_have_their_port_and_tls(void **state)
{
	const struct sockaddr_in6 *v6;
	const struct sockaddr_in *v4;
	struct conf *conf =
	    parse_setting(NO_IMAP "listen_pop3s = 192.0.2.1\nlisten_pop3s = [2001:db8::1]:9995\n"
				  "listen_pop3 = off");

	(void)state;
	assert_int_equal(conf->listeners_len, 2); /* the setting may be repeated */
	v4 = (const struct sockaddr_in *)&conf->listeners[0].address;
	v6 = (const struct sockaddr_in6 *)&conf->listeners[1].address;
	assert_int_equal(ntohs(v4->sin_port), 995);
	assert_int_equal(ntohl(v4->sin_addr.s_addr), 0xc0000201);
	assert_int_equal(ntohs(v6->sin6_port), 9995);
	assert_int_equal(v6->sin6_addr.s6_addr[15], 1);
	assert_true(conf->listeners[0].tls);
	assert_true(conf->listeners[1].tls);
	conf_free(&conf);
}

static void
imap_has_its_ports(void **state)
{
	struct conf *conf = parse_setting("listen_imap = 192.0.2.1\nlisten_imaps = 192.0.2.1\n"
					  "listen_pop3 = off\nlisten_pop3s = off");

	(void)state;
	assert_int_equal(conf->listeners_len, 2);
	for (size_t i = 0; i < 2; i++)
		assert_ptr_equal(conf->listeners[i].protocol, &protocol_imap);
	assert_string_equal(conf->listeners[0].text, "192.0.2.1:143");
	assert_string_equal(conf->listeners[1].text, "192.0.2.1:993");
	assert_false(conf->listeners[0].tls);
	assert_true(conf->listeners[1].tls);
	conf_free(&conf);
}

static void
certificates(void **state)
{
	struct conf *conf =
	    parse_text("certificate = /a.crt /a.key\ncertificate=/b.crt\t \t/b.key");

	(void)state;
	assert_int_equal(conf->certificates_len, 2);
	assert_string_equal(conf->certificates[1].chain, "/b.crt");
	assert_string_equal(conf->certificates[1].key, "/b.key");
	conf_free(&conf);
}

/* --- what is wrong --- */

static const struct bad {
	const char *line;
	const char *says[4]; /* all of these */
} bads[] = {
    {"nonsense", {"\"nonsense\" is no setting", "write NAME = VALUE"}},
    {"min_uid 500", {"is no setting", "NAME = VALUE"}},
    {"min_uidd = 500", {"no setting \"min_uidd\"", "did you mean min_uid?"}},
    {"Maildir = ~/Maildir", {"no setting \"Maildir\"", "did you mean"}},
    {"pop3_idle = 10m", {"did you mean pop3_idle_timeout?"}},
    {"= 5", {"no setting \"\""}},
    {"=", {"no setting \"\""}},
    {"min_uid =", {"min_uid has no value", "write min_uid = VALUE"}},
    {"min_uid = \t ", {"min_uid has no value"}},
    {"min_uid = 0", {"min_uid: \"0\" is not a number from 1 to 4294967294", "default is 500"}},
    {"min_uid = 4294967295", {"is not a number from 1 to 4294967294"}},
    {"min_uid = -1", {"\"-1\" is not a number"}},
    {"min_uid = +5", {"\"+5\" is not a number"}},
    {"min_uid = 5 5", {"\"5 5\" is not a number"}},
    {"min_uid = 0x10", {"is not a number"}},
    {"min_uid = 18446744073709551617", {"is not a number"}}, /* 2^64 + 1 */
    {"min_uid = 99999999999999999999999999", {"is not a number"}},
    {"max_connections = 0", {"is not a number from 1 to 100000"}},
    {"max_connections = 100001", {"is not a number from 1 to 100000"}},
    {"max_connections = 10s", {"is not a number"}},
    {"login_timeout = 4s", {"is not a time (such as 30s, 10m, 2h) from 5s to 600s", "60s"}},
    {"login_timeout = 11m", {"from 5s to 600s"}},
    {"login_timeout = 1d", {"is not a time"}},
    {"login_timeout = 10 m", {"is not a time"}},
    {"login_timeout = 10ms", {"is not a time"}},
    {"login_timeout = 9223372036854775807h", {"is not a time"}},
    {"login_timeout = 5124095576030432h", {"is not a time"}}, /* overflows in ms */
    {"login_timeout = m", {"is not a time"}},
    {"memory = 15M", {"is not a size (such as 64M) from 16777216 to 4294967296"}},
    {"memory = 4097M", {"is not a size"}},
    {"memory = 1G", {"is not a size"}},
    {"memory = 64MB", {"is not a size"}},
    {"memory = 17592186044416M", {"is not a size"}}, /* 2^64 octets */
    {"mark_seen = true", {"mark_seen: write yes or no, not \"true\""}},
    {"mark_seen = Yes", {"write yes or no"}},
    {"pop3_uidl_format = %m", {"pop3_uidl_format: \"%m\" is none of: %08Xu%08Xv", " UID%u-%v "}},
    {"pop3_uidl_format = %08xu%08xv", {"is none of"}},
    {"pop3_uidl_format = %v.%u %u", {"is none of"}},
    {"accounts = ldap", {"accounts: \"ldap\" is none of: system file"}},
    {"accounts = system file", {"is none of: system file"}},
    {"accounts = syst", {"is none of"}},
    {"accounts = systemx", {"is none of"}},
    {"log_tls = ", {"log_tls has no value"}},
    {"users_file = users", {"users_file: \"users\" is not an absolute path", "begins with /"}},
    {"empty_dir = ~/empty", {"is not an absolute path"}},
    {"maildir = Maildir", {"maildir: write a path that begins with ~/"}},
    {"maildir = ~anna/Maildir", {"begins with ~/"}},
    {"maildir = ~", {"begins with ~/"}},
    {"maildir = /srv/%x", {"a % that means nothing", "%u", "%n", "%d"}},
    {"maildir = /srv/%%u", {"a % that means nothing"}},
    {"maildir = /srv/100%", {"a % that means nothing"}},
    {"listen_pop3 = 192.0.2.1 192.0.2.1:110", {"192.0.2.1:110 is listened on already", "once"}},
    {"listen_pop3 = [::1] 0:0::1", {"listened on already"}},
    {"listen_pop3 = localhost", {"\"localhost\" is no IP address", "write *", "192.0.2.1:110"}},
    {"listen_pop3s = localhost", {"is no IP address", "192.0.2.1:995"}},
    {"listen_pop3 = 192.0.2.1:65536", {"write off, *, ADDRESS or ADDRESS:PORT"}},
    {"listen_pop3 = 192.0.2.1:0", {"write off, *, ADDRESS or ADDRESS:PORT"}},
    {"listen_pop3 = 192.0.2.1:", {"write off"}},
    {"listen_pop3 = 192.0.2.1:pop3", {"write off"}},
    {"listen_pop3 = 192.0.2.1:-1", {"write off"}},
    {"listen_pop3 = *:", {"write off"}},
    {"listen_pop3 = :110", {"is no IP address"}},
    {"listen_pop3 = [::1", {"write off"}},
    {"listen_pop3 = [::1]x", {"write off"}},
    {"listen_pop3 = [::1]:", {"write off"}},
    {"listen_pop3 = [192.0.2.1", {"write off"}},
    {"listen_pop3 = []", {"is no IP address"}},
    {"listen_pop3 = 192.0.2", {"is no IP address"}},
    {"listen_pop3 = 192.0.2.256", {"is no IP address"}},
    {"listen_pop3 = fe80::1%eth0", {"is no IP address"}},
    {"listen_pop3 = off 192.0.2.1", {"\"off\" is no IP address"}},
    {"certificate = /only.crt", {"write two absolute paths", "certificate = /"}},
    {"certificate = /a /b /c", {"write two absolute paths"}},
    {"certificate = a.crt /b.key", {"write two absolute paths"}},
    {"certificate = /a.crt b.key", {"write two absolute paths"}},
};

static void
complaints_have_their_line_and_say_what_to_write(void **state)
{
	char text[8192];
	size_t i, k;

	(void)state;
	for (i = 0; i < COUNT(bads); i++) {
		snprintf(text, sizeof(text), "# comment\n\n" CERTIFICATE "%s\nmark_seen = yes\n",
		    bads[i].line);
		if (strncmp(bads[i].line, "mark_seen", 9) == 0)
			text[strlen(text) - strlen("mark_seen = yes\n")] = '\0';
		if (parse(text, strlen(text)) != NULL)
			fail_msg("accepted: %s", bads[i].line);
		assert_int_equal(complaints.len, 1);
		if (strncmp(bads[i].line, "maildir", 7) != 0) /* that is said of the whole */
			assert_int_equal(complaints.list[0].line, 4);
		for (k = 0; k < 4 && bads[i].says[k] != NULL; k++)
			if (strstr(complaints.list[0].text, bads[i].says[k]) == NULL)
				fail_msg("%s: \"%s\" does not say \"%s\"", bads[i].line,
				    complaints.list[0].text, bads[i].says[k]);
		assert_null(strchr(complaints.list[0].text, '\n'));
	}
}

static void
what_only_the_whole_can_tell(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
	    {"", "no certificate; write certificate = CHAIN KEY"},
	    {"# nothing\n", "no certificate"},
	    {NO_IMAP "listen_pop3 = off\nlisten_pop3s = off\n" CERTIFICATE, "nothing to listen on"},
	    /* Against the default of listen_pop3. */
	    {"listen_pop3s = 0.0.0.0:110\n" CERTIFICATE, "0.0.0.0:110 is listened on already"},
	    {"max_connections = 10\nmax_before_login = 11\n" CERTIFICATE, "write at most 10"},
	    {"max_connections = 10\n" CERTIFICATE, "write at most 10"}, /* the default is 100 */
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		assert_null(parse(rows[i].text, strlen(rows[i].text)));
		assert_int_equal(complaints.len, 1);
		assert_int_equal(complaints.list[0].line, 0);
		assert_non_null(strstr(complaints.list[0].text, rows[i].says));
	}
}

static void
twice_is_once_too_often(void **state)
{
	static const char text[] = CERTIFICATE "min_uid = 5\n\nmin_uid = 5\nmin_uid = 6\n";

	(void)state;
	assert_null(parse(text, sizeof(text) - 1));
	assert_int_equal(complaints.len, 2);
	assert_int_equal(complaints.list[0].line, 4);
	assert_non_null(strstr(complaints.list[0].text, "stands in line 2 already; keep one"));
	assert_int_equal(complaints.list[1].line, 5);
}

static void
lists_have_an_end(void **state)
{
	char text[8192];
	size_t len, i;
	struct conf *conf;

	(void)state;
	len = (size_t)snprintf(
	    text, sizeof(text), CERTIFICATE NO_IMAP "listen_pop3s = off\nlisten_pop3 =");
	for (i = 0; i < CONF_LISTENERS_MAX; i++)
		len += (size_t)snprintf(
		    text + len, sizeof(text) - len, " 127.0.0.%u", (unsigned)i + 1);
	conf = parse_text(text);
	assert_int_equal(conf->listeners_len, CONF_LISTENERS_MAX);
	conf_free(&conf);
	snprintf(text + len, sizeof(text) - len, " 127.0.1.1\n");
	assert_null(parse(text, strlen(text)));
	assert_non_null(strstr(complaints.list[0].text, "more than 32 addresses"));
	assert_non_null(strstr(complaints.list[0].text, "write *:110"));

	for (len = i = 0; i < CONF_CERTIFICATES_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "certificate = /%u.crt /%u.key\n", (unsigned)i, (unsigned)i);
	conf = parse_text(text);
	assert_int_equal(conf->certificates_len, CONF_CERTIFICATES_MAX);
	conf_free(&conf);
	snprintf(text + len, sizeof(text) - len, "certificate = /x.crt /x.key\n");
	assert_null(parse(text, strlen(text)));
	assert_int_equal(complaints.list[0].line, CONF_CERTIFICATES_MAX + 1);
	assert_non_null(strstr(complaints.list[0].text, "at most 64"));
}

/* --- odd files --- */

static void
line_ends_of_any_kind(void **state)
{
	static const char *const texts[] = {
	    CERTIFICATE "min_uid = 77\n",
	    CERTIFICATE "min_uid = 77", /* no newline at the end */
	    "certificate = /c /k\r\nmin_uid = 77\r\n",
	    "certificate = /c /k\r\nmin_uid = 77\r",
	    "\n\n\r\n\t\n" CERTIFICATE "min_uid = 77\n\n\n",
	    "#\n # min_uid = 5\n\t#x\n" CERTIFICATE "min_uid = 77\n#",
	};
	struct conf *conf;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(texts); i++) {
		conf = parse_text(texts[i]);
		assert_int_equal(conf->min_uid, 77);
		conf_free(&conf);
	}
}

static void
octets_that_are_no_text(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		unsigned line;
	} rows[] = {
	    {CERTIFICATE "min_uid = 5\0 00\n", sizeof(CERTIFICATE) - 1 + 16, 2},
	    {CERTIFICATE "\0\n", sizeof(CERTIFICATE) - 1 + 2, 2},
	    {CERTIFICATE "\0", sizeof(CERTIFICATE) - 1 + 1, 2},
	    {"\0" CERTIFICATE, sizeof(CERTIFICATE), 1},
	    {"# a comment \0\n" CERTIFICATE, sizeof(CERTIFICATE) - 1 + 14, 1},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		assert_null(parse(rows[i].text, rows[i].len));
		assert_int_equal(complaints.list[0].line, rows[i].line);
		assert_non_null(strstr(complaints.list[0].text, "4096 octets or holds a NUL"));
	}
}

static void
long_lines_and_many(void **state)
{
	static char text[400000];
	struct conf *conf;
	size_t len, i;

	(void)state;
	len = (size_t)snprintf(text, sizeof(text), CERTIFICATE "users_file = /");
	while (len < sizeof(CERTIFICATE) - 1 + CONF_LINE_MAX)
		text[len++] = 'x';
	conf = parse(text, len); /* just as long as a line may be */
	assert_non_null(conf);
	conf_free(&conf);
	text[len++] = 'x';
	assert_null(parse(text, len));
	assert_int_equal(complaints.list[0].line, 2);

	for (len = i = 0; i < 5000; i++)
		len +=
		    (size_t)snprintf(text + len, sizeof(text) - len, "# comment %u\n", (unsigned)i);
	memcpy(text + len, CERTIFICATE, sizeof(CERTIFICATE));
	conf = parse_text(text);
	conf_free(&conf);
	snprintf(text + len, sizeof(text) - len, "oops\n");
	assert_null(parse(text, strlen(text)));
	assert_int_equal(complaints.list[0].line, 5001);
}

static void
many_complaints_are_told_in_part(void **state)
{
	static char text[40000];
	size_t len = 0, i;

	(void)state;
	for (i = 0; i < 1000; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "x%u = y\n", (unsigned)i);
	assert_null(parse(text, len));
	assert_int_equal(complaints.len, CONF_COMPLAINTS_MAX);
	assert_int_equal(complaints.list[CONF_COMPLAINTS_MAX - 1].line, CONF_COMPLAINTS_MAX);
}

/* A value of any length leaves room for the advice. */
static void
advice_stands_behind_long_values(void **state)
{
	static const struct {
		const char *name, *says;
	} rows[] = {
	    {"min_uid", "the default is 500"},
	    {"login_timeout", "the default is 60s"},
	    {"users_file", "write one that begins with /"},
	    {"accounts", "is none of: system file"},
	    {"listen_pop3", "write * or an address"},
	    {"mark_seen", "write yes or no"},
	    {"nonsense", "did you mean"},
	};
	char text[4000], value[3000];
	size_t i;

	(void)state;
	memset(value, 'x', sizeof(value));
	value[sizeof(value) - 1] = '\0';
	for (i = 0; i < COUNT(rows); i++) {
		snprintf(text, sizeof(text), "%s = %s\n", rows[i].name, value);
		assert_null(parse(text, strlen(text)));
		if (strstr(complaints.list[0].text, rows[i].says) == NULL)
			fail_msg("%s", complaints.list[0].text);
	}
}

/* --- files --- */

static void
from_a_file(void **state)
{
	const char *path = fixture_path("conf");
	struct conf *conf;

	(void)state;
	fixture_write(path, CERTIFICATE, sizeof(CERTIFICATE) - 1, 0644);
	conf = conf_load(path, &complaints);
	assert_non_null(conf);
	conf_free(&conf);
	fixture_write(path, "", 0, 0644);
	assert_null(conf_load(path, &complaints));
	assert_non_null(strstr(complaints.list[0].text, "no certificate"));
}

static void
what_cannot_be_read(void **state)
{
	const char *fifo = fixture_path("fifo"), *large = fixture_path("large");

	(void)state;
	assert_null(conf_load(fixture_path("missing"), &complaints));
	assert_non_null(strstr(complaints.list[0].text, "No such file"));
	assert_int_equal(complaints.list[0].line, 0);
	assert_null(conf_load(fixture_dir, &complaints));
	assert_int_equal(complaints.len, 1);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_null(conf_load(fifo, &complaints)); /* without waiting for a writer */
	assert_int_equal(complaints.len, 1);
	fixture_write(large, "", 0, 0644);
	assert_int_equal(truncate(large, 1LL << 32), 0);
	assert_null(conf_load(large, &complaints));
	assert_int_equal(complaints.len, 1);
}

static void
complaints_are_shown_with_their_file(void **state)
{
	static const char text[] = "certificate = /c\nx = y\n";
	char *out = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&out, &len);

	(void)state;
	assert_non_null(to);
	assert_null(parse(text, sizeof(text) - 1));
	check_print(to, "/etc/s.conf", &complaints);
	assert_null(parse("", 0));
	check_print(to, "/etc/s.conf", &complaints);
	assert_int_equal(fclose(to), 0);
	assert_int_equal(strncmp(out, "/etc/s.conf:1: certificate: ", 28), 0);
	assert_non_null(strstr(out, "\n/etc/s.conf:2: there is no setting \"x\""));
	assert_non_null(strstr(out, "\n/etc/s.conf: no certificate"));
	free(out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults),
	    cmocka_unit_test(settings_are_taken),
	    cmocka_unit_test(listeners),
	    cmocka_unit_test(listeners_have_their_port_and_tls),
	    cmocka_unit_test(imap_has_its_ports),
	    cmocka_unit_test(certificates),
	    cmocka_unit_test(complaints_have_their_line_and_say_what_to_write),
	    cmocka_unit_test(what_only_the_whole_can_tell),
	    cmocka_unit_test(twice_is_once_too_often),
	    cmocka_unit_test(lists_have_an_end),
	    cmocka_unit_test(line_ends_of_any_kind),
	    cmocka_unit_test(octets_that_are_no_text),
	    cmocka_unit_test(long_lines_and_many),
	    cmocka_unit_test(many_complaints_are_told_in_part),
	    cmocka_unit_test(advice_stands_behind_long_values),
	    cmocka_unit_test(from_a_file),
	    cmocka_unit_test(what_cannot_be_read),
	    cmocka_unit_test(complaints_are_shown_with_their_file),
	};

	return cmocka_run_group_tests(tests, fixture_make_dir, fixture_remove_dir);
}
