/*
 * cert.c: sallyport cert ca | server | request | show.
 * Runs as: the user who types it.
 */
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "maildir/base/number.h"
#include "server/cmd/cmd.h"
#include "tls/cert.h"

/* Days.  Importing a new CA into every client is work, so a CA lives long.  A server's certificate is cheap
 * to renew, and Apple's programs refuse any that is valid for more than 825 days, whichever CA signed it. */
enum { CA_DAYS = 3650, SERVER_DAYS = 397 };

/* The arguments, and the paths that follow from them. */
struct cert_options {
	const char *dir, *ca_dir, *base;
	bool self_signed;
	struct tls_cert_order order;
	char key_path[PATH_MAX], cert_path[PATH_MAX];
	char ca_key_path[PATH_MAX], ca_cert_path[PATH_MAX];
	char subject[65]; /* a CA's default: people should see which machine made it */
};

static const char usage_text[] =
    "usage: sallyport cert ca      [-d DIR] [-D DAYS] [-k KEY] [-s SUBJECT]\n"
    "       sallyport cert server  [-d DIR] [-D DAYS] [-k KEY] [-s SUBJECT] [-o FILE]\n"
    "                              [-c CADIR | -S] NAME...\n"
    "       sallyport cert request [-d DIR] [-k KEY] [-s SUBJECT] [-o FILE] NAME...\n"
    "       sallyport cert show    FILE\n"
    "\n"
    "  NAME        a host name, *.a.wildcard or an IP address that clients will use\n"
    "  -d DIR      where the files go (the current directory)\n"
    "  -D DAYS     how long it is valid (a CA 3650 days, a server 397)\n"
    "  -k KEY      p256 (default), rsa (2048 bits) or rsa3072\n"
    "  -s SUBJECT  the common name (the first NAME)\n"
    "  -o FILE     FILE.crt, FILE.key, FILE.csr instead of the first NAME's\n"
    "  -c CADIR    sign with CADIR/ca.key (the default when DIR has a ca.crt)\n"
    "  -S          sign with its own key, even when there is a CA\n";

static int
usage(const char *problem, const char *detail)
{
	(void)fprintf(stderr, "sallyport cert: %s%s%s\n\n%s", problem, detail != NULL ? ": " : "",
	    detail != NULL ? detail : "", usage_text);
	return CMD_USAGE;
}

static int
failure(const char *text)
{
	(void)fprintf(stderr, "sallyport cert: %s\n", text);
	return EXIT_FAILURE;
}

/* --- what was typed --- */

static int
parse_option(struct cert_options *options, int letter, const char *value)
{
	uint64_t days = 0;

	switch (letter) {
	case 'c':
		options->ca_dir = value;
		return 0;
	case 'd':
		options->dir = value;
		return 0;
	case 'D':
		if (number_read(value, strlen(value), INT_MAX, &days) != strlen(value) || days == 0)
			return usage("-D wants a number of days, not", value);
		options->order.days = (int)days;
		return 0;
	case 'k':
		if (strcmp(value, "p256") == 0)
			options->order.key = TLS_CERT_P256;
		else if (strcmp(value, "rsa") == 0 || strcmp(value, "rsa2048") == 0)
			options->order.key = TLS_CERT_RSA2048;
		else if (strcmp(value, "rsa3072") == 0)
			options->order.key = TLS_CERT_RSA3072;
		else
			return usage("-k wants p256, rsa or rsa3072, not", value);
		return 0;
	case 'o':
		options->base = value;
		return 0;
	case 's':
		options->order.subject = value;
		return 0;
	case 'S':
		options->self_signed = true;
		return 0;
	default:
		/* getopt(3) has said what is wrong. */
		(void)fprintf(stderr, "\n%s", usage_text);
		return CMD_USAGE;
	}
}

/* Returns 0 or an exit status.  The names after the options begin at argv[optind]. */
static int
parse_options(struct cert_options *options, const char *letters, int argc, char **argv)
{
	int letter, status;

	optind = 0; /* glibc: start again, since main has other arguments */
	while ((letter = getopt(argc, argv, letters)) != -1)
		if ((status = parse_option(options, letter, optarg)) != 0)
			return status;
	if (options->self_signed && options->ca_dir != NULL)
		return usage("-c and -S exclude each other", NULL);
	return 0;
}

/* --- paths --- */

/* DIR/BASE.SUFFIX; without DIR/ for the current directory. */
static int
make_path(char path_r[PATH_MAX], const char *dir, const char *base, const char *suffix)
{
	bool here = strcmp(dir, ".") == 0;
	int n =
	    snprintf(path_r, PATH_MAX, "%s%s%s.%s", here ? "" : dir, here ? "" : "/", base, suffix);

	return n > 0 && n < PATH_MAX ? 0 : failure("the path is too long");
}

/* The paths of the files to make.  Returns 0 or an exit status. */
static int
choose_paths(struct cert_options *options, const char *base, const char *suffix)
{
	options->order.key_path = options->key_path;
	options->order.cert_path = options->cert_path;
	if (strchr(base, '/') != NULL || base[0] == '\0')
		return usage("a file name without / is wanted (see -d), not", base);
	if (make_path(options->key_path, options->dir, base, "key") != 0)
		return EXIT_FAILURE;
	return make_path(options->cert_path, options->dir, base, suffix);
}

/* The CA that was named, or the one in the same directory, or none.  Returns 0 or an exit status. */
static int
choose_ca(struct cert_options *options)
{
	const char *dir = options->ca_dir != NULL ? options->ca_dir : options->dir;

	if (options->self_signed)
		return 0;
	if (make_path(options->ca_cert_path, dir, "ca", "crt") != 0 ||
	    make_path(options->ca_key_path, dir, "ca", "key") != 0)
		return EXIT_FAILURE;
	if (options->ca_dir == NULL && access(options->ca_cert_path, F_OK) != 0)
		return 0;
	options->order.ca_cert_path = options->ca_cert_path;
	options->order.ca_key_path = options->ca_key_path;
	return 0;
}

/* The names of a server, and the paths that follow from them.  Returns 0 or an exit status. */
static int
take_names(struct cert_options *options, int argc, char **argv, const char *suffix)
{
	const char *base = options->base, *prefix = "";
	char path[PATH_MAX];

	if (argc == 0)
		return usage("which name do clients use for the server?", NULL);
	options->order.names = (const char *const *)argv;
	options->order.names_len = (size_t)argc;
	if (base == NULL)
		base = argv[0];
	/* *.example.org becomes wildcard.example.org, which a shell takes as it stands. */
	if (base == argv[0] && strncmp(base, "*.", 2) == 0) {
		prefix = "wildcard";
		base++;
	}
	(void)snprintf(path, sizeof path, "%s%s", prefix, base);
	return choose_paths(options, path, suffix);
}

/* --- what is printed afterwards --- */

static const char *
absolute(const char *path, char buf[PATH_MAX])
{
	return realpath(path, buf) != NULL ? buf : path;
}

static int
show_file(const char *path)
{
	struct tls_error error;
	char *text;

	if (tls_cert_show(path, &text, &error) != 0) {
		free(text);
		return failure(error.text);
	}
	(void)fputs(text, stdout);
	free(text);
	return EXIT_SUCCESS;
}

/* --- the actions --- */

static int
run_ca(struct cert_options *options, int argc, char **argv)
{
	struct tls_cert_order *order = &options->order;
	struct tls_error error;
	char host[HOST_NAME_MAX + 1] = "";
	int status;

	if (argc != 0)
		return usage("a CA has no names; unexpected", argv[0]);
	if (order->days == 0)
		order->days = CA_DAYS;
	if (order->subject == NULL) {
		if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0')
			(void)snprintf(host, sizeof host, "localhost");
		(void)snprintf(
		    options->subject, sizeof options->subject, "sallyport CA of %.40s", host);
		order->subject = options->subject;
	}
	if ((status = choose_paths(options, "ca", "crt")) != 0)
		return status;
	if (tls_cert_make(TLS_CERT_CA, order, &error) != 0)
		return failure(error.text);
	(void)printf("%s   the CA's certificate: import it into every client\n"
		     "%s   its private key: whoever has it can be any server to them\n\n",
	    order->cert_path, order->key_path);
	return show_file(order->cert_path);
}

static int
run_server(struct cert_options *options, int argc, char **argv)
{
	struct tls_cert_order *order = &options->order;
	char cert[PATH_MAX], key[PATH_MAX];
	struct tls_error error;
	int status;

	if (order->days == 0)
		order->days = SERVER_DAYS;
	if ((status = take_names(options, argc, argv, "crt")) != 0 ||
	    (status = choose_ca(options)) != 0)
		return status;
	if (tls_cert_make(TLS_CERT_SERVER, order, &error) != 0)
		return failure(error.text);
	(void)printf("%s   the certificate, signed by %s\n%s   its private key\n\n",
	    order->cert_path, order->ca_cert_path != NULL ? order->ca_cert_path : "itself",
	    order->key_path);
	if ((status = show_file(order->cert_path)) != 0)
		return status;
	(void)printf("\nFor sallyport.conf:\n\n    certificate = %s %s\n",
	    absolute(order->cert_path, cert), absolute(order->key_path, key));
	return 0;
}

static int
run_request(struct cert_options *options, int argc, char **argv)
{
	struct tls_cert_order *order = &options->order;
	struct tls_error error;
	char chain_path[PATH_MAX + 8], key[PATH_MAX];
	const char *key_abs;
	int status;

	order->days = SERVER_DAYS; /* not in a request; the CA decides */
	if ((status = take_names(options, argc, argv, "csr")) != 0)
		return status;
	if (tls_cert_make(TLS_CERT_REQUEST, order, &error) != 0)
		return failure(error.text);
	(void)printf(
	    "%s   the request: send it to the CA\n%s   the private key: send it to nobody\n",
	    order->cert_path, order->key_path);
	/* The CA's answer would lie beside the key. */
	key_abs = absolute(order->key_path, key);
	(void)snprintf(chain_path, sizeof chain_path, "%.*s.crt",
	    (int)(strlen(key_abs) - strlen(".key")), key_abs);
	(void)printf(
	    "\nFor sallyport.conf, when the CA has answered (its certificate first, then those\n"
	    "of the CAs between it and the root):\n\n    certificate = %s %s\n",
	    chain_path, key_abs);
	return 0;
}

static int
run_show(struct cert_options *options, int argc, char **argv)
{
	(void)options;
	return argc == 1 ? show_file(argv[0]) : usage("show wants one file", NULL);
}

static int
finish_output(void)
{
	return fflush(stdout) == 0 && ferror(stdout) == 0
		   ? EXIT_SUCCESS
		   : failure("standard output: cannot write");
}

static const struct {
	const char *name;
	const char *options; /* for getopt(3) */
	int (*run)(struct cert_options *options, int argc, char **argv);
} actions[] = {
    {"ca", "d:D:k:s:", run_ca},
    {"server", "c:d:D:k:o:s:S", run_server},
    {"request", "d:k:o:s:", run_request},
    {"show", "", run_show},
};

int
cmd_cert(int argc, char **argv)
{
	struct cert_options options = {.dir = ".", .order.key = TLS_CERT_P256};
	int status;

	if (argc < 2)
		return usage("what to do?", NULL);
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		(void)fputs(usage_text, stdout);
		return finish_output();
	}
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
		if (strcmp(argv[1], actions[i].name) != 0)
			continue;
		status = parse_options(&options, actions[i].options, argc - 1, argv + 1);
		if (status == 0)
			status = actions[i].run(&options, argc - 1 - optind, argv + 1 + optind);
		return status == 0 ? finish_output() : status;
	}
	return usage("there is no", argv[1]);
}
