/*
 * key.h: the key process, the only one that ever holds a private key or a ticket key.
 * The other end, in workers, is key_ask.h.
 */
#ifndef SERVER_KEY_KEY_H
#define SERVER_KEY_KEY_H

struct conf;
struct service_users;

/*
 * The whole life of the process, started by master: reads the keys, confines itself, sends IPC_READY on
 * control, then serves the channels that come over control until it is closed and the last channel is gone.
 */
_Noreturn void key_main(const struct conf *conf, const struct service_users *users, int control);

#endif
