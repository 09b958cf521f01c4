/*
 * key.h: the key process, the only one that ever holds a private key or a ticket key.
 * Its other end, in workers, is key_ask.h.
 */
#ifndef SERVER_KEY_KEY_H
#define SERVER_KEY_KEY_H

struct conf;
struct roles;

/*
 * The whole life of the process, forked by master: reads the keys, says IPC_KEY_READY on control,
 * confines itself, then serves the channels that come over control until it is closed and the last
 * channel is gone.
 */
_Noreturn void key_main(const struct conf *conf, const struct roles *roles, int control);

#endif
