/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One packet each way: "reload" or "declare PATH", and "ERRNO SENTENCE" with ERRNO 0 or positive.
 * Only root may ask.
 *
 * Invariant: no client can hold the daemon up. Sockets do not block, a client that says nothing
 * only keeps its place, and an answer that does not fit the socket is dropped with the client.
 */
#include "control.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <systemd/sd-event.h>

#include "util/basic.h"
#include "util/log.h"

#define CONTROL_DIRECTORY "/run/oompolicyd"
#define CONTROL_SOCKET CONTROL_DIRECTORY "/control"

/* More than the administrators of one machine; the next is turned away. */
#define CLIENTS_MAX 8

/* systemd gives an ExecReload= 90 s; a walk of 100,000 cgroups takes under one. */
#define REPLY_TIMEOUT_SEC 60

#define REQUEST_RELOAD "reload"
#define REQUEST_DECLARE "declare "

/* The longest request, with a path of PATH_MAX and its NUL. */
#define REQUEST_SIZE (sizeof(REQUEST_DECLARE) - 1 + PATH_MAX)

struct client {
	struct control *control;
	int fd;
	sd_event_source *source;
};

struct control {
	sd_event *event;
	struct control_handlers handlers;
	int fd;
	sd_event_source *source;
	struct client clients[CLIENTS_MAX];
};

static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = CONTROL_SOCKET};

static void client_done(struct client *c)
{
	c->source = sd_event_source_disable_unref(c->source);
	c->fd = safe_close(c->fd);
}

/* @request is NUL-terminated, as are all requests without a NUL in them. */
static int handle_request(const struct control_handlers *h, const char *request,
			  char message[static CONTROL_MESSAGE_SIZE])
{
	if (strcmp(request, REQUEST_RELOAD) == 0)
		return h->reload(message, h->userdata);
	if (strncmp(request, REQUEST_DECLARE, strlen(REQUEST_DECLARE)) == 0)
		return h->declare(request + strlen(REQUEST_DECLARE), message, h->userdata);
	snprintf(message, CONTROL_MESSAGE_SIZE,
		 "The requests are \"" REQUEST_RELOAD "\" and \"" REQUEST_DECLARE "CGROUP\".");
	return -EOPNOTSUPP;
}

static int on_client(sd_event_source *source _unused_, int fd, uint32_t revents _unused_,
		     void *userdata)
{
	struct client *client = userdata;
	char request[REQUEST_SIZE], message[CONTROL_MESSAGE_SIZE] = "";
	char reply[16 + CONTROL_MESSAGE_SIZE];
	ssize_t n;
	int r, length;

	n = recv(fd, request, sizeof(request), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	/* One that is too long, or has a NUL in it, is no request that there is. */
	if (n < 0 || n >= (ssize_t)sizeof(request))
		n = 0;
	request[n] = '\0';
	if (strlen(request) != (size_t)n)
		request[0] = '\0';
	r = handle_request(&client->control->handlers, request, message);

	length = snprintf(reply, sizeof(reply), "%d %s", -r, message);
	if (n > 0 && send(fd, reply, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("Cannot answer on the control socket: %s", strerror(errno));
	client_done(client);
	return 0;
}

static bool peer_is_allowed(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) >= 0 && peer.uid == 0;
}

static int on_connect(sd_event_source *source _unused_, int listen_fd, uint32_t revents _unused_,
		      void *userdata)
{
	_cleanup_close_ int fd = -EBADF;
	struct control *c = userdata;
	struct client *client = NULL;
	int r;

	fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return 0;
	for (size_t i = 0; i < CLIENTS_MAX && !client; i++)
		if (c->clients[i].fd < 0)
			client = &c->clients[i];
	if (!client || !peer_is_allowed(fd)) {
		log_debug("Turned a client of the control socket away.");
		return 0;
	}

	r = sd_event_add_io(c->event, &client->source, fd, EPOLLIN, on_client, client);
	if (r < 0) {
		log_warning("Cannot serve the control socket: %s, ignoring.", strerror(-r));
		return 0;
	}
	client->fd = TAKE_FD(fd);
	return 0;
}

static int connect_socket(void)
{
	_cleanup_close_ int fd = -EBADF;

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int listen_socket(int *ret)
{
	_cleanup_close_ int fd = -EBADF, other = -EBADF;
	mode_t mask;
	int r;

	/* The unit's RuntimeDirectory= made it already; by hand it may be missing. */
	if (mkdir(CONTROL_DIRECTORY, 0755) < 0 && errno != EEXIST)
		return -errno;
	other = connect_socket();
	if (other >= 0)
		return -EADDRINUSE;
	if (unlink(CONTROL_SOCKET) < 0 && errno != ENOENT)
		return -errno;

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	mask = umask(0177);
	r = bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	umask(mask);
	if (r < 0)
		return r;
	if (listen(fd, CLIENTS_MAX) < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

int control_new(struct sd_event *event, const struct control_handlers *handlers,
		struct control **ret)
{
	_cleanup_(control_freep) struct control *c = NULL;
	int r;

	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	*c = (struct control){
		.event = sd_event_ref(event),
		.handlers = *handlers,
		.fd = -EBADF,
	};
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		c->clients[i] = (struct client){.control = c, .fd = -EBADF};

	r = listen_socket(&c->fd);
	if (r < 0)
		return r;
	r = sd_event_add_io(event, &c->source, c->fd, EPOLLIN, on_connect, c);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

struct control *control_free(struct control *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		client_done(&c->clients[i]);
	c->source = sd_event_source_disable_unref(c->source);
	if (c->fd >= 0) {
		safe_close(c->fd);
		unlink(CONTROL_SOCKET);
	}
	sd_event_unref(c->event);
	free(c);
	return NULL;
}

bool control_is_running(void)
{
	_cleanup_close_ int fd = connect_socket();

	return fd >= 0;
}

static int request(const char *text, char message[static CONTROL_MESSAGE_SIZE])
{
	const struct timeval timeout = {.tv_sec = REPLY_TIMEOUT_SEC};
	char reply[16 + CONTROL_MESSAGE_SIZE];
	_cleanup_close_ int fd = -EBADF;
	char *end;
	long error;
	ssize_t n;

	fd = connect_socket();
	if (fd < 0) {
		snprintf(message, CONTROL_MESSAGE_SIZE, "No oompolicyd answers on %s: %s",
			 CONTROL_SOCKET, strerror(-fd));
		return -ENOTCONN;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		n = -1;
	else
		n = recv(fd, reply, sizeof(reply) - 1, 0);
	if (n <= 0) {
		snprintf(message, CONTROL_MESSAGE_SIZE, "oompolicyd gave no answer: %s",
			 n < 0 ? strerror(errno) : "it closed the connection");
		return -ENOTCONN;
	}

	reply[n] = '\0';
	error = strtol(reply, &end, 10);
	if (end == reply || *end != ' ' || error < 0 || error > 4095) {
		snprintf(message, CONTROL_MESSAGE_SIZE,
			 "oompolicyd gave an answer of another kind");
		return -EBADMSG;
	}
	snprintf(message, CONTROL_MESSAGE_SIZE, "%s", end + 1);
	return (int)-error;
}

int control_request_reload(char message[static CONTROL_MESSAGE_SIZE])
{
	return request(REQUEST_RELOAD, message);
}

int control_request_declare(const char *path, char message[static CONTROL_MESSAGE_SIZE])
{
	char text[REQUEST_SIZE];
	int n = snprintf(text, sizeof(text), REQUEST_DECLARE "%s", path);

	if (n < 0 || (size_t)n >= sizeof(text)) {
		snprintf(message, CONTROL_MESSAGE_SIZE, "The path is too long.");
		return -ENAMETOOLONG;
	}
	return request(text, message);
}
