/*
 * answer.h: parts of answers.
 */
#ifndef SERVER_IMAP_ANSWER_H
#define SERVER_IMAP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "server/imap/name.h"
#include "server/imap/session.h"

/* Sets the text of the tagged answer; returns result. */
enum command_result __attribute__((format(printf, 3, 4)))
imap_say(struct session *session, enum command_result result, const char *format, ...);

/* OK or NO: another session has expunged messages that the command names by number.  Clients look for these words,
 * which are from RFC 2180. */
enum command_result imap_say_expunged(struct session *session, enum command_result result);

/* "* OK [HIGHESTMODSEQ 715194045007]": RFC 7162. */
void imap_tell_modseq(struct session *session, uint64_t modseq);

/* NO, with the reason for which the session ends. */
enum command_result imap_leave(struct session *session);

/* Says a string: quoted, or as a literal where it must be. */
void imap_put_string(struct session *session, const char *string, size_t len);
/* Says a folder's name. */
void imap_put_name(struct session *session, const char *folder);
/* Says a text, and clears it; or empties it for the next. */
void imap_put_text(struct session *session, struct mdbuf *text);
void imap_put_text_on(struct session *session, struct mdbuf *text);

/* Add to an answer that is made as a text. */
void imap_add(struct mdbuf *out, const char *word);
void imap_add_number(struct mdbuf *out, uint64_t number);
/* "17-Jul-1996 02:44:25 +0000", in quotes.  In UTC: a file knows no zone, and SEARCH counts the same days.  date: in
 * the years 0 to 9999, as maildir_date gives it. */
void imap_add_date(struct mdbuf *out, time_t date);

/* Codes for a name that is impossible: of an existing mailbox, and of one that is to be made. */
#define IMAP_NO_MAILBOX "NONEXISTENT"
#define IMAP_NO_NAME	"CANNOT"

/*
 * Reads a mailbox name, and finds the folder that it means.  code: IMAP_NO_MAILBOX or IMAP_NO_NAME.  Returns COMMAND_OK,
 * COMMAND_BAD, or COMMAND_NO with the reason why the name is refused.
 */
enum command_result imap_take_mailbox(
    struct session *session, struct args *args, const char *code, char folder_r[IMAP_NAME_MAX]);

/* The same for a name that was read already. */
enum command_result imap_folder_of(
    struct session *session, struct word mailbox, const char *code, char folder_r[IMAP_NAME_MAX]);

/* NO when maildir/ has failed with errno.  what: the work, for the log, which has a line where the error is the
 * administrator's business. */
enum command_result imap_failed(struct session *session, const char *what);

/* The same for a mailbox to which messages were to go: a client may make it and try again. */
enum command_result imap_no_target(struct session *session, const char *what);

#endif
