/*
 * cmd_check.c: `sallyport check`: says what is wrong, and what to write instead.
 * Runs as: whoever types it; it looks at keys only when it may read them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/usersfile.h"
#include "server/cmd_check.h"
#include "server/privdrop.h"
#include "tls/tls.h"

void
check_print(FILE *to, const char *path, const struct conf_complaints *complaints)
{
	size_t i;

	for (i = 0; i < complaints->len; i++) {
		if (complaints->list[i].line == 0)
			fprintf(to, "%s: %s\n", path, complaints->list[i].text);
		else
			fprintf(to, "%s:%u: %s\n", path, complaints->list[i].line,
			    complaints->list[i].text);
	}
}

static unsigned
check_certificates(const struct conf *conf)
{
	struct tls_server *server = tls_server_new();
	struct tls_keys *keys = tls_keys_new();
	struct tls_error error;
	char text[300];
	unsigned wrong = 0;
	size_t i;
	int n;

	for (i = 0; server != NULL && keys != NULL && i < conf->certificates_len; i++) {
		const struct conf_certificate *c = &conf->certificates[i];

		n = tls_server_add(server, c->chain, &error);
		if (n == -1) {
			printf("certificate: %s\n", error.text);
			wrong++;
			continue;
		}
		if (tls_server_describe(server, (size_t)n, text, sizeof(text)) == 0)
			printf("certificate: %s: %s\n", c->chain, text);
		if (tls_server_expires(server, (size_t)n) < time(NULL)) {
			printf("certificate: %s is expired; renew it\n", c->chain);
			wrong++;
		}
		if (access(c->key, R_OK) == -1 && errno == EACCES) {
			printf(
			    "certificate: %s: not looked at, as only root can read it\n", c->key);
		} else if (tls_keys_add(keys, c->chain, c->key, &error) == -1) {
			printf("certificate: %s\n", error.text);
			wrong++;
		}
	}
	tls_server_free(&server);
	tls_keys_free(&keys);
	return wrong;
}

static unsigned
check_users(const char *path)
{
	char line[USERSFILE_LINE_MAX];
	struct usersfile_entry entry;
	unsigned wrong = 0, number = 0, accounts = 0;
	const char *reason;
	struct stat st;
	FILE *file = fopen(path, "re");

	if (file == NULL) {
		printf(
		    "%s: %s; sallyport passwd NAME prints a line for it\n", path, strerror(errno));
		return errno == EACCES ? 0 : 1;
	}
	if (fstat(fileno(file), &st) == 0 && (st.st_mode & 027) != 0) {
		printf("%s: it can be read or written by others: chmod 640 %s\n", path, path);
		wrong++;
	}
	while (fgets(line, sizeof(line), file) != NULL) {
		number++;
		if (strchr(line, '\n') == NULL && !feof(file)) {
			printf("%s:%u: the line is too long\n", path, number);
			wrong++;
			break;
		}
		line[strcspn(line, "\n")] = '\0';
		switch (usersfile_parse(line, &entry, &reason)) {
		case USERSFILE_ENTRY:
			accounts++;
			break;
		case USERSFILE_WRONG:
			printf("%s:%u: %s\n", path, number, reason);
			wrong++;
			break;
		case USERSFILE_BLANK:
			break;
		}
	}
	fclose(file);
	explicit_bzero(line, sizeof(line));
	printf("%s: %u accounts\n", path, accounts);
	return wrong;
}

static unsigned
check_user(const char *setting, const char *name)
{
	uid_t uid;
	gid_t gid;

	if (privdrop_lookup(name, &uid, &gid) == 0)
		return 0;
	printf("%s: there is no user %s: useradd -r -M -d /nonexistent -s /usr/sbin/nologin %s\n",
	    setting, name, name);
	return 1;
}

int
cmd_check(int argc, char **argv)
{
	struct conf_complaints complaints;
	const char *path = CHECK_CONF_PATH;
	struct conf *conf;
	unsigned wrong;
	int c;

	while ((c = getopt(argc, argv, "c:")) != -1) {
		if (c != 'c') {
			fprintf(stderr, "usage: sallyport check [-c FILE]\n");
			return 2;
		}
		path = optarg;
	}
	conf = conf_load(path, &complaints);
	if (conf == NULL) {
		check_print(stdout, path, &complaints);
		return EXIT_FAILURE;
	}
	wrong = check_certificates(conf);
	if (conf->accounts == CONF_ACCOUNTS_FILE)
		wrong += check_users(conf->users_file);
	if (privdrop_possible()) {
		wrong += check_user("worker_user", conf->worker_user);
		wrong += check_user("key_user", conf->key_user);
	}
	conf_free(&conf);
	printf(wrong == 0 ? "%s: good\n" : "%s: not good\n", path);
	return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
