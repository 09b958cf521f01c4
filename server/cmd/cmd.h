/*
 * cmd.h: the subcommands, a file each.  argv[0] is the subcommand's name; they return the exit status.
 */
#ifndef SERVER_CMD_CMD_H
#define SERVER_CMD_CMD_H

#include <stdio.h>

struct conf_complaints;

enum { CMD_USAGE = 2 }; /* exit status for a wrong command line; 1: the command failed */

#define CMD_CONF_PATH SALLYPORT_ETC "/sallyport/sallyport.conf"

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_passwd(int argc, char **argv);
int cmd_cert(int argc, char **argv);
int cmd_maildir(int argc, char **argv);
int cmd_role(int argc, char **argv); /* not for people: see role.c */

/* Prints each complaint about the configuration at path as "path:line: text". */
void check_print(FILE *to, const char *path, const struct conf_complaints *complaints);

#endif
