/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the requests that wait for polkit. Refuses to know what they ask for.
 *
 * Invariant: the number of requests that wait is bounded, and each has an answer or a time limit.
 */
#include "polkit.h"

#include <stdbool.h>
#include <string.h>

#include <systemd/sd-bus.h>

#include "util/basic.h"
#include "util/log.h"

/* polkit may have to ask for a password. */
#define TIMEOUT_USEC UINT64_C(120000000)

/* CheckAuthorizationFlags of polkit's D-Bus API. */
#define ALLOW_INTERACTION 1U

static void request_done(struct polkit_request *p)
{
	p->slot = sd_bus_slot_unref(p->slot);
	p->message = sd_bus_message_unref(p->message);
	free(TAKE_PTR(p->argument));
}

void polkit_done(struct polkit *p)
{
	for (size_t i = 0; i < POLKIT_PENDING_MAX; i++)
		request_done(&p->pending[i]);
}

/* Answers a request that polkit has looked at. */
static int finish(struct polkit_request *p, sd_bus_message *verdict)
{
	int authorized = 0, challenge = 0, r;

	if (sd_bus_message_is_method_error(verdict, NULL)) {
		log_debug("polkit gives no answer: %s", sd_bus_message_get_error(verdict)->message);
		return sd_bus_reply_method_errorf(
			p->message, SD_BUS_ERROR_ACCESS_DENIED,
			"Not permitted: only root may, as polkit gives no answer.");
	}
	r = sd_bus_message_enter_container(verdict, 'r', "bba{ss}");
	if (r >= 0)
		r = sd_bus_message_read(verdict, "bb", &authorized, &challenge);
	if (r < 0)
		authorized = challenge = 0;
	if (authorized)
		return p->perform(p->message, p->argument, p->userdata);
	if (challenge)
		return sd_bus_reply_method_errorf(
			p->message, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
			"Not permitted: polkit asks for an administrator's password, and has no "
			"agent here to enter it in. Try as root.");
	return sd_bus_reply_method_errorf(p->message, SD_BUS_ERROR_ACCESS_DENIED,
					  "Not permitted by polkit's rules.");
}

static int on_verdict(sd_bus_message *verdict, void *userdata, sd_bus_error *error _unused_)
{
	struct polkit_request *p = userdata;
	int r;

	r = finish(p, verdict);
	if (r < 0)
		log_debug("Cannot answer on the bus: %s", strerror(-r));
	request_done(p);
	return 1;
}

static int ask(struct polkit_request *p, const char *action)
{
	sd_bus *connection = sd_bus_message_get_bus(p->message);
	sd_bus_message *m = NULL;
	bool interactive;
	int r;

	interactive = sd_bus_message_get_allow_interactive_authorization(p->message) > 0;
	r = sd_bus_message_new_method_call(connection, &m, "org.freedesktop.PolicyKit1",
					   "/org/freedesktop/PolicyKit1/Authority",
					   "org.freedesktop.PolicyKit1.Authority",
					   "CheckAuthorization");
	if (r >= 0)
		r = sd_bus_message_append(m, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s",
					  sd_bus_message_get_sender(p->message), action, 0,
					  interactive ? ALLOW_INTERACTION : 0, "");
	if (r >= 0)
		r = sd_bus_call_async(connection, &p->slot, m, on_verdict, p, TIMEOUT_USEC);
	sd_bus_message_unref(m);
	return r;
}

static bool sender_is_root(sd_bus_message *request)
{
	sd_bus_creds *creds = NULL;
	uid_t uid = (uid_t)-1;
	bool is_root;

	/* What the bus saw when the sender connected, so nobody can take another's place. */
	is_root = sd_bus_query_sender_creds(request, SD_BUS_CREDS_EUID, &creds) >= 0 &&
		  sd_bus_creds_get_euid(creds, &uid) >= 0 && uid == 0;
	sd_bus_creds_unref(creds);
	return is_root;
}

int polkit_authorize(struct polkit *polkit, sd_bus_message *request, const char *action,
		     char **argument, polkit_perform_t perform, void *userdata)
{
	struct polkit_request *p = NULL;
	int r;

	if (sender_is_root(request))
		return perform(request, *argument, userdata);

	for (size_t i = 0; i < POLKIT_PENDING_MAX && !p; i++)
		if (!polkit->pending[i].message)
			p = &polkit->pending[i];
	if (!p)
		return sd_bus_reply_method_errorf(request, SD_BUS_ERROR_LIMITS_EXCEEDED,
						  "Too many requests wait for an authorization.");
	*p = (struct polkit_request){
		.message = sd_bus_message_ref(request),
		.argument = TAKE_PTR(*argument),
		.perform = perform,
		.userdata = userdata,
	};
	r = ask(p, action);
	if (r < 0) {
		request_done(p);
		return r;
	}
	return 1;
}
