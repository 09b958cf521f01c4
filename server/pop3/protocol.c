/*
 * protocol.c: POP3's row.
 * Runs as: every process.
 */
#include "server/conf.h"
#include "server/pop3/pop3.h"

static struct protocol_times
times(const struct conf *conf)
{
	return (struct protocol_times){conf->pop3_idle_timeout, conf->pop3_login_delay};
}

const struct protocol protocol_pop3 = {
    .name = "pop3",
    .alpn = "pop3",
    .times = times,
    .prelogin = pop3_prelogin,
    .refuse = pop3_refuse,
    .open = pop3_open,
    .serve = pop3_serve,
};
