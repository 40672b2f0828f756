/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the list of files. Knows nothing of what is in them but whether there is anything.
 *
 * Invariant: of the files with one name at most one applies, the one in the highest directory,
 * unless that is a mask; then none does.
 */
#include "config/layers.h"

#include "config/diagnostics.h"
#include "config/file.h"
#include "config/parser.h"
#include "config/user.h"
#include "util/basic.h"
#include "util/escape.h"
#include "util/format.h"
#include "util/grow.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

const char *const layers_directories[LAYERS_DIRECTORIES] = {
	OP_VENDOR_DIRECTORY,
	"/usr/local/lib",
	"/run",
	OP_LOCAL_DIRECTORY,
};

void layers_done(struct layers *layers)
{
	for (size_t i = 0; i < layers->n_files; i++)
		free(layers->files[i].path);
	free(layers->files);
	*layers = (struct layers){};
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

static bool is_null_device(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

/* Whether @path, also where it links to, is empty or /dev/null. */
static bool is_mask(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return false; /* said when it is read */
	return (S_ISREG(st.st_mode) && st.st_size == 0) || is_null_device(&st);
}

/* Takes over @path, also on an error. */
static int add_file(struct layers *layers, char *path)
{
	_cleanup_free_ char *owned = path;

	if (GROW(layers->files, layers->n_files) < 0)
		return -ENOMEM;
	layers->files[layers->n_files].mask = is_mask(owned);
	layers->files[layers->n_files].masked_by = NULL;
	layers->files[layers->n_files++].path = TAKE_PTR(owned);
	return 0;
}

static int find_main_files(const char *root, struct layers *layers)
{
	for (size_t i = 0; i < LAYERS_DIRECTORIES; i++) {
		_cleanup_free_ char *path = NULL;
		struct stat st;

		path = format_string("%s%s/" LAYERS_MAIN, root, layers_directories[i]);
		if (!path)
			return -ENOMEM;
		/* Any other error is said when it is read. */
		if (lstat(path, &st) < 0 && (errno == ENOENT || errno == ENOTDIR))
			continue;
		if (add_file(layers, TAKE_PTR(path)) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i + 1 < layers->n_files; i++)
		layers->files[i].masked_by = layers->files[layers->n_files - 1].path;
	return 0;
}

static bool is_dropin_name(const char *name)
{
	size_t length = strlen(name), suffix = strlen(".conf");

	return name[0] != '.' && length > suffix && strcmp(name + length - suffix, ".conf") == 0;
}

/* Adds all of @path, in the order of the directory. */
static int find_dropins(const char *path, struct diagnostics *diag, struct layers *layers,
			size_t *n_dropins)
{
	_cleanup_(closedirp) DIR *d = opendir(path);
	int r;

	if (!d && errno == ENOENT)
		return 0;
	if (!d) {
		r = -errno;
		diagnostics_add(diag, DIAGNOSTIC_ERROR, path, 0, "cannot open: %s", strerror(-r));
		return r;
	}
	r = file_check_directory(path, diag);
	if (r < 0)
		return r;
	for (;;) {
		struct dirent *entry;
		char *file;

		errno = 0;
		entry = readdir(d);
		if (!entry)
			break;
		if (!is_dropin_name(entry->d_name))
			continue;
		if (++*n_dropins > LAYERS_DROPINS_MAX) {
			diagnostics_add(diag, DIAGNOSTIC_ERROR, path, 0,
					"too many drop-in files, expected at most %d in all "
					"directories",
					LAYERS_DROPINS_MAX);
			return -E2BIG;
		}
		file = format_string("%s/%s", path, entry->d_name);
		if (!file)
			return -ENOMEM;
		if (add_file(layers, file) < 0)
			return -ENOMEM;
	}
	if (errno != 0) {
		r = -errno;
		diagnostics_add(diag, DIAGNOSTIC_ERROR, path, 0, "cannot read: %s", strerror(-r));
		return r;
	}
	return 0;
}

static const char *name_of(const struct layer_file *file)
{
	return strrchr(file->path, '/') + 1;
}

struct dropin {
	struct layer_file file;
	size_t order; /* of its directory */
};

static int compare_dropins(const void *a, const void *b)
{
	const struct dropin *x = a, *y = b;
	int r = strcmp(name_of(&x->file), name_of(&y->file));

	if (r != 0)
		return r;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Sorts the files from @first on by name, equal names as they are, and marks what is masked. */
static int sort_dropins(struct layers *layers, size_t first)
{
	size_t n = layers->n_files - first;
	_cleanup_free_ struct dropin *dropins = NULL;
	struct layer_file *files;

	if (n == 0)
		return 0;
	files = layers->files + first;
	dropins = calloc(n, sizeof(*dropins));
	if (!dropins)
		return -ENOMEM;
	/* They were found directory by directory, a name once in each. */
	for (size_t i = 0; i < n; i++)
		dropins[i] = (struct dropin){.file = files[i], .order = i};
	qsort(dropins, n, sizeof(*dropins), compare_dropins);
	for (size_t i = 0; i < n; i++)
		files[i] = dropins[i].file;
	for (size_t i = n; i-- > 1;)
		if (strcmp(name_of(&files[i - 1]), name_of(&files[i])) == 0)
			files[i - 1].masked_by = files[i].masked_by ?: files[i].path;
	return 0;
}

static int acquire(const char *root, struct diagnostics *diag, struct layers *layers)
{
	size_t n_main, n_dropins = 0;
	int r = find_main_files(root, layers);

	n_main = layers->n_files;
	for (size_t i = 0; i < LAYERS_DIRECTORIES && r == 0; i++) {
		_cleanup_free_ char *path = NULL;

		path = format_string("%s%s/" LAYERS_DROPINS, root, layers_directories[i]);
		if (!path)
			return -ENOMEM;
		r = find_dropins(path, diag, layers, &n_dropins);
	}
	return r < 0 ? r : sort_dropins(layers, n_main);
}

int layers_acquire(const char *root, struct diagnostics *diag, struct layers *ret)
{
	_cleanup_(layers_done) struct layers layers = {};
	int r = acquire(root, diag, &layers);

	if (r < 0)
		return r;
	*ret = TAKE(layers, (struct layers){});
	return 0;
}

/* What masks others counts as much as what is read. */
static int check_mask(const char *path, struct diagnostics *diag)
{
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t size;

	if (stat(path, &st) == 0 && is_null_device(&st))
		return 0;
	return file_read(path, diag, &text, &size);
}

static int load_file(struct parser *p, const struct layer_file *file, struct diagnostics *diag)
{
	if (layer_file_applies(file))
		return parser_add_file(p, file->path);
	return file->masked_by ? 0 : check_mask(file->path, diag);
}

int layers_load(const char *root, const struct parser_users *users, struct diagnostics *diag,
		struct config **ret)
{
	_cleanup_(layers_done) struct layers layers = {};
	_cleanup_(parser_freep) struct parser *p = NULL;
	int r;

	r = layers_acquire(root, diag, &layers);
	if (r < 0)
		return r;
	r = parser_new(users, diag, &p);
	for (size_t i = 0; i < layers.n_files && r == 0; i++)
		r = load_file(p, &layers.files[i], diag);
	return r < 0 ? r : parser_finish(p, ret);
}

int layers_load_system(const char *path, struct diagnostics *diag, struct config **ret)
{
	static const struct parser_users users = {.resolve = user_resolve};

	return path ? parser_parse_file(path, &users, diag, ret)
		    : layers_load("", &users, diag, ret);
}

/* A comment; a name is not trusted to be one line. */
static int print_comment(FILE *out, const char *path, const char *relation, const char *other)
{
	size_t size = ESCAPE_SIZE(strlen(path)), other_size = ESCAPE_SIZE(strlen(other));
	_cleanup_free_ char *text = malloc(size);
	_cleanup_free_ char *other_text = malloc(other_size);

	if (!text || !other_text)
		return -ENOMEM;
	fprintf(out, "# %s%s%s\n", escape_text(path, strlen(path), text, size), relation,
		escape_text(other, strlen(other), other_text, other_size));
	return 0;
}

static int print_file(const char *path, struct diagnostics *diag, FILE *out)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r = print_comment(out, path, "", "");

	if (r == 0)
		r = file_read(path, diag, &text, &size);
	if (r < 0)
		return r;
	fwrite(text, 1, size, out);
	if (size > 0 && text[size - 1] != '\n')
		fputc('\n', out);
	return 0;
}

int layers_print(const struct layers *layers, struct diagnostics *diag, FILE *out)
{
	int failed = 0;

	for (size_t i = 0; i < layers->n_files; i++) {
		const struct layer_file *file = &layers->files[i];
		int r;

		if (i > 0)
			fputc('\n', out);
		if (file->masked_by)
			r = print_comment(out, file->path, " is masked by ", file->masked_by);
		else if (file->mask)
			r = print_comment(out, file->path, " is empty", "");
		else
			r = print_file(file->path, diag, out);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			failed = r;
	}
	if (fflush(out) != 0)
		return -errno;
	return ferror(out) ? -EIO : failed;
}
