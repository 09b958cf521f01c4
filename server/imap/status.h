/*
 * status.h: STATUS for LIST ... RETURN (STATUS ...).
 */
#ifndef SERVER_IMAP_STATUS_H
#define SERVER_IMAP_STATUS_H

#include <stdbool.h>

#include "server/imap/args.h"

struct session;

/* Reads "(MESSAGES UNSEEN)": a bit for each item.  false: malformed. */
bool status_items(struct args *args, unsigned *items_r);

/* Says the untagged STATUS.  -1: errno, and nothing was said. */
int status_tell(struct session *session, const char *folder, unsigned items);

#endif
