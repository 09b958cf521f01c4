/*
 * ipc.h: everything that crosses from one process to another.
 *
 * A message is a type and a payload of typed fields; never a struct, never a pointer.  A length is
 * checked before an octet is copied, and ipc_done tells whether a payload was read to its end just
 * so.  Between master, key process and the self-test a message is one packet of a SOCK_SEQPACKET
 * socket.  Between worker and reader, whose socket becomes a plain stream after login, it is a
 * record of IPC_RECORD octets exactly, whatever is in it (so that its length tells nothing).
 */
#ifndef SERVER_IPC_H
#define SERVER_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum ipc_type {
	/*
	 * worker -> reader, record; before login, at most one unanswered.
	 * bytes name, bytes password, string tls version, string cipher, u16 bits, u8 resumed,
	 * string sni (all that is the worker's word).  Answer: IPC_AUTH_RESULT.
	 */
	IPC_AUTH_PASSWORD = 1,
	/* reader -> worker, record; u8 enum ipc_verdict.  After IPC_ACCEPTED the stream is plain. */
	IPC_AUTH_RESULT,
	/*
	 * worker -> reader, record with one descriptor, the client's socket; only when the
	 * connection has no TLS, after IPC_ACCEPTED.  Behind it on the stream, until its end: the
	 * input that the client had sent behind its login.
	 */
	IPC_AUTH_SOCKET,
	/*
	 * child that checks credentials -> reader, packet; once.
	 * u8 enum auth_verdict, string reason, string name, u32 uid, u32 gid, string home.
	 */
	IPC_AUTH_CHECKED,
	/* reader (still root) -> master, packet; once: string user name.  Answer: IPC_LOGIN_RESULT. */
	IPC_LOGIN,
	/* master -> reader, packet; u8 enum ipc_verdict. */
	IPC_LOGIN_RESULT,
	/* key -> master, packet; once: string, empty when the keys are loaded, else what is wrong. */
	IPC_KEY_READY,
	/* master -> key, packet with one descriptor: a connection's channel.  No answer. */
	IPC_KEY_CHANNEL,
	/* worker -> key, packet on its channel, once: u8 key, pss, md, bytes hash. */
	IPC_KEY_SIGN,
	/* worker -> key, packet, once: bytes session. */
	IPC_KEY_SEAL,
	/* worker -> key, packet, twice: bytes ticket. */
	IPC_KEY_OPEN,
	/* key -> worker, packet; bytes, empty when refused. */
	IPC_KEY_RESULT,
};

/* How a login ends; the worker words it in its protocol. */
enum ipc_verdict {
	IPC_ACCEPTED,
	IPC_DENIED,	 /* name or password: never say which */
	IPC_UNAVAILABLE, /* accounts or mail cannot be read now */
	IPC_BROKEN,	 /* the administrator must mend something */
	IPC_IN_USE,	 /* another POP3 session has the maildrop */
	IPC_TOO_MANY,	 /* connections of this user */
	IPC_TOO_SOON,	 /* LOGIN-DELAY */
};

enum {
	IPC_RECORD = 2048, /* octets: name, password, SNI and cipher at their longest, and room */
	IPC_MAX = 4352,	   /* octets of any message: a home path, a ticket, an error text */
};

struct ipc_message {
	size_t len; /* octets in data: written, or received */
	size_t at;  /* next to read */
	bool bad;   /* a put or get went beyond its bounds */
	unsigned char data[IPC_MAX];
};

void ipc_begin(struct ipc_message *message, enum ipc_type type);
void ipc_put_u8(struct ipc_message *message, uint8_t value);
void ipc_put_u16(struct ipc_message *message, uint16_t value);
void ipc_put_u32(struct ipc_message *message, uint32_t value);
void ipc_put_u64(struct ipc_message *message, uint64_t value);
void ipc_put_bytes(struct ipc_message *message, const void *bytes, size_t len);
void ipc_put_string(struct ipc_message *message, const char *string);

/* The type of a received message, 0 when it is empty; gets go on behind it. */
unsigned ipc_open(struct ipc_message *message);
uint8_t ipc_get_u8(struct ipc_message *message);
uint16_t ipc_get_u16(struct ipc_message *message);
uint32_t ipc_get_u32(struct ipc_message *message);
uint64_t ipc_get_u64(struct ipc_message *message);
/* Octets copied to out_r (at most size); with more, or none left, the message is bad. */
size_t ipc_get_bytes(struct ipc_message *message, void *out_r, size_t size);
/* The same as a C string: refuses a NUL inside. */
void ipc_get_string(struct ipc_message *message, char *out_r, size_t size);
/* Whether every get was good and nothing is left (a record's padding excepted: see ipc_recv_record). */
bool ipc_done(const struct ipc_message *message);
/* Wipes a message that held a secret. */
void ipc_wipe(struct ipc_message *message);

/* Packets.  fd_pass -1: none.  0 or -1. */
int ipc_send(int fd, const struct ipc_message *message, int fd_pass);
/*
 * Waits up to timeout_ms (-1: for ever).  0, or -1 with errno (ETIMEDOUT, EPIPE at the end,
 * EMSGSIZE).  fd_r gets a descriptor that came along, or -1; NULL: none is expected, closed if any.
 */
int ipc_recv(int fd, struct ipc_message *message_r, int timeout_ms, int *fd_r);

/* Records.  The same, padded to IPC_RECORD on the way and without its padding on arrival. */
int ipc_send_record(int fd, const struct ipc_message *message, int fd_pass);
int ipc_recv_record(int fd, struct ipc_message *message_r, int timeout_ms, int *fd_r);

#endif
