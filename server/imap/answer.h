/*
 * answer.h: what the commands say.
 */
#ifndef SERVER_IMAP_ANSWER_H
#define SERVER_IMAP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "server/imap/name.h"
#include "server/imap/session.h"

/* Sets the text of the tagged answer: what a command returns. */
enum command_result __attribute__((format(printf, 3, 4)))
imap_say(struct session *session, enum command_result result, const char *format, ...);

/* OK or NO, and that another session has expunged messages which the command names by number; in the words of
 * RFC 2180, for which clients look. */
enum command_result imap_say_expunged(struct session *session, enum command_result result);

/* "* OK [HIGHESTMODSEQ 715194045007]": RFC 7162. */
void imap_tell_modseq(struct session *session, uint64_t modseq);

/* NO, for the reason that the session has to leave. */
enum command_result imap_leave(struct session *session);

/* A string in an answer: quoted, or a literal where it must be one. */
void imap_put_string(struct session *session, const char *string, size_t len);
/* A folder's name in an answer. */
void imap_put_name(struct session *session, const char *folder);
/* What was written into text; clears it, or only empties it, for the next. */
void imap_put_text(struct session *session, struct mdtext *text);
void imap_put_text_on(struct session *session, struct mdtext *text);

/* Parts of an answer that is made as a text: words, and numbers in digits. */
void imap_add(struct mdtext *out, const char *word);
void imap_add_number(struct mdtext *out, uint64_t number);
/* "17-Jul-1996 02:44:25 +0000", in quotes.  In UTC: a file knows no zone, and SEARCH counts the same days.  date: of
 * the years 0 to 9999, as maildir_date gives it. */
void imap_add_date(struct mdtext *out, time_t date);

/*
 * A mailbox name in a command: its folder.  false: the command is answered (BAD, or NO with the reason
 * why the name is refused).
 */
bool imap_take_mailbox(struct session *session, struct args *args, char folder_r[IMAP_NAME_MAX],
    enum command_result *result_r);

/* The same for the name of a mailbox that is to be made: the reason is another. */
bool imap_take_new_mailbox(struct session *session, struct args *args, char folder_r[IMAP_NAME_MAX],
    enum command_result *result_r);

/* As imap_take_mailbox, for a name that was read already. */
bool imap_folder_of(struct session *session, struct word mailbox, char folder_r[IMAP_NAME_MAX],
    enum command_result *result_r);

/* The answer when the maildir library failed: what it was about, errno's meaning, one line for the
 * log where it is the administrator's business. */
enum command_result imap_failed(struct session *session, const char *what);

/* The same for a mailbox that messages were to go to: a client may make it and try again. */
enum command_result imap_no_target(struct session *session, const char *what);

#endif
