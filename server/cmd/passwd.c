/*
 * passwd.c: sallyport passwd NAME: asks for a password, prints a line for the users file.
 * Runs as: the user who types it.
 *
 * Only that line goes to standard output, so that it can be appended to the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <termios.h>
#include <unistd.h>

#include "auth/account.h"
#include "auth/scheme.h"
#include "auth/usersfile.h"
#include "server/cmd/cmd.h"

enum {
	PASSWORD_SIZE = AUTH_PASSWORD_MAX + 2, /* octets: with the CR of a CRLF, and a NUL */
	HASH_SIZE = 512,		       /* octets: {CRYPT} and CRYPT_OUTPUT_SIZE */
	ID_SIZE = 16,			       /* octets: a 32 bit number in decimal */
};

/* The fields of the line other than the hash: from the options or from the system's account. */
struct passwd_fields {
	const char *name;
	const char *uid, *gid, *home;
	char system_uid[ID_SIZE], system_gid[ID_SIZE];
};

static const char usage_text[] =
    "usage: sallyport passwd [-u UID] [-g GID] [-h HOME] NAME\n"
    "\n"
    "  NAME     the user name, with its domain if it has one\n"
    "  -u UID   the uid that reads the mail (that of the system account NAME)\n"
    "  -g GID   the gid (likewise)\n"
    "  -h HOME  the home, an absolute path (likewise)\n"
    "\n"
    "The password is asked for twice; when standard input is no terminal, one line of it is "
    "read.\n";

static int
usage(const char *problem, const char *detail)
{
	(void)fprintf(stderr, "sallyport passwd: %s%s%s\n\n%s", problem, detail != NULL ? ": " : "",
	    detail != NULL ? detail : "", usage_text);
	return CMD_USAGE;
}

static int
fail(const char *problem)
{
	(void)fprintf(stderr, "sallyport passwd: %s\n", problem);
	return -1;
}

/* --- the password --- */

/* Signals that would leave the terminal without echo if they ended or stopped the process while it asks. */
static const int terminal_signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU};

enum { TERMINAL_SIGNALS = sizeof(terminal_signals) / sizeof(terminal_signals[0]) };

/* The last of these signals that came, or 0. */
static volatile sig_atomic_t caught;

static void
on_signal(int number)
{
	caught = number;
}

/*
 * Reads a line without its end, LF or CRLF.  It reads octet by octet, since stdio would keep a copy of the
 * password.  mask: signals blocked while it waits, or NULL.  Returns NULL, or what is wrong.
 */
static const char *
read_line(int fd, const sigset_t *mask, char line_r[PASSWORD_SIZE])
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	size_t len = 0;
	ssize_t got;
	char c;

	for (;;) {
		/* The signals are blocked everywhere else, so that none is missed before read(2). */
		got = mask == NULL || ppoll(&wait, 1, NULL, mask) == 1 ? read(fd, &c, 1) : -1;
		if (got == -1)
			return "the password cannot be read";
		if (got == 0 || c == '\n')
			break;
		if (c == '\0')
			return "a password cannot hold a NUL";
		if (len == PASSWORD_SIZE - 1)
			return "the password is too long (511 octets at most)";
		line_r[len++] = c;
	}
	if (len > 0 && line_r[len - 1] == '\r')
		len--;
	line_r[len] = '\0';
	if (len == 0)
		return "the password is empty";
	return len > AUTH_PASSWORD_MAX ? "the password is too long (511 octets at most)" : NULL;
}

/* Prompts and reads a line while the terminal does not echo.  Returns NULL, or what is wrong. */
static const char *
ask_silently(int tty, const char *prompt, const sigset_t *mask, char line_r[PASSWORD_SIZE])
{
	struct termios before, silent;
	const char *problem = "the terminal does not answer";

	if (tcgetattr(tty, &before) == -1)
		return problem;
	silent = before;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	if (tcsetattr(tty, TCSAFLUSH, &silent) == -1)
		return problem;
	if (write(tty, prompt, strlen(prompt)) != -1)
		problem = read_line(tty, mask, line_r);
	if (write(tty, "\n", 1) == -1 && problem == NULL)
		problem = "the terminal cannot be written to";
	/* A background process must not be stopped here, while the terminal is still silent. */
	while (tcsetattr(tty, TCSAFLUSH, &before) == -1 && errno == EINTR && caught != SIGTTOU)
		continue;
	return problem;
}

/* Does the same; signals take effect after the terminal echoes again. */
static const char *
ask(int tty, const char *prompt, char line_r[PASSWORD_SIZE])
{
	struct sigaction action, before[TERMINAL_SIGNALS];
	const char *problem;
	sigset_t block, mask;
	int i;

	sigemptyset(&block);
	for (i = 0; i < TERMINAL_SIGNALS; i++)
		sigaddset(&block, terminal_signals[i]);
	do {
		memset(&action, 0, sizeof(action));
		action.sa_handler = on_signal; /* without SA_RESTART: read(2) must return */
		caught = 0;
		for (i = 0; i < TERMINAL_SIGNALS; i++)
			if (sigaction(terminal_signals[i], &action, &before[i]) == -1)
				return "signals cannot be caught";
		if (sigprocmask(SIG_BLOCK, &block, &mask) == -1)
			return "signals cannot be blocked";
		problem = ask_silently(tty, prompt, &mask, line_r);
		(void)sigprocmask(SIG_SETMASK, &mask, NULL);
		for (i = 0; i < TERMINAL_SIGNALS; i++)
			(void)sigaction(terminal_signals[i], &before[i], NULL);
		if (caught != 0)
			(void)raise(caught);
	} while (caught == SIGTSTP || caught == SIGTTIN || caught == SIGTTOU);
	return caught != 0 ? "interrupted" : problem;
}

/* Reads the password twice from the terminal, or once from standard input.  Returns 0; or -1 after it said why. */
static int
get_password(char password_r[PASSWORD_SIZE])
{
	char again[PASSWORD_SIZE] = "";
	const char *problem;
	int tty;

	if (!isatty(STDIN_FILENO)) {
		problem = read_line(STDIN_FILENO, NULL, password_r);
		return problem == NULL ? 0 : fail(problem);
	}
	tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
	if (tty == -1)
		return fail("the terminal cannot be opened");
	problem = ask(tty, "Password: ", password_r);
	if (problem == NULL)
		problem = ask(tty, "The same again: ", again);
	if (problem == NULL && strcmp(password_r, again) != 0)
		problem = "the two passwords differ: nothing was done";
	explicit_bzero(again, sizeof(again));
	(void)close(tty);
	return problem == NULL ? 0 : fail(problem);
}

/* --- the line --- */

/* Fields that no option gave come from the system's account of that name, if there is one. */
static int
complete_fields(struct passwd_fields *fields)
{
	const struct passwd *pwd = NULL;

	if (fields->uid != NULL && fields->gid != NULL && fields->home != NULL)
		return 0;
	pwd = getpwnam(fields->name);
	if (pwd == NULL && fields->uid == NULL)
		return fail("the system has no account of that name: give the uid with -u");
	if (pwd == NULL && fields->gid == NULL)
		return fail("the system has no account of that name: give the gid with -g");
	if (pwd == NULL)
		return fail("the system has no account of that name: give the home with -h");
	(void)snprintf(fields->system_uid, ID_SIZE, "%lu", (unsigned long)pwd->pw_uid);
	(void)snprintf(fields->system_gid, ID_SIZE, "%lu", (unsigned long)pwd->pw_gid);
	fields->uid = fields->uid != NULL ? fields->uid : fields->system_uid;
	fields->gid = fields->gid != NULL ? fields->gid : fields->system_gid;
	fields->home = fields->home != NULL ? fields->home : pwd->pw_dir;
	return 0;
}

static int
make_line(const struct passwd_fields *fields, const char *hash, char line_r[USERSFILE_LINE_MAX])
{
	int len = snprintf(line_r, USERSFILE_LINE_MAX, "%s:%s:%s:%s::%s::", fields->name, hash,
	    fields->uid, fields->gid, fields->home);

	return len < 0 || len >= USERSFILE_LINE_MAX ? fail("the line would be too long") : 0;
}

/* Parses the line as the server will: the printed line must mean what was asked for. */
static int
check_line(char line[USERSFILE_LINE_MAX], const struct passwd_fields *fields)
{
	struct usersfile_entry entry;
	const char *reason, *c;

	for (c = line; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == '\x7f')
			return fail("a field holds a control character");
	if (strchr(fields->uid, ':') != NULL || strchr(fields->gid, ':') != NULL ||
	    strchr(fields->home, ':') != NULL)
		return fail("no field can hold a colon");
	if (usersfile_parse(line, &entry, &reason) != USERSFILE_ENTRY)
		return fail(reason);
	if (entry.uid == 0 || entry.gid == 0)
		return fail("mail is never read as root: give other numbers with -u and -g");
	if (entry.home[0] != '/')
		return fail("the home must be an absolute path: give it with -h");
	return 0;
}

/* Checks everything else first, then asks for the password, and prints the line. */
static int
print_line(const struct passwd_fields *fields)
{
	char password[PASSWORD_SIZE] = "";
	char line[USERSFILE_LINE_MAX];
	char hash[HASH_SIZE];
	int result;

	if (make_line(fields, "!", line) == -1 || check_line(line, fields) == -1)
		return -1;
	result = get_password(password);
	if (result == 0 && scheme_hash(password, hash, sizeof(hash)) == -1)
		result = fail("the password cannot be hashed: no memory or no random numbers");
	explicit_bzero(password, sizeof(password));
	if (result == 0)
		result = make_line(fields, hash, line);
	if (result == 0 && (puts(line) == EOF || fflush(stdout) == EOF))
		result = fail("the line cannot be written");
	return result;
}

int
cmd_passwd(int argc, char **argv)
{
	struct passwd_fields fields = {0};
	int option;

	/* Keep the password out of core files and away from debuggers of this user. */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	optind = 1;
	opterr = 0;
	while ((option = getopt(argc, argv, "u:g:h:")) != -1) {
		switch (option) {
		case 'u':
			fields.uid = optarg;
			break;
		case 'g':
			fields.gid = optarg;
			break;
		case 'h':
			fields.home = optarg;
			break;
		default:
			return usage("an unknown option, or one without its value", NULL);
		}
	}
	if (argc - optind != 1)
		return usage("one NAME is wanted", NULL);
	fields.name = argv[optind];
	if (!auth_name_valid(fields.name, strlen(fields.name)))
		return usage("not a user name (letters, digits and ._+=@- only)", fields.name);
	if (complete_fields(&fields) == -1 || print_line(&fields) == -1)
		return 1;
	return 0;
}
