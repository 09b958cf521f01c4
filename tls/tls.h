/*
 * tls.h: TLS for a server, on mbedTLS 2.28 (TLS 1.2) or 3.6 (TLS 1.2 and 1.3).
 *
 * The only header of tls/ for what serves; `sallyport cert` includes cert.h too, and all others are
 * private.  A leaf library: it logs nothing, never exits and knows no process.  It has two sides that
 * share no memory in a running server:
 *
 *   tls_server, tls_stream   certificates (public) and connections; in a worker
 *   tls_keys, tls_tickets    private keys and ticket keys; in the key process only
 *
 * A worker asks the other side through struct tls_key_service, whose functions the program
 * provides. mbedtls_pk_sign and mbedtls_pk_sign_ext are defined in signer.c, so that libmbedtls
 * itself calls ours; without a service a handshake fails (it never falls back).  So are the functions that
 * hash what is to be signed, since the key process hashes that itself.
 *
 * Random numbers come from getrandom(2) alone: nothing is seeded, nothing survives fork.  All
 * lengths are in octets.  x_free takes the pointer's address, and leaves NULL; it takes NULL too.
 */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* A failure as one line for a log or a terminal: no newline, always terminated. */
struct tls_error {
	char text[512];
};

/* --- the questions that a worker asks the key process --- */

enum {
	TLS_SIGNED_MAX = 165,	  /* octets that a signature covers: TLS 1.2 with P-384 */
	TLS_SIGNATURE_MAX = 1024, /* octets: RSA-8192 */
	TLS_TICKET_MAX = 2048,	/* octets of a sealed or plain session; larger ones get no ticket */
	TLS_SEAL_OVERHEAD = 64, /* octets that sealing adds at most */
	TLS_SIGNATURES = 1,	/* per connection: a handshake needs just one */
	TLS_SEALS = 1,		/* per connection */
	TLS_OPENS = 2,		/* per connection: two, as TLS 1.3 clients may offer two */
	TLS_TICKET_LIFETIME = 7200, /* seconds: for clients, and for tls_tickets_new */
};

struct tls_sign_request {
	uint8_t key; /* number of the certificate, as tls_server_add returned it */
	uint8_t md;  /* mbedtls_md_type_t */
	uint8_t len;
	/*
	 * What the signature covers, in full.  TLS 1.2: both randoms and the parameters of the key exchange (RFC 8422
	 * section 5.4).  TLS 1.3: 64 blanks, "TLS 1.3, server CertificateVerify", an octet 0 and the hash of the
	 * transcript (RFC 8446 section 4.4.3).
	 */
	unsigned char content[TLS_SIGNED_MAX];
};

/* Each function returns the number of octets written to out (at most size), or -1. */
struct tls_key_service {
	void *ctx;
	ssize_t (*sign)(
	    void *ctx, const struct tls_sign_request *request, unsigned char *out, size_t size);
	ssize_t (*seal)(
	    void *ctx, const unsigned char *plain, size_t len, unsigned char *out, size_t size);
	ssize_t (*open)(
	    void *ctx, const unsigned char *sealed, size_t len, unsigned char *out, size_t size);
};

/* --- a server's public side --- */

struct tls_server;

/* A server without certificates.  NULL: no memory. */
struct tls_server *tls_server_new(void);
void tls_server_free(struct tls_server **server);

/*
 * Adds the certificate chain in the PEM file at path (leaf first) and returns its number, counted
 * from 0; -1 with error set.  The first one serves clients that name no host or an unknown one; of
 * several certificates for the same name an ECDSA one is preferred.  A file that also holds a
 * private key is refused, and what was read of it is wiped.
 */
int tls_server_add(struct tls_server *server, const char *path, struct tls_error *error);

/* To be called once after the last tls_server_add: 0, or -1 with error set. */
int tls_server_ready(struct tls_server *server, struct tls_error *error);

/* The number of certificates. */
size_t tls_server_count(const struct tls_server *server);

/*
 * A certificate as a line of text for logs and for `sallyport check`: names, until when, issuer,
 * SHA-256 of the leaf as OpenSSL prints it.  buf is always terminated; -1: no such, or cut short.
 */
int tls_server_describe(const struct tls_server *server, size_t index, char *buf, size_t size);

enum { TLS_FINDINGS_MAX = 8 }; /* the rest comes after these are mended */

struct tls_findings {
	size_t len;
	struct tls_finding {
		bool wrong; /* clients refuse it; else they will soon */
		char text[400];
	} list[TLS_FINDINGS_MAX];
};

/*
 * Reasons for clients to refuse a certificate's chain at this time, or soon: expired or not yet
 * valid, an intermediate that is missing, a wrong order, no names.  An unknown index has no
 * findings.
 */
void tls_server_findings(
    struct tls_server *server, size_t index, time_t now, struct tls_findings *findings_r);

/*
 * Proves that keys are where they should be: for every certificate a handshake with a client in
 * this process, over memory, with signatures by service only.  TLS 1.2, and 1.3 where there is one.
 * 0, or -1 with error set.  To be called in a process of its own (it leaves traces of TLS state).
 */
int tls_server_selftest(
    struct tls_server *server, const struct tls_key_service *service, struct tls_error *error);

/* --- a connection --- */

enum tls_result {
	TLS_OK = 0,
	TLS_WANT_READ = -1,  /* wait until the descriptor is readable, call again */
	TLS_WANT_WRITE = -2, /* likewise writable */
	TLS_CLOSED = -3,     /* the peer ended the stream properly (close_notify) */
	TLS_EOF = -4,	 /* the connection ended, or was reset, without close_notify: truncated */
	TLS_FAILED = -5, /* see tls_stream_error; the stream may only be freed */
};

struct tls_stream;

/* The outcome of the handshake, for the log.  Pointers live as long as the stream. */
struct tls_info {
	const char *version; /* "1.2", "1.3" */
	const char *cipher;  /* IANA name, e.g. TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 */
	int bits;	     /* of the symmetric key: 128 or 256 */
	bool resumed;
	const char *sni;  /* the host that the client asked for, or "" */
	const char *alpn; /* "" if the client offered no protocol */
};

/* First thing in a process that will handshake (PSA for 3.6; nothing on 2.28).  0 or -1. */
int tls_process_init(void);

/*
 * A server stream over the non-blocking socket fd (borrowed), offering one ALPN protocol ("pop3",
 * "imap"); clients without ALPN are served, clients with another are refused.  The server object
 * becomes this stream's own until it is freed (a process has one stream).  service is borrowed.
 */
struct tls_stream *tls_stream_new(
    struct tls_server *server, int fd, const char *alpn, const struct tls_key_service *service);
void tls_stream_free(struct tls_stream **stream);

/* TLS_OK when done (repeated until then); output is collected and sent in few system calls. */
enum tls_result tls_handshake(struct tls_stream *stream);

/* Reads up to size octets of plain text: > 0 their number, else an enum tls_result. */
ssize_t tls_read(struct tls_stream *stream, void *buf, size_t size);

/* Whether plain text, or records not yet opened, wait in memory: poll(2) would not tell. */
bool tls_pending(const struct tls_stream *stream);

/*
 * Writes up to len octets: > 0 the number taken, else an enum tls_result.  After TLS_WANT_* the
 * caller need not remember what it had asked: the stream keeps its own copy of a pending record
 * and finishes that first, so that any later call with the same or more octets is right.
 */
ssize_t tls_write(struct tls_stream *stream, const void *buf, size_t len);

/* Sends what is pending inside.  TLS_OK, TLS_WANT_WRITE or TLS_FAILED. */
enum tls_result tls_flush(struct tls_stream *stream);

/* Sends close_notify once, waits for nothing. */
void tls_close(struct tls_stream *stream);

void tls_stream_info(const struct tls_stream *stream, struct tls_info *info_r);
const char *tls_stream_error(const struct tls_stream *stream);

/*
 * The fatal alert by which the peer ended the stream, as a constant for a log, for instance "client
 * refused the certificate: unknown CA"; NULL: it sent no alert.
 */
const char *tls_stream_alert(const struct tls_stream *stream);

/* --- the key process's side --- */

struct tls_keys;

struct tls_keys *tls_keys_new(void);
void tls_keys_free(struct tls_keys **keys);

/*
 * Reads the private key at key_path (PEM, not encrypted), which must belong to the leaf of the chain
 * at chain_path, and gives it the next number.  0, or -1 with error set.  Refused: a file that is
 * not regular, that group or others may read or write (error says which chmod to type), a key that
 * does not fit, RSA below 2048 bits, EC other than P-256 and P-384.
 */
int tls_keys_add(
    struct tls_keys *keys, const char *chain_path, const char *key_path, struct tls_error *error);

/* Whether one of them is an RSA key, which signs slowly. */
bool tls_keys_have_rsa(const struct tls_keys *keys);

/*
 * Signs once: octets written, or -1.  All fields of the request are checked, and nothing is signed but what a server
 * signs in a handshake: no certificate, no text of another protocol, no digest.
 */
ssize_t tls_keys_sign(
    struct tls_keys *keys, const struct tls_sign_request *request, unsigned char *out, size_t size);

/*
 * Session tickets: AES-256-GCM, two keys, the older one only opens; rotated every lifetime / 2; the
 * time of issue is inside.  lifetime and now are in seconds; now is a monotonic clock.  A ticket opens only for
 * the network for which it was sealed.  Processes that are forked after tls_tickets_new have the same keys for ever:
 * each key is derived from the one before, which cannot be had back.  Sealing and opening return the octets written,
 * or -1.
 */
struct tls_tickets;

struct tls_tickets *tls_tickets_new(unsigned lifetime, int64_t now);
void tls_tickets_free(struct tls_tickets **tickets);
ssize_t tls_tickets_seal(struct tls_tickets *tickets, int64_t now, uint64_t network,
    const unsigned char *plain, size_t len, unsigned char *out, size_t size);
ssize_t tls_tickets_open(struct tls_tickets *tickets, int64_t now, uint64_t network,
    const unsigned char *sealed, size_t len, unsigned char *out, size_t size);

/* --- the library --- */

/* "mbed TLS 3.6.6"; and a warning about the run-time version, or NULL. */
const char *tls_library_version(void);
const char *tls_library_warning(void);

#endif
