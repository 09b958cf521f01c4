/*
 * users_file.h: looks at the users file when it is new or has changed.
 */
#ifndef SERVER_READER_USERS_FILE_H
#define SERVER_READER_USERS_FILE_H

struct conf;

/* The whole life of a process that logs the wrong lines of the users file. */
_Noreturn void users_file_main(const struct conf *conf);

#endif
