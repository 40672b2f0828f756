/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal's side of the log: entries as datagrams in journald's native protocol (systemd.io,
 * JOURNAL_NATIVE_PROTOCOL), without an allocation, as it must work while the machine is out of
 * memory. Owns the socket; decides no text and no field.
 *
 * Invariant: nothing here waits for journald. sd_journal_sendv() does, for as long as journald does
 * not read, and with it would all else that the daemon has to do. It serves the entries that are
 * too large for a datagram.
 */
#include "journal.h"

/* Where in our source a record was sent from says nothing about the OOM. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "basic.h"

/* UIO_MAXIOV of include/uapi/linux/uio.h: what one sendmsg(2) takes. */
#define PARTS_MAX 1024
/* A value of several lines takes five parts. */
#define PARTS_PER_FIELD_MAX 5
/* As much as may be had, net.core.wmem_max: a group kill of a thousand processes is a large entry.
 */
#define SEND_BUFFER_SIZE (8 * 1024 * 1024)

/* The parts of an entry, which point to its fields. */
struct datagram {
	struct iovec parts[PARTS_MAX];
	uint64_t lengths[PARTS_MAX / PARTS_PER_FIELD_MAX]; /* little-endian */
	size_t n_parts, n_lengths;
};

static void datagram_add(struct datagram *e, const void *data, size_t size)
{
	e->parts[e->n_parts++] = (struct iovec){(void *)data, size};
}

/* "NAME=value" where that is one line, else the name, and the value with its length. */
static int datagram_add_field(struct datagram *e, const struct iovec *field)
{
	const char *data = field->iov_base, *equal = memchr(data, '=', field->iov_len);
	size_t name_size, value_size;

	if (!equal)
		return -EINVAL;
	if (e->n_parts + PARTS_PER_FIELD_MAX > PARTS_MAX || e->n_lengths >= ARRAY_SIZE(e->lengths))
		return -E2BIG;
	name_size = (size_t)(equal - data);
	value_size = field->iov_len - name_size - 1;
	if (!memchr(equal + 1, '\n', value_size)) {
		datagram_add(e, data, field->iov_len);
		datagram_add(e, "\n", 1);
		return 0;
	}
	e->lengths[e->n_lengths] = htole64(value_size);
	datagram_add(e, data, name_size);
	datagram_add(e, "\n", 1);
	datagram_add(e, &e->lengths[e->n_lengths++], sizeof(e->lengths[0]));
	datagram_add(e, equal + 1, value_size);
	datagram_add(e, "\n", 1);
	return 0;
}

static int socket_acquire(void)
{
	static int fd = -EBADF;
	const int size = SEND_BUFFER_SIZE;

	if (fd >= 0)
		return fd;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return fd;
}

int journal_send(const struct iovec *fields, size_t n_fields)
{
	/* Named anew with each entry: the socket that is there may be another one by now. */
	struct sockaddr_un address = {
		.sun_family = AF_UNIX,
		.sun_path = "/run/systemd/journal/socket",
	};
	struct msghdr message = {
		.msg_name = &address,
		.msg_namelen = sizeof(address),
	};
	/* The field that sd_journal_sendv() adds by itself. */
	static const char identifier[] = "SYSLOG_IDENTIFIER=oompolicyd\n";
	struct datagram entry;
	int fd = socket_acquire();

	if (fd < 0)
		return fd;
	entry.n_parts = entry.n_lengths = 0;
	datagram_add(&entry, identifier, strlen(identifier));
	for (size_t i = 0; i < n_fields; i++) {
		int r = datagram_add_field(&entry, &fields[i]);

		if (r < 0)
			return r;
	}
	message.msg_iov = entry.parts;
	message.msg_iovlen = entry.n_parts;
	if (sendmsg(fd, &message, MSG_NOSIGNAL) >= 0)
		return 0;
	/* By way of a file in memory. Not for ENOBUFS, which is that there is no memory. */
	if (errno == EMSGSIZE)
		return sd_journal_sendv(fields, (int)n_fields);
	return -errno;
}

int journal_send_line(int priority, const char *message_id, const char *line,
		      const char *const *fields, size_t n_fields)
{
	char priority_field[] = "PRIORITY=0", id_field[64];
	char message_field[8 + 2048] = "MESSAGE=";
	struct iovec sent[3 + JOURNAL_LINE_FIELDS_MAX];
	size_t n_sent = 0, length;

	if (n_fields > JOURNAL_LINE_FIELDS_MAX)
		return -E2BIG;

	length = strnlen(line, sizeof(message_field) - 8);
	memcpy(message_field + 8, line, length);
	sent[n_sent++] = (struct iovec){message_field, 8 + length};

	priority_field[sizeof(priority_field) - 2] = (char)('0' + (priority & 7));
	sent[n_sent++] = (struct iovec){priority_field, sizeof(priority_field) - 1};

	if (message_id) {
		int n = snprintf(id_field, sizeof(id_field), "MESSAGE_ID=%s", message_id);

		if (n < 0 || (size_t)n >= sizeof(id_field))
			return -EINVAL;
		sent[n_sent++] = (struct iovec){id_field, (size_t)n};
	}

	for (size_t i = 0; i < n_fields; i++)
		sent[n_sent++] = (struct iovec){(char *)fields[i], strlen(fields[i])};

	return journal_send(sent, n_sent);
}
