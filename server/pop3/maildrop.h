/*
 * maildrop.h: a POP3 maildrop: INBOX as it was at login, numbered from 1 (RFC 1939 section 4).
 *
 * Facts and bytes come from maildir/; marks are kept here and take effect in maildrop_update only.
 */
#ifndef SERVER_POP3_MAILDROP_H
#define SERVER_POP3_MAILDROP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct maildir;
struct maildir_reader;
struct maildrop;

enum { POP3_UIDL_MAX = 70 }; /* octets, RFC 1939 section 7 */

/*
 * Opens and locks INBOX.  Messages that cannot be read are left out (maildir/ gives a notice).
 * uidl_format: enum conf_uidl.  0; -1 with errno: EAGAIN when another session has the lock.
 */
int maildrop_open(struct maildir *maildir, int uidl_format, struct maildrop **drop_r);
/* Findings about messages are saved for the next session. */
void maildrop_close(struct maildrop **drop);

/* How many messages there are, marked ones included: the highest number. */
size_t maildrop_last(const struct maildrop *drop);

/* Messages that are left out because they cannot be read: how many, one of them, and why. */
struct maildrop_left_out {
	size_t messages;
	uint32_t uid;
	int error;
};
const struct maildrop_left_out *maildrop_left_out(const struct maildrop *drop);
struct maildir_folder *maildrop_folder(struct maildrop *drop);

/* Messages not marked as deleted, and their octets. */
void maildrop_stat(const struct maildrop *drop, size_t *count_r, uint64_t *octets_r);

/* Whether number (from 1) is a message that is not marked as deleted. */
bool maildrop_has(const struct maildrop *drop, uint32_t number);

/* Octets that RETR sends, its CRLF at the end included, stuffing and the last line not. */
uint64_t maildrop_octets(const struct maildrop *drop, uint32_t number);

/* 1 to 70 octets of 0x21 to 0x7e, different for every message ever. */
void maildrop_uidl(const struct maildrop *drop, uint32_t number, char uidl_r[POP3_UIDL_MAX + 1]);

/* Opens a message; maildrop_octets then tells of the file as it is now.  0, or -1 with errno. */
int maildrop_read(struct maildrop *drop, uint32_t number, struct maildir_reader **reader_r);

void maildrop_delete(struct maildrop *drop, uint32_t number);
void maildrop_seen(struct maildrop *drop, uint32_t number);
void maildrop_reset(struct maildrop *drop);

/* For QUIT: removes what is marked and, with mark_seen, marks as seen what was read.  Returns how many messages could
 * not be removed, and why in errno; *removed_r: how many were. */
size_t maildrop_update(struct maildrop *drop, bool mark_seen, size_t *removed_r);

#endif
