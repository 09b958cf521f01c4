/*
 * protocol.c: IMAP's row.
 * Runs as: every process.
 */
#include "server/conf.h"
#include "server/imap/imap.h"

static struct protocol_times
times(const struct conf *conf)
{
	return (struct protocol_times){.idle = conf->imap_idle_timeout};
}

const struct protocol protocol_imap = {
    .name = "imap",
    .alpn = "imap",
    .times = times,
    .prelogin = imap_prelogin,
    .refuse = imap_refuse,
    .open = imap_open,
    .serve = imap_serve,
};
