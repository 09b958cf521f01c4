/*
 * test_server_ipc.c: messages between processes: bounds, damaged messages, records in pieces,
 * descriptors that come along.
 */
#include "server_fixture.h"

#include "server/clock.h"
#include "server/ipc.h"

/* What each type carries: 1 2 4 numbers, b bytes, s a string; the bounds are those of receivers. */
static const struct shape {
	enum ipc_type type;
	const char *fields;
} shapes[] = {
    {IPC_AUTH_PASSWORD, "ssss21s"},
    {IPC_AUTH_RESULT, "1"},
    {IPC_AUTH_SOCKET, ""},
    {IPC_AUTH_CHECKED, "1ss44s"},
    {IPC_LOGIN, "s"},
    {IPC_LOGIN_RESULT, "1"},
    {IPC_READY, "s"},
    {IPC_KEY_CHANNEL, "1444"},
    {IPC_KEY_SIGNED, "4"},
    {IPC_KEY_SIGN, "11b"},
    {IPC_KEY_SEAL, "b"},
    {IPC_KEY_OPEN, "b"},
    {IPC_KEY_RESULT, "b"},
    {IPC_START, "14444"},
    {IPC_SPAWN_WORKER, "4s2s114"},
    {IPC_SPAWN_READER, "4s2s14"},
    {IPC_SPAWN_SELFTEST, ""},
    {IPC_SPAWN_USERS, ""},
    {IPC_SPAWN_SIGNAL, "41"},
    {IPC_SPAWN_REPORT, "1"},
    {IPC_AUTH_HASH, "ss1s"},
    {IPC_AUTH_HASHED, "1"},
    {IPC_SPAWN_ENDED, "44"},
    {IPC_LOGIN_TRY, "s"},
    {IPC_LOGIN_FAILED, "s"},
    {IPC_LOGIN_WAIT, "4"},
};

enum { FIELD_ROOM = 64 };

static void
put_shape(struct ipc_message *m, const struct shape *shape)
{
	const char *f;

	ipc_begin(m, shape->type);
	for (f = shape->fields; *f != '\0'; f++) {
		switch (*f) {
		case '1':
			ipc_put_u8(m, 0x81);
			break;
		case '2':
			ipc_put_u16(m, 0x8182);
			break;
		case '4':
			ipc_put_u32(m, 0x81828384);
			break;
		case 'b':
			ipc_put_bytes(m, "a\0b", 3);
			break;
		default:
			ipc_put_string(m, "a string");
			break;
		}
	}
}

/* Whether the message was of that shape and nothing else. */
static bool
get_shape(struct ipc_message *m, const struct shape *shape)
{
	char room[FIELD_ROOM];
	const char *f;

	if (ipc_open(m) != shape->type)
		return false;
	for (f = shape->fields; *f != '\0'; f++) {
		if (*f == '1')
			(void)ipc_get_u8(m);
		else if (*f == '2')
			(void)ipc_get_u16(m);
		else if (*f == '4')
			(void)ipc_get_u32(m);
		else if (*f == 'b')
			(void)ipc_get_bytes(m, room, sizeof(room));
		else
			ipc_get_string(m, room, sizeof(room));
	}
	return ipc_done(m);
}

static void
what_is_put_is_got(void **state)
{
	struct ipc_message m;
	char text[16], octets[4];

	(void)state;
	ipc_begin(&m, IPC_LOGIN);
	ipc_put_u8(&m, 0xfe);
	ipc_put_u16(&m, 0xfedc);
	ipc_put_u32(&m, 0xfedcba98);
	ipc_put_string(&m, "");
	ipc_put_string(&m, "fifteen octets.");
	ipc_put_bytes(&m, "\0\1\2\3", 4);
	ipc_put_bytes(&m, NULL, 0);
	assert_false(m.bad);
	assert_int_equal(ipc_open(&m), IPC_LOGIN);
	assert_int_equal(ipc_get_u8(&m), 0xfe);
	assert_int_equal(ipc_get_u16(&m), 0xfedc);
	assert_int_equal(ipc_get_u32(&m), 0xfedcba98);
	ipc_get_string(&m, text, sizeof(text));
	assert_string_equal(text, "");
	ipc_get_string(&m, text, sizeof(text));
	assert_string_equal(text, "fifteen octets.");
	assert_false(ipc_done(&m));
	assert_int_equal(ipc_get_bytes(&m, octets, sizeof(octets)), 4);
	assert_memory_equal(octets, "\0\1\2\3", 4);
	assert_int_equal(ipc_get_bytes(&m, octets, 0), 0);
	assert_true(ipc_done(&m));
	assert_int_equal(ipc_get_u8(&m), 0);
	assert_false(ipc_done(&m));
}

static void
puts_stay_in_bounds(void **state)
{
	static const unsigned char octets[70000];
	static const size_t wrong[] = {
	    IPC_MAX - 2, IPC_MAX - 1, IPC_MAX, IPC_MAX + 1, 65535, 65536, 65537, sizeof(octets)};
	struct ipc_message m;
	size_t i;

	(void)state;
	ipc_begin(&m, IPC_KEY_SEAL);
	ipc_put_bytes(&m, octets, IPC_MAX - 3);
	assert_false(m.bad);
	assert_int_equal(m.len, IPC_MAX);
	ipc_put_u8(&m, 1);
	assert_true(m.bad);
	assert_int_equal(m.len, IPC_MAX);
	for (i = 0; i < COUNT(wrong); i++) {
		ipc_begin(&m, IPC_KEY_SEAL);
		ipc_put_bytes(&m, octets, wrong[i]);
		assert_true(m.bad);
		/* What follows does not make it whole again. */
		ipc_put_u8(&m, 1);
		assert_true(m.bad);
		assert_true(m.len <= IPC_MAX);
		errno = 0;
		assert_int_equal(ipc_send(-1, &m, -1), -1);
		assert_int_equal(errno, EMSGSIZE);
		assert_int_equal(ipc_send_record(-1, &m, -1), -1);
		assert_int_equal(errno, EMSGSIZE);
	}
}

/* A copy on the heap of just that size: reading beyond it is seen by a sanitizer. */
static struct ipc_message *
cut(const struct ipc_message *m, size_t len)
{
	struct ipc_message *copy = calloc(1, offsetof(struct ipc_message, data) + len + 1);

	assert_non_null(copy);
	memcpy(copy->data, m->data, len);
	copy->len = len;
	return copy;
}

static void
every_type_cut_anywhere_is_refused(void **state)
{
	struct ipc_message m, *copy;
	size_t i, len;

	(void)state;
	for (i = 0; i < COUNT(shapes); i++) {
		put_shape(&m, &shapes[i]);
		assert_false(m.bad);
		assert_true(get_shape(&m, &shapes[i]));
		for (len = 0; len < m.len; len++) {
			copy = cut(&m, len);
			assert_false(get_shape(copy, &shapes[i]));
			free(copy);
		}
		ipc_put_u8(&m, 0); /* and one octet more than there should be */
		assert_false(get_shape(&m, &shapes[i]));
	}
}

static void
types_are_not_taken_for_each_other(void **state)
{
	struct ipc_message m;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(shapes); i++) {
		put_shape(&m, &shapes[i]);
		m.data[0] = (unsigned char)(shapes[i].type + 1);
		assert_false(get_shape(&m, &shapes[i]));
		m.data[0] = 0;
		assert_false(get_shape(&m, &shapes[i]));
	}
	m.len = 0;
	assert_int_equal(ipc_open(&m), 0);
	assert_false(ipc_done(&m));
}

static void
lengths_that_lie_are_refused(void **state)
{
	static const struct {
		const char *octets;
		size_t len;
		bool good;
	} rows[] = {
	    {"\5\0\0", 3, true}, {"\5\0\1x", 4, true}, {"\5\0\7sevenxx", 10, true},
	    {"\5\0\10eightxxx", 11, false}, /* no room for its NUL */
	    {"\5\0\2x", 4, false}, {"\5\377\377x", 4, false}, {"\5\0", 2, false}, {"\5", 1, false},
	    {"\5\0\3a\0b", 6, false},			    /* a NUL inside */
	    {"\5\0\1\0", 4, false}, {"\5\0\1xy", 5, false}, /* something behind */
	};
	struct ipc_message m = {.len = 0}, *copy;
	char text[8];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		memcpy(m.data, rows[i].octets, rows[i].len);
		copy = cut(&m, rows[i].len);
		assert_int_equal(ipc_open(copy), 5);
		memset(text, 'x', sizeof(text));
		ipc_get_string(copy, text, sizeof(text));
		assert_int_equal(ipc_done(copy), rows[i].good);
		assert_non_null(memchr(text, '\0', sizeof(text)));
		free(copy);
	}
	/* Bytes beyond the receiver's room. */
	ipc_begin(&m, IPC_KEY_OPEN);
	ipc_put_bytes(&m, "12345678", 8);
	(void)ipc_open(&m);
	assert_int_equal(ipc_get_bytes(&m, text, 7), 0);
	assert_true(m.bad);
	assert_int_equal(ipc_get_u32(&m), 0); /* nothing is read from a bad one */
}

static void
wiping_leaves_nothing(void **state)
{
	static const struct ipc_message zero;
	struct ipc_message m;

	(void)state;
	put_shape(&m, &shapes[0]);
	ipc_wipe(&m);
	assert_memory_equal(&m, &zero, sizeof(m));
}

/* --- packets --- */

static void
packets_pass(void **state)
{
	struct ipc_message m, got;
	int pair[2];
	size_t i;

	(void)state;
	fixture_pair(SOCK_SEQPACKET, pair);
	for (i = 0; i < COUNT(shapes); i++) {
		put_shape(&m, &shapes[i]);
		assert_int_equal(ipc_send(pair[0], &m, -1), 0);
	}
	for (i = 0; i < COUNT(shapes); i++) {
		assert_int_equal(ipc_recv(pair[1], &got, 1000, NULL), 0);
		assert_true(get_shape(&got, &shapes[i]));
	}
	close(pair[0]);
	assert_int_equal(ipc_recv(pair[1], &got, 1000, NULL), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(ipc_open(&got), 0);
	assert_false(ipc_done(&got));
	/* Nobody is there: an error, not a SIGPIPE. */
	assert_int_equal(ipc_send(pair[1], &m, -1), -1);
	assert_int_equal(errno, EPIPE);
	close(pair[1]);
}

static void
packets_of_odd_sizes(void **state)
{
	static const unsigned char octets[IPC_MAX + 1] = {IPC_LOGIN};
	static const size_t sizes[] = {0, 1, IPC_MAX - 1, IPC_MAX, IPC_MAX + 1};
	struct ipc_message got;
	int pair[2], result;
	size_t i;

	(void)state;
	fixture_pair(SOCK_SEQPACKET, pair);
	for (i = 0; i < COUNT(sizes); i++) {
		assert_int_equal(send(pair[0], octets, sizes[i], 0), sizes[i]);
		errno = 0;
		result = ipc_recv(pair[1], &got, 1000, NULL);
		if (sizes[i] >= 1 && sizes[i] <= IPC_MAX) {
			assert_int_equal(result, 0);
			assert_int_equal(got.len, sizes[i]);
			assert_int_equal(ipc_open(&got), IPC_LOGIN);
		} else {
			assert_int_equal(result, -1);
			assert_int_equal(errno, sizes[i] == 0 ? EPIPE : EMSGSIZE);
			assert_int_equal(got.len, 0);
			assert_int_equal(ipc_open(&got), 0);
		}
	}
	close(pair[0]);
	close(pair[1]);
}

static void
waiting_ends(void **state)
{
	struct ipc_message got;
	int64_t before;
	int pair[2];

	(void)state;
	fixture_pair(SOCK_SEQPACKET, pair);
	before = clock_now();
	assert_int_equal(ipc_recv(pair[1], &got, 0, NULL), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_int_equal(ipc_recv(pair[1], &got, 60, NULL), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_true(clock_now() - before >= 60);
	close(pair[0]);
	close(pair[1]);
}

/* --- records --- */

/* The octets of a record of m, as they go over the socket. */
static void
record_of(const struct ipc_message *m, unsigned char record_r[IPC_RECORD])
{
	int pair[2];

	fixture_pair(SOCK_STREAM, pair);
	assert_int_equal(ipc_send_record(pair[0], m, -1), 0);
	assert_int_equal(recv(pair[1], record_r, IPC_RECORD, MSG_WAITALL), IPC_RECORD);
	errno = 0;
	assert_int_equal(recv(pair[1], record_r, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	close(pair[0]);
	close(pair[1]);
}

/* A process that writes the octets one by one, with a pause in ms after each. */
static pid_t
slow_writer(int to, int other, const unsigned char *octets, size_t len, unsigned pause)
{
	pid_t pid = fork();
	size_t i;

	assert_true(pid >= 0);
	if (pid > 0) {
		close(to);
		return pid;
	}
	close(other);
	for (i = 0; i < len; i++) {
		if (send(to, octets + i, 1, MSG_NOSIGNAL) != 1)
			break;
		if (pause > 0)
			usleep(pause * 1000);
	}
	_exit(0);
}

static void
records_arrive_octet_by_octet(void **state)
{
	unsigned char record[IPC_RECORD];
	struct ipc_message m, got;
	int pair[2], fd = 99;
	size_t i;
	pid_t pid;

	(void)state;
	for (i = 0; i < COUNT(shapes); i++) {
		put_shape(&m, &shapes[i]);
		record_of(&m, record);
		fixture_pair(SOCK_STREAM, pair);
		pid = slow_writer(pair[0], pair[1], record, sizeof(record), 0);
		assert_int_equal(ipc_recv_record(pair[1], &got, 20000, &fd), 0);
		assert_int_equal(fd, -1);
		assert_int_equal(got.len, m.len);
		assert_true(get_shape(&got, &shapes[i]));
		fixture_ended_well(pid);
		close(pair[1]);
	}
}

static void
records_behind_each_other(void **state)
{
	struct ipc_message m, got;
	int pair[2];
	char c;

	(void)state;
	fixture_pair(SOCK_STREAM, pair);
	put_shape(&m, &shapes[0]);
	assert_int_equal(ipc_send_record(pair[0], &m, -1), 0);
	put_shape(&m, &shapes[1]);
	assert_int_equal(ipc_send_record(pair[0], &m, -1), 0);
	assert_int_equal(write(pair[0], "Q", 1), 1); /* the plain stream begins */
	assert_int_equal(ipc_recv_record(pair[1], &got, 1000, NULL), 0);
	assert_true(get_shape(&got, &shapes[0]));
	assert_int_equal(ipc_recv_record(pair[1], &got, 1000, NULL), 0);
	assert_true(get_shape(&got, &shapes[1]));
	assert_int_equal(read(pair[1], &c, 1), 1);
	assert_int_equal(c, 'Q');
	close(pair[0]);
	close(pair[1]);
}

static void
records_hold_so_much_and_no_more(void **state)
{
	static const unsigned char octets[IPC_RECORD];
	struct ipc_message m, got;
	int pair[2];

	(void)state;
	fixture_pair(SOCK_STREAM, pair);
	ipc_begin(&m, IPC_LOGIN);
	ipc_put_bytes(&m, octets, IPC_RECORD - 2 - 3);
	assert_int_equal(ipc_send_record(pair[0], &m, -1), 0);
	assert_int_equal(ipc_recv_record(pair[1], &got, 1000, NULL), 0);
	assert_int_equal(got.len, IPC_RECORD - 2);
	ipc_put_u8(&m, 0);
	errno = 0;
	assert_int_equal(ipc_send_record(pair[0], &m, -1), -1);
	assert_int_equal(errno, EMSGSIZE);
	close(pair[0]);
	close(pair[1]);
}

static void
records_that_lie_about_their_length(void **state)
{
	static const unsigned lengths[] = {IPC_RECORD - 1, IPC_RECORD, 0x1000, 0x7fff, 0xffff};
	unsigned char record[IPC_RECORD] = {0, 0, IPC_LOGIN};
	struct ipc_message got;
	int pair[2];
	size_t i;

	(void)state;
	fixture_pair(SOCK_STREAM, pair);
	for (i = 0; i < COUNT(lengths); i++) {
		record[0] = (unsigned char)(lengths[i] >> 8);
		record[1] = (unsigned char)lengths[i];
		assert_int_equal(write(pair[0], record, sizeof(record)), sizeof(record));
		errno = 0;
		assert_int_equal(ipc_recv_record(pair[1], &got, 1000, NULL), -1);
		assert_int_equal(errno, EMSGSIZE);
		assert_int_equal(ipc_open(&got), 0);
	}
	record[0] = record[1] = 0; /* an empty message has no type */
	assert_int_equal(write(pair[0], record, sizeof(record)), sizeof(record));
	assert_int_equal(ipc_recv_record(pair[1], &got, 1000, NULL), 0);
	assert_int_equal(ipc_open(&got), 0);
	close(pair[0]);
	close(pair[1]);
}

static void
records_that_end_early(void **state)
{
	static const size_t lengths[] = {0, 1, 2, 3, IPC_RECORD / 2, IPC_RECORD - 1};
	unsigned char record[IPC_RECORD];
	struct ipc_message m, got;
	int pair[2];
	size_t i;

	(void)state;
	put_shape(&m, &shapes[0]);
	record_of(&m, record);
	for (i = 0; i < COUNT(lengths); i++) {
		fixture_pair(SOCK_STREAM, pair);
		assert_int_equal(write(pair[0], record, lengths[i]), lengths[i]);
		errno = 0;
		assert_int_equal(ipc_recv_record(pair[1], &got, 30, NULL), -1);
		assert_int_equal(errno, ETIMEDOUT);
		close(pair[0]);
		assert_int_equal(ipc_recv_record(pair[1], &got, 1000, NULL), -1);
		assert_int_equal(errno, EPIPE);
		assert_int_equal(ipc_open(&got), 0);
		close(pair[1]);
	}
}

static void
a_trickle_does_not_prolong_the_wait(void **state)
{
	unsigned char record[IPC_RECORD] = {0, 1, IPC_LOGIN};
	struct ipc_message got;
	int64_t before;
	int pair[2];
	pid_t pid;

	(void)state;
	fixture_pair(SOCK_STREAM, pair);
	pid = slow_writer(pair[0], pair[1], record, sizeof(record), 10);
	before = clock_now();
	assert_int_equal(ipc_recv_record(pair[1], &got, 150, NULL), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_true(clock_now() - before < 5000);
	close(pair[1]); /* the writer gets EPIPE */
	fixture_ended_well(pid);
}

/* --- descriptors --- */

static void
descriptors_pass(void **state)
{
	unsigned before = fixture_descriptors();
	struct ipc_message m, got;
	int types[] = {SOCK_SEQPACKET, SOCK_STREAM}, pair[2], pass[2], fd;
	char c;
	size_t i;

	(void)state;
	ipc_begin(&m, IPC_KEY_CHANNEL);
	for (i = 0; i < COUNT(types); i++) {
		fixture_pair(types[i], pair);
		assert_int_equal(pipe(pass), 0);
		if (types[i] == SOCK_SEQPACKET) {
			assert_int_equal(ipc_send(pair[0], &m, pass[1]), 0);
			assert_int_equal(ipc_recv(pair[1], &got, 1000, &fd), 0);
		} else {
			assert_int_equal(ipc_send_record(pair[0], &m, pass[1]), 0);
			assert_int_equal(ipc_recv_record(pair[1], &got, 1000, &fd), 0);
		}
		assert_true(fd >= 0);
		assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
		assert_int_equal(write(fd, "x", 1), 1);
		assert_int_equal(read(pass[0], &c, 1), 1);
		assert_int_equal(c, 'x');
		close(fd);
		close(pass[0]);
		close(pass[1]);
		close(pair[0]);
		close(pair[1]);
	}
	assert_int_equal(fixture_descriptors(), before);
}

/* Sends octets with so many descriptors in one control message. */
static void
send_with(int to, const void *octets, size_t len, int fd, size_t count)
{
	enum { MOST = 16 };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(MOST * sizeof(int))];
	} control;
	struct iovec iov = {(void *)(uintptr_t)octets, len};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
	int fds[MOST];
	size_t i;

	assert_true(count >= 1 && count <= MOST);
	for (i = 0; i < count; i++)
		fds[i] = fd;
	memset(&control, 0, sizeof(control));
	header.msg_control = control.space;
	header.msg_controllen = CMSG_SPACE(count * sizeof(int));
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
	assert_int_equal(sendmsg(to, &header, MSG_NOSIGNAL), len);
}

static void
nobody_plants_descriptors(void **state)
{
	static const unsigned char octets[IPC_MAX + 1] = {IPC_LOGIN};
	unsigned before = fixture_descriptors();
	struct ipc_message got;
	int pair[2], fd;
	size_t count, len, wanted;

	(void)state;
	fixture_pair(SOCK_SEQPACKET, pair);
	before += 2;
	for (count = 1; count <= 16; count++) {
		for (wanted = 0; wanted < 2; wanted++) {
			for (len = 1; len <= sizeof(octets); len += IPC_MAX) {
				fd = -1;
				send_with(pair[0], octets, len, pair[0], count);
				(void)ipc_recv(pair[1], &got, 1000, wanted ? &fd : NULL);
				assert_true(fd == -1 || (wanted && len == 1));
				if (count == 1 && wanted && len == 1)
					assert_true(fd >= 0);
				if (fd != -1)
					close(fd);
				assert_int_equal(fixture_descriptors(), before);
			}
		}
	}
	close(pair[0]);
	close(pair[1]);
}

/* A descriptor with every octet of a record, several with some: one stays at most. */
static void
records_full_of_descriptors(void **state)
{
	unsigned char record[IPC_RECORD] = {0, 1, IPC_AUTH_SOCKET};
	unsigned before = fixture_descriptors();
	struct ipc_message got;
	int pair[2], fd, wanted, whole;
	pid_t pid;
	size_t i;

	(void)state;
	for (wanted = 0; wanted < 2; wanted++) {
		for (whole = 0; whole < 2; whole++) {
			fixture_pair(SOCK_STREAM, pair);
			pid = fork();
			assert_true(pid >= 0);
			if (pid == 0) {
				close(pair[1]);
				for (i = 0; i < sizeof(record) - 1 + (size_t)whole; i++)
					send_with(pair[0], record + i, 1, STDIN_FILENO, 1 + i % 3);
				_exit(0);
			}
			close(pair[0]);
			fd = -1;
			assert_int_equal(
			    ipc_recv_record(pair[1], &got, 10000, wanted ? &fd : NULL), whole - 1);
			assert_true(fd == -1 || (wanted && whole));
			if (fd != -1)
				close(fd);
			close(pair[1]);
			fixture_ended_well(pid);
			assert_int_equal(fixture_descriptors(), before);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_put_is_got),
	    cmocka_unit_test(puts_stay_in_bounds),
	    cmocka_unit_test(every_type_cut_anywhere_is_refused),
	    cmocka_unit_test(types_are_not_taken_for_each_other),
	    cmocka_unit_test(lengths_that_lie_are_refused),
	    cmocka_unit_test(wiping_leaves_nothing),
	    cmocka_unit_test(packets_pass),
	    cmocka_unit_test(packets_of_odd_sizes),
	    cmocka_unit_test(waiting_ends),
	    cmocka_unit_test(records_arrive_octet_by_octet),
	    cmocka_unit_test(records_behind_each_other),
	    cmocka_unit_test(records_hold_so_much_and_no_more),
	    cmocka_unit_test(records_that_lie_about_their_length),
	    cmocka_unit_test(records_that_end_early),
	    cmocka_unit_test(a_trickle_does_not_prolong_the_wait),
	    cmocka_unit_test(descriptors_pass),
	    cmocka_unit_test(nobody_plants_descriptors),
	    cmocka_unit_test(records_full_of_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
