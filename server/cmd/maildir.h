/*
 * maildir.h: `sallyport maildir check` and `sallyport maildir index`.
 */
#ifndef SERVER_CMD_MAILDIR_H
#define SERVER_CMD_MAILDIR_H

int cmd_maildir(int argc, char **argv);

#endif
