/*
 * protocol.c: POP3's row.
 * Runs as: every process.
 */
#include "server/pop3/session.h"

const struct protocol protocol_pop3 = {
    .name = "pop3",
    .alpn = "pop3",
    .prelogin = pop3_prelogin,
    .refuse = pop3_refuse,
    .open = pop3_open,
    .serve = pop3_serve,
};
