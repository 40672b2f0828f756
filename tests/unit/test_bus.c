/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's side of the bus and oompolicyctl, against each other: a dbus-daemon of our own with
 * the shipped policy file, and the services of bus_service.c. What is printed is compared with
 * files in tests/unit/data/ctl; with OP_UPDATE_EXPECTED=1 in the environment these are written
 * instead.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-bus.h>

#include "api/bus-names.h"
#include "bus_service.h"
#include "daemon/bus/introspect.h"
#include "files.h"
#include "test.h"
#include "util/basic.h"

#define EXPECTED OP_SOURCE_ROOT "/tests/unit/data/ctl/"
#define NOBODY 65534

/* More than anything here takes. */
#define PATIENCE_MSEC 20000

static pid_t main_pid;
static char directory[64], address[128], config_file[128], cgroups[128];
static pid_t bus_pid = -1, service_pid = -1, polkit_pid = -1;

static void pause_msec(long msec)
{
	struct timespec ts = {.tv_sec = msec / 1000, .tv_nsec = msec % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

/* A process of its own. Its exit status tells whether it ended well, leaks included. */
static pid_t start(int (*run)(void))
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		exit(run());
	}
	return pid;
}

static void start_bus(void)
{
	bus_pid = fork();
	CHECK(bus_pid >= 0);
	if (bus_pid == 0) {
		char option[256];

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		snprintf(option, sizeof(option), "--config-file=%s", config_file);
		execlp("dbus-daemon", "dbus-daemon", option, "--nofork", "--nopidfile",
		       "--nosyslog", NULL);
		_exit(127);
	}
}

static void stop(pid_t *pid, bool well)
{
	int status;

	kill(*pid, SIGTERM);
	CHECK(waitpid(*pid, &status, 0) == *pid);
	*pid = -1;
	if (well)
		CHECK_INT(status, 0);
}

/* Waits until somebody has the name. */
static void wait_for_name(const char *name)
{
	for (long waited = 0; waited < PATIENCE_MSEC; waited += 50) {
		sd_bus *bus = NULL;
		int r = sd_bus_open_system(&bus);

		if (r >= 0)
			r = sd_bus_get_name_creds(bus, name, 0, NULL);
		sd_bus_flush_close_unref(bus);
		if (r >= 0)
			return;
		pause_msec(50);
	}
	FAIL("nobody has the name %s", name);
}

static void make_cgroup(const char *path, const char *memory, const char *procs)
{
	char file[512];

	snprintf(file, sizeof(file), "%s%s", cgroups, path);
	CHECK(mkdir(file, 0755) == 0 || errno == EEXIST);
	snprintf(file, sizeof(file), "%s%s/cgroup.procs", cgroups, path);
	files_write(file, procs);
	if (!*memory)
		return;
	snprintf(file, sizeof(file), "%s%s/memory.current", cgroups, path);
	files_write(file, memory);
}

/* However it ends; the other processes end with this one. */
static void remove_directory(void)
{
	char command[128];

	if (getpid() != main_pid)
		return;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	if (system(command) != 0)
		perror(command);
}

/* Once for all cases: the bus, the service, the files. */
static void set_up(void)
{
	static const char config[] =
		"<!DOCTYPE busconfig PUBLIC '-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN'"
		" 'http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd'>\n"
		"<busconfig><type>system</type><auth>EXTERNAL</auth><listen>%s</listen>\n"
		"<policy context='default'><allow user='*'/><deny own='*'/>\n"
		"<deny send_type='method_call'/><allow send_type='signal'/>\n"
		"<allow send_requested_reply='true' send_type='method_return'/>\n"
		"<allow send_requested_reply='true' send_type='error'/>\n"
		"<allow receive_type='method_call'/><allow receive_type='method_return'/>\n"
		"<allow receive_type='error'/><allow receive_type='signal'/>\n"
		"<allow send_destination='org.freedesktop.DBus'/></policy>\n"
		"<policy user='root'><allow own='org.freedesktop.PolicyKit1'/>\n"
		"<allow send_destination='org.freedesktop.PolicyKit1'/></policy>\n"
		"<include>" OP_SOURCE_ROOT "/systemd/org.oompolicyd1.conf</include></busconfig>\n";
	char text[2048];

	if (directory[0])
		return;
	strcpy(directory, "/tmp/test_bus.XXXXXX");
	CHECK(mkdtemp(directory));
	main_pid = getpid();
	CHECK(atexit(remove_directory) == 0);
	CHECK(chmod(directory, 0755) == 0);
	snprintf(address, sizeof(address), "unix:path=%s/socket", directory);
	snprintf(config_file, sizeof(config_file), "%s/config", directory);
	snprintf(text, sizeof(text), config, address);
	files_write(config_file, text);
	snprintf(cgroups, sizeof(cgroups), "%s/cgroup", directory);
	make_cgroup("", "", "1\n");
	make_cgroup("/system.slice", "734003200", "");
	make_cgroup("/system.slice/ssh.service", "4194304", "4\n");
	make_cgroup("/system.slice/db.service", "713031680", "5\n6\n");
	make_cgroup("/batch.slice", "71303168", "");
	make_cgroup("/batch.slice/small", "1000000", "7\n");
	make_cgroup("/batch.slice/large", "67108864", "8\n");
	make_cgroup("/batch.slice/e\033[31mvil\xff\"%n", "900", "9\n");
	make_cgroup("/empty.slice", "0", "");

	setenv("DBUS_SYSTEM_BUS_ADDRESS", address, true);
	setenv("LC_ALL", "C.UTF-8", true);
	setenv("TZ", "UTC", true);
	setenv("COLUMNS", "80", true);
	/* The service comes first: it has to wait for the bus. */
	service_pid = start(bus_service_run);
	pause_msec(300);
	start_bus();
	wait_for_name(BUS_NAME);
}

/*
 * Runs oompolicyctl with these arguments, as @uid. Returns its exit status; what it wrote to both
 * outputs is in @buf.
 */
static int run_ctl(uid_t uid, const char *const *arguments, char *buf, size_t size)
{
	const char *program = getenv("OOMPOLICYCTL");
	size_t used = 0;
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	CHECK(program);
	CHECK(pipe(fds) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		const char *argv[16] = {"oompolicyctl"};

		for (size_t i = 0; i < ARRAY_SIZE(argv) - 2 && arguments[i]; i++)
			argv[i + 1] = arguments[i];
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		if (uid != 0 && setresuid(uid, uid, uid) < 0)
			_exit(126);
		execv(program, (char *const *)argv);
		_exit(127);
	}
	close(fds[1]);
	while ((n = read(fds[0], buf + used, size - 1 - used)) > 0)
		used += (size_t)n;
	buf[used] = '\0';
	close(fds[0]);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define CTL(uid, buf, ...) run_ctl(uid, (const char *const[]){__VA_ARGS__, NULL}, buf, sizeof(buf))

static void compare(const char *name, const char *seen)
{
	char path[512];

	snprintf(path, sizeof(path), EXPECTED "%s", name);
	files_compare(path, seen);
}

/* --- the cases */

/* The interface is public: what clients rely on is in interface.xml, and the XML that is installed
 * is what the service on a bus says. */
static void test_introspection(void)
{
	_cleanup_free_ char *seen = NULL, *printed = NULL;
	sd_bus_message *reply = NULL;
	const char *xml, *begin, *end;
	sd_bus *bus = NULL;
	size_t size;
	FILE *f;

	set_up();
	CHECK(sd_bus_open_system(&bus) >= 0);
	CHECK(sd_bus_call_method(bus, BUS_NAME, BUS_PATH, "org.freedesktop.DBus.Introspectable",
				 "Introspect", NULL, &reply, "") >= 0);
	CHECK(sd_bus_message_read(reply, "s", &xml) >= 0);
	begin = strstr(xml, " <interface name=\"" BUS_INTERFACE "\">");
	CHECK(begin);
	end = strstr(begin, " </interface>\n");
	CHECK(end);
	seen = strndup(begin, (size_t)(end - begin));
	compare("interface.xml", seen);

	f = open_memstream(&printed, &size);
	CHECK(f);
	CHECK_INT(introspect_print(f), 0);
	fclose(f);
	CHECK(strncmp(printed, "<!DOCTYPE node ", 15) == 0);
	begin = strstr(printed, "<node>\n");
	CHECK(begin);
	begin += strlen("<node>\n");
	CHECK(strncmp(begin, seen, strlen(seen)) == 0);
	CHECK_STR(begin + strlen(seen), " </interface>\n</node>\n");
	sd_bus_message_unref(reply);
	sd_bus_flush_close_unref(bus);
}

static void test_output(void)
{
	char out[16384];

	set_up();
	CHECK_INT(CTL(0, out, "status", "--json=pretty"), 0);
	compare("status.json", out);
	CHECK_INT(CTL(0, out, "metrics"), 0);
	compare("metrics", out);
	CHECK_INT(CTL(0, out, "tree", "--cgroup-root", cgroups), 0);
	compare("tree", out);
	CHECK_INT(CTL(0, out, "tree", "--all", "--json=pretty", "--cgroup-root", cgroups), 0);
	compare("tree.json", out);
	CHECK_INT(CTL(0, out, "explain", "/system.slice/db.service"), 0);
	compare("explain", out);
	CHECK_INT(CTL(0, out, "explain", "--json=pretty", "/x\xff"), 0);
	compare("explain.json", out);
	CHECK_INT(CTL(0, out, "--help"), 0);
	compare("help", out);
}

/* What the provider says arrives as it is; the rest of the output is test_ctl's. */
static void test_rank(void)
{
	char out[16384];

	set_up();
	CHECK_INT(CTL(0, out, "rank", "--json=pretty"), 0);
	compare("rank-bus.json", out);
	CHECK_INT(CTL(0, out, "rank", "--no-legend", "--lines=1"), 0);
	CHECK(strchr(out, '\n') == out + strlen(out) - 1);
	CHECK_INT(CTL(0, out, "rank", "/gone"), 1);
	CHECK_STR(out, "oompolicyctl: There is no such cgroup.\n");
	CHECK_INT(CTL(0, out, "rank", "/uncontrolled"), 1);
	CHECK(strstr(out, "no memory controller"));
	CHECK_INT(CTL(0, out, "rank", "/a/../b"), 64);
	CHECK_INT(CTL(0, out, "rank", "/a", "/b"), 64);
}

/* A path that is no text goes over the bus and back. */
static void test_bytes(void)
{
	char out[16384];

	set_up();
	CHECK_INT(CTL(0, out, "tree", "--no-legend", "--all", "/batch.slice/e\033[31mvil\xff\"%n"),
		  0);
	CHECK(strstr(out, "/batch.slice/e\\x1b[31mvil\\xff\\\"%n\n"));
	for (const char *c = out; *c; c++)
		CHECK((*c >= ' ' && *c < 127) || *c == '\n');
}

static void test_failures(void)
{
	char out[16384];

	set_up();
	CHECK_INT(CTL(0, out, "tree", "/gone"), 1);
	CHECK_STR(out, "oompolicyctl: There is no such cgroup.\n");
	CHECK_INT(CTL(0, out, "tree", "not/absolute"), 64);
	CHECK_INT(CTL(0, out, "explain", "/a/../b"), 64);
	CHECK_INT(CTL(0, out, "explain", "/a//b"), 64);
	CHECK_INT(CTL(0, out, "explain"), 64);
	CHECK_INT(CTL(0, out, "status", "/x"), 64);
	CHECK_INT(CTL(0, out, "nothing"), 64);
	CHECK_INT(CTL(0, out, "status", "--json=yaml"), 64);
	CHECK_INT(CTL(0, out, "list", "--since=tomorrowish"), 64);
	CHECK_INT(CTL(0, out, "declare", "/x"), 64); /* nobody to ask */
	CHECK_INT(CTL(0, out, "info", "xyz"), 64);
	CHECK_INT(CTL(0, out, "check", "/nonexistent"), 78);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent", true);
	CHECK_INT(CTL(0, out, "status"), 69);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", address, true);
}

/* Who only looks needs no privilege; who changes something does. */
static void test_refusals(void)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus *bus = NULL;
	char out[16384];

	set_up();
	if (geteuid() != 0) {
		SKIP("only root can be another user");
		return;
	}
	CHECK_INT(CTL(NOBODY, out, "status", "--json=short"), 0);
	CHECK_INT(CTL(NOBODY, out, "tree"), 0);
	CHECK_INT(CTL(NOBODY, out, "rank"), 0);
	CHECK_INT(CTL(NOBODY, out, "explain", "/"), 0);
	CHECK_INT(CTL(NOBODY, out, "metrics"), 0);
	/* Without a polkit: nobody but root. */
	CHECK_INT(CTL(NOBODY, out, "reload"), 77);
	CHECK_INT(CTL(NOBODY, out, "declare", "--yes", "/x"), 77);
	CHECK_INT(CTL(0, out, "declare", "--yes", "/x"), 0);
	CHECK_STR(out, "Declared for /x.\n");
	CHECK_INT(CTL(0, out, "declare", "--yes", "/busy"), 1);
	CHECK_INT(CTL(0, out, "declare", "--yes", "/gone"), 1);
	CHECK_INT(CTL(0, out, "declare", "--yes", "relative"), 64);

	polkit_pid = start(bus_service_run_polkit);
	wait_for_name("org.freedesktop.PolicyKit1");
	CHECK_INT(CTL(NOBODY, out, "reload"), 0);
	CHECK_STR(out, "Reload number 1.\n");
	CHECK_INT(CTL(NOBODY, out, "declare", "--yes", "/x"), 77);
	CHECK(strstr(out, "administrator's password"));
	stop(&polkit_pid, true);
	CHECK_INT(CTL(NOBODY, out, "reload"), 77);

	/* Nothing but what the policy names reaches the service. */
	CHECK(sd_bus_open_system(&bus) >= 0);
	CHECK(sd_bus_call_method(bus, BUS_NAME, BUS_PATH, BUS_INTERFACE, "NoSuch", &error, NULL,
				 "") < 0);
	CHECK_STR(error.name, SD_BUS_ERROR_UNKNOWN_METHOD);
	sd_bus_error_free(&error);
	sd_bus_flush_close_unref(bus);
	/* A policy that is not attached is a failure, in words too. */
	CHECK_INT(CTL(0, out, "status"), 1);
	CHECK(strstr(out, "DETACHED"));
	CHECK_INT(CTL(0, out, "reload"), 0);
	CHECK_INT(CTL(0, out, "status"), 0);
	CHECK(!strstr(out, "DETACHED"));
	CHECK_INT(CTL(0, out, "reload"), 78);
	CHECK_STR(out, "oompolicyctl: /etc/oompolicy.conf:1: what is wrong\n");
	CHECK_INT(CTL(0, out, "reload", "--json=short"), 0);
	CHECK_STR(out, "{\"ok\":true,\"message\":\"Reload number 4.\"}\n");
}

/* The policy, seen by one who is nobody: another method of the same object is not let through. */
static int run_denied(void)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus *bus = NULL;
	int r;

	if (setresuid(NOBODY, NOBODY, NOBODY) < 0 || sd_bus_open_system(&bus) < 0)
		return 2;
	r = sd_bus_call_method(bus, BUS_NAME, BUS_PATH, BUS_INTERFACE, "NoSuch", &error, NULL, "");
	r = r < 0 && sd_bus_error_has_name(&error, SD_BUS_ERROR_ACCESS_DENIED) ? 0 : 3;
	sd_bus_error_free(&error);
	if (r == 0 &&
	    sd_bus_call_method(bus, BUS_NAME, BUS_PATH, "org.freedesktop.DBus.Properties", "Set",
			       &error, NULL, "ssv", BUS_INTERFACE, "Rules", "u", 1) >= 0)
		r = 4;
	sd_bus_error_free(&error);
	if (r == 0 &&
	    sd_bus_request_name(bus, "org.oompolicyd1", SD_BUS_NAME_REPLACE_EXISTING) >= 0)
		r = 5;
	sd_bus_flush_close_unref(bus);
	return r;
}

static void test_policy(void)
{
	int status;
	pid_t pid;

	set_up();
	if (geteuid() != 0) {
		SKIP("only root can be another user");
		return;
	}
	pid = start(run_denied);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK_INT(status, 0);
}

/* --- signals */

struct heard {
	bool record, config, counters;
};

static int on_record(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	static const struct {
		const char *name, *value;
	} expected[] = {
		{"MESSAGE", "OOM in /batch.slice: killed hog"},
		{"OOMPOLICY_DECISION", "killed"},
		{"OOMPOLICY_SEQ", "8"},
		{"OOMPOLICY_VICTIM_COMM", "e\033[31m\n=%n"},
		{"OOMPOLICY_VICTIM_CGROUP", NULL},
		{"OOMPOLICY_EMPTY", ""},
	};
	struct heard *heard = userdata;

	(void)error;
	CHECK_STR(sd_bus_message_get_signature(m, true), "a{sv}");
	CHECK(sd_bus_message_enter_container(m, 'a', "{sv}") > 0);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		const char *name, *value;

		CHECK(sd_bus_message_enter_container(m, 'e', "sv") > 0);
		CHECK(sd_bus_message_read(m, "s", &name) > 0);
		CHECK_STR(name, expected[i].name);
		if (expected[i].value) {
			CHECK(sd_bus_message_read(m, "v", "s", &value) > 0);
			CHECK_STR(value, expected[i].value);
		} else {
			const void *bytes;
			size_t size;

			CHECK(sd_bus_message_enter_container(m, 'v', "ay") > 0);
			CHECK(sd_bus_message_read_array(m, 'y', &bytes, &size) > 0);
			CHECK_INT(size, 3);
			CHECK(memcmp(bytes, "/\xff\xfe", 3) == 0);
			CHECK(sd_bus_message_exit_container(m) > 0);
		}
		CHECK(sd_bus_message_exit_container(m) > 0);
	}
	/* No member, no name that comes twice, nothing that is no field. */
	CHECK_INT(sd_bus_message_at_end(m, false), 1);
	heard->record = true;
	return 0;
}

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct heard *heard = userdata;
	const char *interface;

	(void)error;
	CHECK(sd_bus_message_read(m, "s", &interface) > 0);
	CHECK_STR(interface, BUS_INTERFACE);
	CHECK(sd_bus_message_enter_container(m, 'a', "{sv}") > 0);
	while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
		const char *name;

		CHECK(sd_bus_message_read(m, "s", &name) > 0);
		if (strcmp(name, "Configuration") == 0) {
			uint32_t number;

			CHECK(sd_bus_message_read(m, "v", "u", &number) > 0);
			CHECK(number > 1);
			heard->config = true;
		} else if (strcmp(name, "LastOom") == 0) {
			uint64_t seq;

			CHECK(sd_bus_message_read(m, "v", "t", &seq) > 0);
			CHECK(seq >= 8);
			heard->counters = true;
		} else
			CHECK(sd_bus_message_skip(m, "v") > 0);
		CHECK(sd_bus_message_exit_container(m) > 0);
	}
	return 0;
}

static void test_signals(void)
{
	struct heard heard = {};
	sd_bus *bus = NULL;
	char out[1024];

	set_up();
	CHECK(sd_bus_open_system(&bus) >= 0);
	CHECK(sd_bus_match_signal(bus, NULL, BUS_NAME, BUS_PATH, BUS_INTERFACE, "OomRecord",
				  on_record, &heard) >= 0);
	CHECK(sd_bus_match_signal(bus, NULL, BUS_NAME, BUS_PATH, "org.freedesktop.DBus.Properties",
				  "PropertiesChanged", on_changed, &heard) >= 0);
	(void)CTL(0, out, "reload");
	for (int i = 0; i < 200 && !(heard.record && heard.config && heard.counters); i++) {
		int r = sd_bus_process(bus, NULL);

		CHECK(r >= 0);
		if (r == 0)
			CHECK(sd_bus_wait(bus, UINT64_C(100000)) >= 0);
	}
	CHECK(heard.record);
	CHECK(heard.config);
	CHECK(heard.counters);
	sd_bus_flush_close_unref(bus);
}

/* The bus goes and comes again: the service is there again by itself, and has no clock running. */
static void test_reconnect(void)
{
	char out[16384];

	set_up();
	stop(&bus_pid, false);
	CHECK_INT(CTL(0, out, "status"), 69);
	pause_msec(600);
	start_bus();
	wait_for_name(BUS_NAME);
	CHECK_INT(CTL(0, out, "metrics"), 0);
}

/* Ends all, and checks that the service ended well. */
static void test_end(void)
{
	set_up();
	stop(&service_pid, true);
	stop(&bus_pid, false);
}

static const struct test_case cases[] = {
	TEST_CASE(introspection), TEST_CASE(output),   TEST_CASE(bytes),  TEST_CASE(rank),
	TEST_CASE(failures),	  TEST_CASE(refusals), TEST_CASE(policy), TEST_CASE(signals),
	TEST_CASE(reconnect),	  TEST_CASE(end),
};
TEST_MAIN(cases)
