/*
 * check.c: `sallyport check` prints what is wrong with the configuration, and what to write instead.
 * Runs as: the user who types it; it reads a key only if that user may read it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/account.h"
#include "auth/usersfile.h"
#include "server/cmd/cmd.h"
#include "server/conf.h"
#include "server/privdrop.h"
#include "tls/tls.h"

void
check_print(FILE *to, const char *path, const struct conf_complaints *complaints)
{
	char line[16];
	size_t i;

	for (i = 0; i < complaints->len; i++) {
		snprintf(line, sizeof(line), ":%u", complaints->list[i].line);
		fprintf(to, "%s%s: %s\n", path, complaints->list[i].line == 0 ? "" : line,
		    complaints->list[i].text);
	}
}

/* A complaint about one certificate setting. */
static unsigned
complain(const char *path, const struct conf_certificate *c, const char *what)
{
	printf("%s:%u: certificate: %s\n", path, c->line, what);
	return 1;
}

static unsigned warnings; /* printed so far; the last line mentions them */

/* Prints why clients refuse the certificate.  If they will refuse it only soon, that is a warning. */
static unsigned
check_chain(const char *path, const struct conf_certificate *c, struct tls_server *server, size_t n)
{
	struct tls_findings findings;
	unsigned wrong = 0;
	size_t i;

	tls_server_findings(server, n, time(NULL), &findings);
	for (i = 0; i < findings.len; i++) {
		printf("%s:%u: %s: %s: %s\n", path, c->line,
		    findings.list[i].wrong ? "certificate" : "warning", c->chain,
		    findings.list[i].text);
		wrong += findings.list[i].wrong;
		warnings += !findings.list[i].wrong;
	}
	return wrong;
}

static unsigned
check_certificate(const char *path, const struct conf_certificate *c, struct tls_server *server,
    struct tls_keys *keys)
{
	struct tls_error error;
	char text[300];
	unsigned wrong;
	int n = tls_server_add(server, c->chain, &error);

	if (n == -1)
		return complain(path, c, error.text);
	if (tls_server_describe(server, (size_t)n, text, sizeof(text)) == 0)
		printf("%s: %s\n", c->chain, text);
	wrong = check_chain(path, c, server, (size_t)n);
	if (access(c->key, R_OK) == -1 && errno == EACCES)
		printf("%s: not looked at, as only root can read it\n", c->key);
	else if (tls_keys_add(keys, c->chain, c->key, &error) == -1)
		wrong += complain(path, c, error.text);
	return wrong;
}

static unsigned
check_certificates(const char *path, const struct conf *conf)
{
	struct tls_server *server = tls_server_new();
	struct tls_keys *keys = tls_keys_new();
	unsigned wrong = 0;
	size_t i;

	for (i = 0; server != NULL && keys != NULL && i < conf->certificates_len; i++)
		wrong += check_certificate(path, &conf->certificates[i], server, keys);
	tls_server_free(&server);
	tls_keys_free(&keys);
	return wrong;
}

struct users_check {
	const char *path;
	unsigned wrong;
};

static void
complain_of_line(void *ctx, unsigned line, const char *reason)
{
	struct users_check *check = ctx;

	printf("%s:%u: %s\n", check->path, line, reason);
	check->wrong++;
}

static unsigned
check_users(const struct conf *conf)
{
	const struct auth_source source = {
	    .allow_plain = conf->allow_plain_passwords, .min_uid = (uid_t)conf->min_uid};
	struct users_check check = {.path = conf->users_file};
	const char *path = conf->users_file;
	struct stat st;
	FILE *file = fopen(path, "re");

	if (file == NULL) {
		printf(
		    "%s: %s; sallyport passwd NAME prints a line for it\n", path, strerror(errno));
		return errno == EACCES ? 0 : 1;
	}
	if (fstat(fileno(file), &st) == 0 && (st.st_mode & 027) != 0) {
		printf("%s: it can be read or written by others: chmod 640 %s\n", path, path);
		check.wrong++;
	}
	printf("%s: %u accounts\n", path, usersfile_check(file, &source, complain_of_line, &check));
	fclose(file);
	return check.wrong;
}

static unsigned
check_service_users(const char *path, const struct conf *conf)
{
	struct service_users users;
	char text[256];

	if (!privdrop_possible() || privdrop_find_users(conf, &users, text, sizeof(text)) == 0)
		return 0;
	printf("%s: %s\n", path, text);
	return 1;
}

int
cmd_check(int argc, char **argv)
{
	struct conf_complaints complaints;
	const char *path = CMD_CONF_PATH;
	struct conf *conf;
	unsigned wrong;
	int c;

	while ((c = getopt(argc, argv, "c:")) == 'c')
		path = optarg;
	if (c != -1 || optind != argc) {
		fprintf(stderr, "usage: sallyport check [-c FILE]\n");
		return CMD_USAGE;
	}
	conf = conf_load(path, &complaints);
	if (conf == NULL) {
		check_print(stdout, path, &complaints);
		return EXIT_FAILURE;
	}
	wrong = check_certificates(path, conf);
	if (conf->accounts == CONF_ACCOUNTS_FILE)
		wrong += check_users(conf);
	wrong += check_service_users(path, conf);
	conf_free(&conf);
	printf("%s: %s\n", path,
	    wrong > 0	   ? "not good"
	    : warnings > 0 ? "good, but for the warnings"
			   : "good");
	return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
