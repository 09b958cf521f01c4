/*
 * check.h: `sallyport check`, and how complaints about a configuration are shown.
 */
#ifndef SERVER_CMD_CHECK_H
#define SERVER_CMD_CHECK_H

#include <stdio.h>

#include "server/conf.h"

#define CHECK_CONF_PATH SALLYPORT_ETC "/sallyport/sallyport.conf"

int cmd_check(int argc, char **argv);

/* "file:line: text" for each. */
void check_print(FILE *to, const char *path, const struct conf_complaints *complaints);

#endif
