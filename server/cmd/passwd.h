/* cmd_passwd.h: the subcommand `passwd`, which prints a line for the users file. */
#ifndef SERVER_CMD_PASSWD_H
#define SERVER_CMD_PASSWD_H

/* argv[0] is "passwd".  The exit status: 0 done, 1 it failed, 2 wrong usage. */
int cmd_passwd(int argc, char **argv);

#endif
