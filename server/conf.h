/*
 * conf.h: the configuration, lines of "name = value"; see sallyport.conf(5).
 *
 * A typed table in conf.c has every setting with its default and its bounds.  A configuration is read
 * whole, checked whole, and never changed after that.
 */
#ifndef SERVER_CONF_H
#define SERVER_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/socket.h>

#include "server/log.h"

enum {
	CONF_LISTENERS_MAX = 32,    /* sockets; a machine with more addresses uses the wildcard */
	CONF_CERTIFICATES_MAX = 64, /* all are in every worker's memory */
	CONF_LINE_MAX = 4096,	    /* octets, so that two paths fit */
	CONF_CONNECTIONS_MAX = 100000, /* at most in max_connections: a session has two processes */
	CONF_COMPLAINTS_MAX = 20,      /* reported at once; the others after these are mended */
};

enum conf_accounts { CONF_ACCOUNTS_SYSTEM, CONF_ACCOUNTS_FILE };
enum conf_clear { CONF_CLEAR_NEVER, CONF_CLEAR_LOOPBACK };
/* Dovecot's forms of UIDLs, in the order of the setting's words. */
enum conf_uidl {
	CONF_UIDL_HEX_UID,	/* %08Xu%08Xv */
	CONF_UIDL_HEX_VALIDITY, /* %08Xv%08Xu */
	CONF_UIDL_DOT,		/* %v.%u */
	CONF_UIDL_DOT_UID,	/* %u.%v */
	CONF_UIDL_DASH,		/* %v-%u */
	CONF_UIDL_COURIER,	/* UID%u-%v */
	CONF_UIDL_UID,		/* %u */
	CONF_UIDL_FILE,		/* %f */
	CONF_UIDL_GUID,		/* %g */
};
enum conf_log_tls { CONF_LOG_TLS_BRIEF, CONF_LOG_TLS_FULL };

/* An address to listen on: which protocol, and whether TLS begins at once. */
struct conf_listener {
	const struct protocol *protocol;
	bool tls; /* implicit TLS; else STLS or STARTTLS */
	struct sockaddr_storage address;
	socklen_t address_len;
	char text[64]; /* "192.0.2.1:995", "[::]:995" */
};

struct conf_certificate {
	char *chain, *key; /* paths */
	unsigned line;	   /* of the file */
};

struct conf {
	int text_fd; /* a sealed memory file with the text that was read, for other processes; or -1 */
	struct conf_listener listeners[CONF_LISTENERS_MAX];
	size_t listeners_len;
	struct conf_certificate certificates[CONF_CERTIFICATES_MAX];
	size_t certificates_len;

	int accounts; /* enum conf_accounts */
	char *users_file;
	bool allow_plain_passwords;
	int64_t min_uid;
	char *maildir; /* "~/Maildir", with %u, %n, %d */
	bool mark_seen;
	int pop3_uidl_format; /* enum conf_uidl */

	char *worker_user, *key_user, *empty_dir;
	int log;	    /* enum log_target */
	int log_tls;	    /* enum conf_log_tls */
	int login_in_clear; /* enum conf_clear */

	int64_t max_connections, max_per_address, max_before_login, max_per_user;
	int64_t login_timeout, pop3_idle_timeout, imap_idle_timeout, imap_still_here; /* ms */
	int64_t shutdown_wait;							      /* ms */
	int64_t login_failures;
	int64_t failure_delay;	      /* ms */
	int64_t pop3_login_delay;     /* ms */
	int64_t memory, append_limit; /* octets */

	/* IMAP's special uses: names of folders, or NULL: then the usual names decide */
	char *drafts_folder, *sent_folder, *trash_folder, *junk_folder, *archive_folder;
	bool make_special_folders;
};

/* The faults of a configuration: each text is one line, and ends with what to write instead. */
struct conf_complaints {
	size_t len;
	struct {
		unsigned line; /* 0: about several settings */
		char text[400];
	} list[CONF_COMPLAINTS_MAX];
};

/* Reads path.  Returns NULL if anything is wrong: then complaints_r has at least one entry. */
struct conf *conf_load(const char *path, struct conf_complaints *complaints_r);

/* The same from the text_fd of another process, which stays open. */
struct conf *conf_load_text(int text_fd, struct conf_complaints *complaints_r);

/* The same from memory, which it changes: text has room for a NUL after its len octets. */
struct conf *conf_parse(char *text, size_t len, struct conf_complaints *complaints_r);

void conf_free(struct conf **conf);

#endif
