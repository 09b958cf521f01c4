/*
 * run.h: `sallyport run`.
 */
#ifndef SERVER_CMD_RUN_H
#define SERVER_CMD_RUN_H

int cmd_run(int argc, char **argv);

#endif
