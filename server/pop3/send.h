/*
 * send.h: a message as the multi-line answer to RETR and TOP.
 */
#ifndef SERVER_POP3_SEND_H
#define SERVER_POP3_SEND_H

#include <stdint.h>

#include "server/channel.h"

struct maildir_reader;

#define POP3_ALL_LINES UINT64_MAX

/*
 * Sends header, blank line and up to lines lines of the body with every line that begins with a dot
 * stuffed, the first one too, then CRLF if the last line had none, then ".": RFC 1939 section 3.
 * An ended channel is no error.  -1: the message could not be read to its end.
 */
int pop3_send(struct channel *channel, struct maildir_reader *reader, uint64_t lines);

#endif
