/* cmd_cert.h: the subcommand `cert`, which makes and shows certificates. */
#ifndef SERVER_CMD_CERT_H
#define SERVER_CMD_CERT_H

/* argv[0] is "cert".  The exit status: 0 done, 1 it failed, 2 wrong usage. */
int cmd_cert(int argc, char **argv);

#endif
