/*
 * ipc.h: everything that crosses from one process to another.
 *
 * A message is a type and a payload of typed fields; never a struct, never a pointer.  A length is checked
 * before an octet is copied, and ipc_done tells whether a payload was read exactly to its end.  Between master,
 * key process and the self-test a message is one packet of a SOCK_SEQPACKET socket.  The socket between worker
 * and reader becomes a plain stream after login; there a message is a record of exactly IPC_RECORD octets,
 * whatever is in it, so that its length tells nothing.
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
	 * string sni (all of it as the worker claims).  Answer: IPC_AUTH_RESULT.
	 */
	IPC_AUTH_PASSWORD = 1,
	/* reader -> worker, record; u8 enum ipc_verdict.  After IPC_ACCEPTED the stream is plain. */
	IPC_AUTH_RESULT,
	/*
	 * worker -> reader, record with one descriptor, the client's socket; only when the
	 * connection has no TLS, after IPC_ACCEPTED.  After it on the stream, until its end: the
	 * input that the client had sent after its login.
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
	/*
	 * master -> key, packet with one descriptor, a connection's channel: u8 signatures that it may ask, u32 and u32
	 * the client's network (high half first), u32 id of the connection, 0: none.  Answer: IPC_KEY_SIGNED.
	 */
	IPC_KEY_CHANNEL,
	/* worker -> key, packet on its channel, once: u8 key, md, bytes content (struct tls_sign_request). */
	IPC_KEY_SIGN,
	/* worker -> key, packet, once: bytes session. */
	IPC_KEY_SEAL,
	/* worker -> key, packet, twice: bytes ticket. */
	IPC_KEY_OPEN,
	/* key -> worker, packet; bytes, empty when refused. */
	IPC_KEY_RESULT,
	/*
	 * master -> log, key and spawners, packet with one descriptor, the configuration's text; first and once:
	 * u32 uid and gid of workers, of the key process.  With a second descriptor, the log channel.
	 * Answer: IPC_READY.
	 */
	IPC_START,
	/* key and spawner -> master, packet; once: string, empty when all is loaded, else what is wrong. */
	IPC_READY,
	/*
	 * master -> spawner of workers, packet with the client's socket, the socketpair, the key channel, the log
	 * channel if there is one: u32 id, string protocol, u8 tls, u8 loopback, u32 ms to
	 * log in.
	 * Answer: IPC_SPAWN_ENDED when the worker has ended, or if none could be made.
	 */
	IPC_SPAWN_WORKER,
	/*
	 * master -> spawner of readers, packet with the worker's socketpair, that for IPC_LOGIN, the log channel if
	 * there is one: u32 id, string protocol, u8 suspect, u32 ms to answer the login.
	 * Answer: IPC_SPAWN_ENDED.
	 */
	IPC_SPAWN_READER,
	/* master -> spawner of workers, packet with a key channel.  Answer: IPC_SPAWN_ENDED with id 0. */
	IPC_SPAWN_SELFTEST,
	/* master -> spawner of readers, packet: log the wrong lines of the users file.  No answer. */
	IPC_SPAWN_USERS,
	/* master -> spawner, packet: u32 id of a connection, 0: all of them, u8 signal for the child.  No answer. */
	IPC_SPAWN_SIGNAL,
	/* master -> spawner of workers, packet: u8 first, log what the certificates are and their problems.  No answer. */
	IPC_SPAWN_REPORT,
	/* checking -> hashing, packet; once: string hash, string password, u8 plain allowed, string fallback. */
	IPC_AUTH_HASH,
	/* hashing -> checking, packet; u8 enum scheme_result. */
	IPC_AUTH_HASHED,
	/* spawner -> master, packet: u32 id, u32 status as of wait(2); SPAWN_FAILED if it could not be forked. */
	IPC_SPAWN_ENDED,
	/*
	 * reader (still root) -> master, packet; before the check, if reader_start.suspect says so: string user
	 * name, as the client gave it.  Answer: IPC_LOGIN_WAIT.
	 */
	IPC_LOGIN_TRY,
	/* reader (still root) -> master, packet; once, after a wrong login: string user name.  Answer: IPC_LOGIN_WAIT. */
	IPC_LOGIN_FAILED,
	/* master -> reader, packet; u32 ms: to the check, or until a failure may be answered. */
	IPC_LOGIN_WAIT,
	/*
	 * every process -> log, packet on its channel, and from master on control: u8 level, u32 id, string address,
	 * u16 port (these three count from master only), string module, string event, then pairs of strings, key
	 * and value, to the end.  No answer.
	 */
	IPC_LOG_LINE,
	/*
	 * master -> log, packet with one descriptor, the channel of a process: u32 id of its connection or 0,
	 * string role, string address, u16 port.  No answer.
	 */
	IPC_LOG_CHANNEL,
	/* master -> log, packet: u32 id, string user: the reader of that connection may have a session.  No answer. */
	IPC_LOG_USER,
	/* master -> log, packet: u8 whether lines go to syslog, else to standard error.  No answer. */
	IPC_LOG_TARGET,
	/* key -> master, packet: u32 id of a connection whose worker gets a signature. */
	IPC_KEY_SIGNED,
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
	IPC_FDS_MAX = 4,   /* descriptors of a message */
	IPC_RECORD = 2048, /* octets: name, password, SNI and cipher at their longest, and room */
	IPC_MAX = 4352,	   /* octets of any message: a home path, a ticket, an error text */
};

struct ipc_message {
	size_t len; /* octets in data: written, or received */
	size_t at;  /* next to read */
	bool bad;   /* a put or get was beyond its bounds */
	unsigned char data[IPC_MAX];
};

void ipc_begin(struct ipc_message *message, enum ipc_type type);
void ipc_put_u8(struct ipc_message *message, uint8_t value);
void ipc_put_u16(struct ipc_message *message, uint16_t value);
void ipc_put_u32(struct ipc_message *message, uint32_t value);
void ipc_put_bytes(struct ipc_message *message, const void *bytes, size_t len);
void ipc_put_string(struct ipc_message *message, const char *string);

/* Begins to read a message: returns its type, 0 if it is empty. */
unsigned ipc_open(struct ipc_message *message);
uint8_t ipc_get_u8(struct ipc_message *message);
uint16_t ipc_get_u16(struct ipc_message *message);
uint32_t ipc_get_u32(struct ipc_message *message);
/* Copies octets to out_r and returns how many; if there are more than size, the message is bad. */
size_t ipc_get_bytes(struct ipc_message *message, void *out_r, size_t size);
/* The same as a C string; with a NUL inside, the message is bad. */
void ipc_get_string(struct ipc_message *message, char *out_r, size_t size);
/* Whether every get was good and nothing is left. */
bool ipc_done(const struct ipc_message *message);
/* Wipes a message that held a secret. */
void ipc_wipe(struct ipc_message *message);

/* Sends a packet, with a descriptor (fd_pass -1: none).  Returns 0, or -1 with errno. */
int ipc_send(int fd, const struct ipc_message *message, int fd_pass);
/*
 * Waits up to timeout_ms (-1: for ever) for a packet.  Returns 0, or -1 with errno (ETIMEDOUT, EPIPE at the end,
 * EMSGSIZE).  *fd_r is a descriptor that came along, or -1.  fd_r NULL: no descriptor is expected, and the kernel
 * drops one that comes.
 */
int ipc_recv(int fd, struct ipc_message *message_r, int timeout_ms, int *fd_r);

/* The same with n descriptors, at most IPC_FDS_MAX.  Sending never waits (EAGAIN); a descriptor that is missing is -1. */
int ipc_post(int fd, const struct ipc_message *message, const int fds[], size_t n);
int ipc_recv_fds(int fd, struct ipc_message *message_r, int timeout_ms, int fds_r[], size_t n);

/* The same with records: padded to IPC_RECORD on the way, without the padding after arrival. */
int ipc_send_record(int fd, const struct ipc_message *message, int fd_pass);
int ipc_recv_record(int fd, struct ipc_message *message_r, int timeout_ms, int *fd_r);

#endif
