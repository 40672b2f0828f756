/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the directory in the BPF file system. Knows names and descriptors, not what they are for.
 *
 * Invariant: the note is the first pin of a set and the last that goes, and says that the set is
 * complete only while it is: at whichever instruction a daemon is killed, the next one knows what
 * it has before it.
 */
#include "pins.h"

#include <dirent.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include <bpf/bpf.h>

#include "api/messages.h"
#include "util/basic.h"
#include "util/log.h"

/* The kernel's selection looks at each task of the machine once, and prints nothing: some
 * milliseconds for thousands of them. */
#define SELECTION_NSEC 250000000L

/* As many milliseconds: far more than the kernel needs for a program that nobody runs. */
#define UNLOAD_PAUSES_MAX 1000U

/* The sets of pins, as other programs do with directories: below the root that we reach. */
static int rename_next(void)
{
	char from[PINS_PATH_SIZE], to[PINS_PATH_SIZE];

	(void)pin_make_path(from, PINS_NEXT_DIRECTORY, "");
	(void)pin_make_path(to, PINS_DIRECTORY, "");
	if (rename(from, to) == 0)
		return 0;
	log_warning("Cannot rename " PINS_NEXT_DIRECTORY ": %s, ignoring.", strerror(errno));
	return -errno;
}

static int make_pin_path(char path[static PINS_PATH_SIZE], const char *directory,
			 const char *prefix, const char *name)
{
	char pin[PINS_NAME_SIZE];
	int r = pin_make_name(pin, prefix, name);

	return r < 0 ? r : pin_make_path(path, directory, pin);
}

static int make_directory(const char *directory)
{
	char path[PINS_PATH_SIZE];
	int r = pin_make_path(path, directory, "");

	return r < 0 ? r : mkdir(path, 0700) < 0 ? -errno : 0;
}

static int get_pin(const char *directory, const char *prefix, const char *name)
{
	char path[PINS_PATH_SIZE];
	int r = make_pin_path(path, directory, prefix, name);

	return r < 0 ? r : bpf_obj_get(path);
}

/* --- what is pinned */

static uint32_t object_id(int fd, bool is_link)
{
	struct bpf_link_info link = {};
	struct bpf_map_info map = {};
	__u32 link_size = sizeof(link), map_size = sizeof(map);

	if (is_link)
		return bpf_link_get_info_by_fd(fd, &link, &link_size) < 0 ? 0 : link.id;
	return bpf_map_get_info_by_fd(fd, &map, &map_size) < 0 ? 0 : map.id;
}

static bool is_link(const char *name)
{
	return strncmp(name, PINS_LINK_PREFIX, strlen(PINS_LINK_PREFIX)) == 0;
}

static void forget_pin(struct pins *p, const char *name)
{
	for (size_t i = 0; i < p->n_items; i++)
		if (strcmp(p->items[i].name, name) == 0) {
			p->n_items--;
			memmove(&p->items[i], &p->items[i + 1],
				(p->n_items - i) * sizeof(p->items[0]));
			return;
		}
}

static void note_pin(struct pins *p, int fd, const char *prefix, const char *name)
{
	struct pin pin;

	if (pin_make_name(pin.name, prefix, name) < 0)
		return;
	forget_pin(p, pin.name);
	pin.id = object_id(fd, is_link(pin.name));
	if (pin.id && p->n_items < PINS_MAX)
		p->items[p->n_items++] = pin;
}

/* --- the note */

static void forget_note(struct pins *p)
{
	if (p->is_mapped)
		munmap(p->note, sizeof(*p->note));
	p->is_mapped = false;
	p->note = &p->unpinned;
	p->note_fd = safe_close(p->note_fd);
}

static int map_note(struct pins *p)
{
	void *memory =
		mmap(NULL, sizeof(*p->note), PROT_READ | PROT_WRITE, MAP_SHARED, p->note_fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	p->note = memory;
	p->is_mapped = true;
	return 0;
}

/* What the note in @directory is worth; a good one is mapped, any other forgotten. */
static enum note_state acquire_note(struct pins *p, const char *directory)
{
	_cleanup_free_ struct note *copy = NULL;
	struct bpf_map_info info = {};
	__u32 size = sizeof(info), zero = 0;
	enum note_state state = NOTE_FOREIGN;
	size_t value_size;

	p->note_fd = get_pin(directory, PINS_NOTE, "");
	if (p->note_fd < 0)
		return NOTE_FOREIGN;
	if (bpf_map_get_info_by_fd(p->note_fd, &info, &size) == 0 &&
	    info.type == BPF_MAP_TYPE_ARRAY && info.max_entries == 1) {
		/* The kernel copies values in units of 8 bytes. */
		value_size = (info.value_size + 7U) & ~7U;
		copy = calloc(1, value_size > sizeof(*copy) ? value_size : sizeof(*copy));
		if (copy && bpf_map_lookup_elem(p->note_fd, &zero, copy) == 0)
			state = note_judge(copy, info.value_size);
	}
	if (state == NOTE_GOOD && map_note(p) < 0)
		state = NOTE_OTHER;
	if (state != NOTE_GOOD)
		forget_note(p);
	return state;
}

/* --- directories */

typedef bool (*name_filter_t)(const char *name, const struct pins_step *step);

static bool is_of_step(const char *name, const struct pins_step *step)
{
	return is_link(name) && step->is_link(name + strlen(PINS_LINK_PREFIX));
}

static bool is_not_note(const char *name, const struct pins_step *step _unused_)
{
	return strcmp(name, PINS_NOTE) != 0;
}

static bool is_any(const char *name _unused_, const struct pins_step *step _unused_)
{
	return true;
}

/* Has @visit see each pin in @directory that @filter lets pass. */
static void visit_pins(const char *directory, name_filter_t filter, const struct pins_step *step,
		       void (*visit)(const char *directory, const char *name, void *userdata),
		       void *userdata)
{
	const struct dirent *entry;
	char reached[PINS_PATH_SIZE];
	DIR *d;

	if (pin_make_path(reached, directory, "") < 0)
		return;
	d = opendir(reached);
	if (!d)
		return;
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.' && filter(entry->d_name, step))
			visit(directory, entry->d_name, userdata);
	closedir(d);
}

void pins_wait_selection(void)
{
	const struct timespec pause = {.tv_nsec = SELECTION_NSEC};

	nanosleep(&pause, NULL);
}

/* More than the links of any step. */
#define PROGRAMS_MAX 16

struct programs {
	uint32_t ids[PROGRAMS_MAX];
	size_t n;
};

static void add_program(const char *directory, const char *name, void *userdata)
{
	_cleanup_close_ int fd = get_pin(directory, "", name);
	struct programs *programs = userdata;
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);

	if (fd >= 0 && bpf_link_get_info_by_fd(fd, &info, &size) == 0 && info.prog_id &&
	    programs->n < PROGRAMS_MAX)
		programs->ids[programs->n++] = info.prog_id;
}

/* The kernel lets go of what was pinned at its leisure, and of the program when nobody runs it. */
static void wait_unloaded(uint32_t program_id)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	for (unsigned i = 0; i < UNLOAD_PAUSES_MAX; i++) {
		_cleanup_close_ int fd = bpf_prog_get_fd_by_id(program_id);

		if (fd < 0)
			return;
		safe_close(TAKE_FD(fd));
		nanosleep(&pause, NULL);
	}
	log_debug("Program %u is still there, ignoring.", program_id);
}

static void remove_visited(const char *directory, const char *name, void *userdata)
{
	const bool *detach = userdata;
	char path[PINS_PATH_SIZE];

	if (pin_make_path(path, directory, name) < 0) {
		log_warning("Cannot remove %s: its path is too long, ignoring.", name);
		return;
	}
	/* Now, where the kernel can: it lets go of a pin's object at its leisure. */
	if (*detach) {
		_cleanup_close_ int fd = bpf_obj_get(path);

		if (fd >= 0)
			(void)bpf_link_detach(fd);
	}
	if (unlink(path) < 0)
		log_warning("Cannot remove %s: %s, ignoring.", path, strerror(errno));
}

static void remove_pins(const char *directory, name_filter_t filter, const struct pins_step *step,
			bool detach)
{
	visit_pins(directory, filter, step, remove_visited, &detach);
}

static void remove_policies(const char *directory, const struct pins_removal *removal, bool detach)
{
	for (size_t i = 0; i < removal->n; i++) {
		const struct pins_step *step = &removal->steps[i];
		struct programs programs = {};

		if (detach && step->is_awaited)
			visit_pins(directory, is_of_step, step, add_program, &programs);
		if (programs.n > 0)
			pins_wait_selection();
		remove_pins(directory, is_of_step, step, detach && step->is_detached);
		for (size_t j = 0; j < programs.n; j++)
			wait_unloaded(programs.ids[j]);
	}
}

static void remove_directory(const char *directory, const struct pins_removal *removal, bool detach)
{
	char reached[PINS_PATH_SIZE];

	remove_policies(directory, removal, detach);
	remove_pins(directory, is_not_note, NULL, false);
	remove_pins(directory, is_any, NULL, false);
	(void)pin_make_path(reached, directory, "");
	if (rmdir(reached) < 0 && errno != ENOENT)
		log_warning("Cannot remove %s: %s, ignoring.", directory, strerror(errno));
}

/* Why nothing is pinned: once, as what comes of it lasts until the daemon is started again. */
static void log_unpinned(const char *why)
{
	log_message(
		LOG_WARNING, MESSAGE_ID_NOT_PINNED,
		"%s The policy will not outlive this daemon: it is taken out of the kernel when "
		"the daemon ends, however that happens.",
		why);
}

static enum note_state find(struct pins *p, const char *directory, char why[static LOADER_WHY_SIZE])
{
	int n = pin_check_directory(directory, why, LOADER_WHY_SIZE);
	enum note_state state;

	if (n == -ENOENT)
		return NOTE_NONE;
	state = n < 0 ? NOTE_FOREIGN : n == 0 ? NOTE_HALF : acquire_note(p, directory);
	if (n >= 0 && state == NOTE_FOREIGN)
		snprintf(why, LOADER_WHY_SIZE, "There are pins in %s that are not oompolicyd's.",
			 directory);
	return state;
}

/* Finishes what a daemon was killed at: it had a new set active, and the old one was still to be
 * removed; or had not come that far. */
static void finish_next(struct pins *p)
{
	char why[LOADER_WHY_SIZE];
	enum note_state next = find(p, PINS_NEXT_DIRECTORY, why);

	forget_note(p);
	if (next == NOTE_HALF)
		remove_directory(PINS_NEXT_DIRECTORY, &p->removal, true);
	if (next != NOTE_GOOD && next != NOTE_OTHER)
		return;
	remove_directory(PINS_DIRECTORY, &p->removal, true);
	(void)rename_next();
}

void pins_init(struct pins *p, const struct pins_removal *removal)
{
	char why[LOADER_WHY_SIZE];

	*p = (struct pins){.removal = *removal, .note_fd = -EBADF, .found = NOTE_FOREIGN};
	p->note = &p->unpinned;
	if (pin_check_root(why, sizeof(why)) == 0)
		p->found = find(p, PINS_DIRECTORY, why);
	if (p->found == NOTE_FOREIGN) {
		log_unpinned(why);
		return;
	}
	forget_note(p);
	finish_next(p);
	p->found = find(p, PINS_DIRECTORY, why);
	if (p->found == NOTE_HALF) {
		remove_directory(PINS_DIRECTORY, &p->removal, true);
		p->found = NOTE_NONE;
	}
	if (p->found == NOTE_GOOD) {
		snprintf(p->directory, sizeof(p->directory), "%s", PINS_DIRECTORY);
		note_pin(p, p->note_fd, PINS_NOTE, "");
	}
}

void pins_done(struct pins *p)
{
	forget_note(p);
}

static void give_up(struct pins *p, const char *prefix, const char *name, int error)
{
	char why[LOADER_WHY_SIZE];

	snprintf(why, sizeof(why), "Cannot pin %s%s below " PINS_ROOT ": %s.", prefix, name,
		 strerror(-error));
	log_unpinned(why);
	pins_drop(p);
}

void pins_begin(struct pins *p, enum backend backend, uint64_t build_id)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
	struct report_position position = {
		.sending_seq = p->note->position.sending_seq,
		.sending_type = p->note->position.sending_type,
		.last_seq = p->note->position.last_seq,
	};
	int r;

	/* A good one that is not taken over; but its last records may be. */
	p->old_backend = p->found == NOTE_GOOD ? p->note->backend : BACKEND_AUTO;
	p->old_lost_said = p->note->position.n_lost_said;
	forget_note(p);
	p->n_items = 0;
	p->directory[0] = '\0';
	p->unpinned = (struct note){};
	p->old_waits = p->found == NOTE_GOOD || p->found == NOTE_OTHER;
	if (p->found != NOTE_FOREIGN) {
		const char *directory = p->old_waits ? PINS_NEXT_DIRECTORY : PINS_DIRECTORY;

		r = make_directory(directory);
		if (r < 0) {
			give_up(p, "", "the policy", r);
		} else {
			snprintf(p->directory, sizeof(p->directory), "%s", directory);
			p->note_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "op_meta", sizeof(uint32_t),
						    sizeof(*p->note), 1, &options);
			r = p->note_fd < 0 ? p->note_fd : map_note(p);
			if (r < 0)
				give_up(p, "", "the note", r);
		}
	}
	*p->note = (struct note){
		.magic = NOTE_MAGIC,
		.version = NOTE_VERSION,
		.size = sizeof(*p->note),
		.abi = OP_ABI_VERSION,
		.build_id = build_id,
		.backend = backend,
		.position = position,
	};
	if (p->directory[0])
		pins_add(p, p->note_fd, PINS_NOTE, "");
}

void pins_add(struct pins *p, int fd, const char *prefix, const char *name)
{
	char path[PINS_PATH_SIZE];
	int r;

	if (!p->directory[0])
		return;
	r = make_pin_path(path, p->directory, prefix, name);
	if (r >= 0)
		r = bpf_obj_pin(fd, path);
	if (r < 0)
		give_up(p, prefix, name, r);
	else
		note_pin(p, fd, prefix, name);
}

static void remove_pin(const struct pins *p, const char *name)
{
	char path[PINS_PATH_SIZE];

	if (pin_make_path(path, p->directory, name) < 0)
		return;
	if (unlink(path) < 0 && errno != ENOENT)
		log_warning("Cannot remove %s: %s, ignoring.", path, strerror(errno));
}

void pins_remove(struct pins *p, const char *prefix, const char *name)
{
	char pin[PINS_NAME_SIZE];

	if (!p->directory[0])
		return;
	/* One that is too long was never made. */
	if (pin_make_name(pin, prefix, name) < 0)
		return;
	forget_pin(p, pin);
	remove_pin(p, pin);
}

int pins_get(struct pins *p, const char *prefix, const char *name)
{
	int fd = p->directory[0] ? get_pin(p->directory, prefix, name) : -ENOENT;

	if (fd >= 0)
		note_pin(p, fd, prefix, name);
	return fd;
}

int pins_get_old(const char *prefix, const char *name)
{
	return get_pin(PINS_DIRECTORY, prefix, name);
}

bool pins_complete(struct pins *p)
{
	__atomic_store_n(&p->note->complete, 1, __ATOMIC_RELEASE);
	return p->old_waits;
}

void pins_retire(const struct pins *p)
{
	remove_policies(PINS_DIRECTORY, &p->removal, true);
}

void pins_replace(struct pins *p)
{
	remove_directory(PINS_DIRECTORY, &p->removal, true);
	p->old_waits = false;
	if (!p->directory[0])
		return;
	if (rename_next() == 0)
		snprintf(p->directory, sizeof(p->directory), "%s", PINS_DIRECTORY);
}

/* Where there is something that is not ours, too. */
static void remove_own(const struct pins *p)
{
	for (size_t i = p->n_items; i > 0; i--)
		remove_pin(p, p->items[i - 1].name);
}

void pins_drop(struct pins *p)
{
	char why[LOADER_WHY_SIZE];

	if (!p->directory[0])
		return;
	/* The note stays where it is: who keeps it up to date does not ask where that is. */
	__atomic_store_n(&p->note->complete, 0, __ATOMIC_RELEASE);
	if (pin_check_directory(p->directory, why, sizeof(why)) == -EPERM)
		remove_own(p);
	else
		remove_directory(p->directory, &p->removal, false);
	p->directory[0] = '\0';
	p->n_items = 0;
}

/* --- what others do to the pins */

static bool is_there(const struct pins *p, const struct pin *pin)
{
	char path[PINS_PATH_SIZE];

	return pin_make_path(path, p->directory, pin->name) >= 0 && access(path, F_OK) == 0;
}

static int pin_again(const struct pins *p, const struct pin *pin)
{
	_cleanup_close_ int fd =
		is_link(pin->name) ? bpf_link_get_fd_by_id(pin->id) : bpf_map_get_fd_by_id(pin->id);
	char path[PINS_PATH_SIZE];
	int r;

	if (fd < 0)
		return fd;
	r = pin_make_path(path, p->directory, pin->name);
	return r < 0 ? r : bpf_obj_pin(fd, path);
}

/* Of the set that is active. It is not complete while this lasts. */
static int pin_all_again(struct pins *p, char why[static LOADER_WHY_SIZE])
{
	int n = pin_check_directory(p->directory, why, LOADER_WHY_SIZE), r = 0;

	if (n == -ENOENT) {
		n = make_directory(p->directory);
		if (n < 0)
			snprintf(why, LOADER_WHY_SIZE, "Cannot make %s: %s.", p->directory,
				 strerror(-n));
	}
	if (n < 0)
		return n;
	__atomic_store_n(&p->note->complete, 0, __ATOMIC_RELEASE);
	for (size_t i = 0; i < p->n_items && r >= 0; i++) {
		if (is_there(p, &p->items[i]))
			continue;
		r = pin_again(p, &p->items[i]);
		if (r < 0)
			snprintf(why, LOADER_WHY_SIZE, "Cannot pin %s again in %s: %s.",
				 p->items[i].name, p->directory, strerror(-r));
	}
	if (r >= 0)
		__atomic_store_n(&p->note->complete, 1, __ATOMIC_RELEASE);
	return r;
}

void pins_describe(const struct pins *p, char *buf, size_t size)
{
	char path[PINS_PATH_SIZE] = "";

	if (p->directory[0])
		(void)pin_make_path(path, p->directory, "");
	snprintf(buf, size, "%s", path);
}

unsigned pins_count_missing(const struct pins *p)
{
	unsigned n = 0;

	for (size_t i = 0; p->directory[0] && i < p->n_items; i++)
		n += !is_there(p, &p->items[i]);
	return n;
}

int pins_restore(struct pins *p)
{
	char why[LOADER_WHY_SIZE] = "";
	int r = pin_all_again(p, why);

	if (r < 0)
		pins_abandon(p, why);
	return r;
}

void pins_abandon(struct pins *p, const char *why)
{
	log_unpinned(why);
	pins_drop(p);
}

/* --- without a set of its own */

bool pins_are_active(void)
{
	struct pins p = {.note_fd = -EBADF};
	char why[LOADER_WHY_SIZE];
	enum note_state state;

	if (pin_check_root(why, sizeof(why)) < 0)
		return false;
	state = find(&p, PINS_DIRECTORY, why);
	forget_note(&p);
	return state == NOTE_GOOD || state == NOTE_OTHER;
}

int pins_remove_all(const struct pins_removal *removal, char why[static LOADER_WHY_SIZE])
{
	static const char *const directories[] = {PINS_DIRECTORY, PINS_NEXT_DIRECTORY};
	struct pins p = {.note_fd = -EBADF};
	int n = 0;

	if (pin_check_root(why, LOADER_WHY_SIZE) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		enum note_state state = find(&p, directories[i], why);

		forget_note(&p);
		if (state == NOTE_FOREIGN)
			return -EPERM;
		if (state != NOTE_NONE)
			remove_directory(directories[i], removal, true);
		n += state == NOTE_GOOD || state == NOTE_OTHER;
	}
	return n > 0;
}
