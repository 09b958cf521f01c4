/*
 * sizes.c: finds how many octets a message has on the wire, and its dates.
 * Runs as: mail user.
 *
 * The index remembers both.  A size that another program has found (INDEX_HEARSAY) is compared with the file first.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "maildir/folder/findings.h"
#include "maildir/folder/folder.h"
#include "maildir/folder/reader.h"
#include "maildir/folder/texts.h"
#include "maildir/index/index.h"

/* How often we look for a message that other programs rename before we give up. */
#define STAT_TRIES 8

/* Reads all of the message to find its size.  finding_r: its known, size and wire are set. */
static int
message_measure(
    struct maildir_folder *folder, struct index_message *message, struct index_finding *finding_r)
{
	char *buffer = folder->home.md->buffer, last = 0;
	bool after_cr = false;
	uint64_t wire, left;
	struct stat st;
	int fd = message_open(folder, message, &st);

	if (fd < 0)
		return -1;
	wire = left = (uint64_t)st.st_size;
	while (left > 0) {
		ssize_t n = message_read(folder->home.md, fd, buffer, left);

		if (n < 0) {
			close_keeping_errno(fd);
			message_notice(folder, message);
			return -1;
		}
		wire += wire_added(buffer, (size_t)n, &after_cr);
		last = buffer[n - 1];
		left -= (uint64_t)n;
	}
	close(fd);
	finding_r->size = (uint64_t)st.st_size;
	finding_r->wire = wire;
	finding_r->known = INDEX_SIZES | (last == '\n' ? INDEX_LINE_END : 0);
	return 0;
}

/*
 * Returns 0 if the file has that size and ends in LF, else 1: the message has to be read.  Dovecot does not note how
 * the last line ends.
 */
static int
message_ends_in_line(struct maildir_folder *folder, struct index_message *message, uint64_t size)
{
	struct stat st;
	char last = 0;
	int fd = message_open(folder, message, &st), r = 1;

	if (fd < 0)
		return -1;
	if ((uint64_t)st.st_size == size && size > 0 && pread(fd, &last, 1, st.st_size - 1) == 1 &&
	    last == '\n')
		r = 0;
	close(fd);
	return r;
}

/* Takes the size from the index.  Returns false if it has none that can be given as it is. */
static bool
record_sizes(const struct index_record *record, struct index_finding *finding_r)
{
	*finding_r = (struct index_finding){.uid = record->uid,
	    .size = record->size,
	    .wire = record->wire,
	    .known = record->known & (INDEX_SIZES | INDEX_LINE_END)};
	return (record->known & (INDEX_SIZES | INDEX_HEARSAY | INDEX_UNREADABLE)) == INDEX_SIZES;
}

/* Finds the size of a message of which the index has none, or one that another program has found. */
static int
message_find_size(
    struct maildir_folder *folder, struct index_message *message, struct index_finding *finding)
{
	const unsigned known = message->record.known & (INDEX_SIZES | INDEX_UNREADABLE);
	int r =
	    known != INDEX_SIZES ? 1 : message_ends_in_line(folder, message, message->record.size);

	if (r < 0)
		return -1;
	if (r == 0)
		finding->known |= INDEX_LINE_END;
	else if (folder_texts_expect_all(folder))
		return folder_texts_read(folder, message->record.uid, finding);
	else if (message_measure(folder, message, finding) < 0)
		return -1;
	findings_add(folder, finding);
	return 0;
}

/* Gives the size that this session has found and not saved in the index yet.  Returns false if there is none. */
static bool
recall_sizes(const struct maildir_folder *folder, uint32_t uid, struct index_finding *finding_r)
{
	return findings_of(folder, uid, finding_r) && (finding_r->known & INDEX_SIZES) != 0;
}

static void
give_size(const struct index_finding *finding, uint64_t *octets_r, bool *newline_r)
{
	*octets_r = finding->wire;
	*newline_r = (finding->known & INDEX_LINE_END) != 0;
}

int
maildir_size(struct maildir_folder *folder, uint32_t uid, uint64_t *octets_r, bool *newline_r)
{
	struct index_message message;
	struct index_finding finding;

	if (!recall_sizes(folder, uid, &finding)) {
		if (message_find(folder, uid, &message) < 0)
			return -1;
		if (!record_sizes(&message.record, &finding) &&
		    message_find_size(folder, &message, &finding) < 0)
			return -1;
	}
	give_size(&finding, octets_r, newline_r);
	return 0;
}

/* Measures a file that has replaced the file whose size is remembered. */
static int
measure_other_file(
    struct maildir_folder *folder, struct index_message *message, struct index_finding *finding)
{
	*finding = (struct index_finding){.uid = message->record.uid};
	if (message_measure(folder, message, finding) < 0)
		return -1;
	finding->known |= INDEX_OTHER;
	findings_add(folder, finding);
	folder_texts_forget(folder);
	return 0;
}

/* A remembered size is true if the file has that many octets.  The file stays open, since the caller reads it next. */
int
maildir_exact_size(struct maildir_folder *folder, uint32_t uid, uint64_t *octets_r, bool *newline_r)
{
	struct index_message message;
	struct index_finding finding;
	struct maildir_reader *reader;

	maildir_reader_close(&folder->ahead);
	if (message_find(folder, uid, &message) < 0)
		return -1;
	if (!recall_sizes(folder, uid, &finding) && !record_sizes(&message.record, &finding))
		return maildir_size(folder, uid, octets_r, newline_r);
	if (reader_new(folder, &message, &reader) < 0)
		return -1;
	if (reader_file_size(reader) == finding.size) {
		folder->ahead = reader;
		folder->ahead_uid = uid;
		folder->ahead_validity = maildir_uidvalidity(folder);
	} else {
		maildir_reader_close(&reader);
		if (measure_other_file(folder, &message, &finding) < 0)
			return -1;
	}
	give_size(&finding, octets_r, newline_r);
	return 0;
}

/* --- dates --- */

/* 2001, when clocks got ten digits: a smaller number is no time. */
#define SAVE_DATE_MIN 1000000000

/* A name may come from a machine whose clock is a bit ahead. */
#define SAVE_DATE_AHEAD (24 * 60 * 60)

time_t
maildir_calendar(int64_t time)
{
	const int64_t first = -62167219200, last = 253402300799; /* of those years, UTC */

	return (time_t)(time < first ? first : time > last ? last : time);
}

/* The index keeps the file's time as it was when a client first asked: an INTERNALDATE does not change. */
int
maildir_date(struct maildir_folder *folder, uint32_t uid, time_t *date_r)
{
	struct index_message message;
	struct stat st;

	if (message_find(folder, uid, &message) < 0)
		return -1;
	if ((message.record.known & INDEX_DATE) != 0) {
		*date_r = maildir_calendar(message.record.date);
		return 0;
	}
	for (int tries = 0; tries < STAT_TRIES; tries++) {
		int dir = folder_dir(folder, message.record.dir);

		if (dir < 0)
			return -1;
		if (fstatat(dir, index_name(&message), &st, AT_SYMLINK_NOFOLLOW) == 0) {
			const struct index_finding finding = {
			    .uid = uid, .date = st.st_mtime, .known = INDEX_DATE};

			findings_add(folder, &finding);
			*date_r = maildir_calendar(st.st_mtime);
			return 0;
		}
		if (errno != ENOENT || message_locate(folder, uid, &message) < 0)
			return -1;
	}
	errno = ENOENT;
	return -1;
}

int
maildir_save_date(struct maildir_folder *folder, uint32_t uid, time_t *date_r)
{
	struct index_message message;
	uint64_t named;

	if (message_find(folder, uid, &message) < 0)
		return -1;
	named = mdname_time(index_name(&message));
	if (named < SAVE_DATE_MIN || named > (uint64_t)time(NULL) + SAVE_DATE_AHEAD)
		return maildir_date(folder, uid, date_r);
	*date_r = (time_t)named;
	return 0;
}
