// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * memhog STATE_FILE STEP...: a workload for the test machine.
 *
 * A step fills so many bytes (with a suffix K or M) of anonymous memory, or with "shared:" before
 * them of shared memory, or has all of the file in memory that "file:" names; these two are locked.
 * Takes one step at start and each further step on SIGUSR1, and then sleeps until it is killed.
 * STATE_FILE always holds the bytes filled so far; it is replaced, never rewritten, so that a
 * reader never sees half a number. Uses no heap of its own and stays out of the way: what it holds
 * is what it was told to.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int parse_size(const char *text, size_t *ret_bytes)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || end == text || text[0] == '-')
		return -EINVAL;
	switch (*end) {
	case 'K':
		n <<= 10;
		end++;
		break;
	case 'M':
		n <<= 20;
		end++;
		break;
	}
	if (*end || n == 0)
		return -EINVAL;
	*ret_bytes = (size_t)n;
	return 0;
}

static int fill(size_t size_bytes)
{
	const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	char *memory;

	memory = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	/* Whole huge pages would overrun a limit in steps of 2 MiB. */
	(void)madvise(memory, size_bytes, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < size_bytes; i += page_bytes)
		((volatile char *)memory)[i] = 1;
	return 0;
}

/* Reads all of it. Returns how many bytes that were, or a negative errno. */
static long long fill_file(const char *path)
{
	struct stat st;
	void *memory;
	int fd, r;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = fstat(fd, &st);
	memory = r < 0 ? MAP_FAILED : mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (memory == MAP_FAILED || mlock(memory, (size_t)st.st_size) < 0)
		r = -errno;
	close(fd);
	return r < 0 ? r : st.st_size;
}

static int fill_shared(size_t size_bytes)
{
	void *memory =
		mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED || mlock(memory, size_bytes) < 0 ? -errno : 0;
}

/* Returns how many bytes it has filled, or a negative errno; -EINVAL for what is no step. */
static long long take_step(const char *step)
{
	static const char shared[] = "shared:", file[] = "file:";
	bool is_shared = strncmp(step, shared, strlen(shared)) == 0;
	size_t size_bytes;
	int r;

	if (strncmp(step, file, strlen(file)) == 0)
		return fill_file(step + strlen(file));
	r = parse_size(is_shared ? step + strlen(shared) : step, &size_bytes);
	if (r >= 0)
		r = is_shared ? fill_shared(size_bytes) : fill(size_bytes);
	return r < 0 ? r : (long long)size_bytes;
}

static int state_write(const char *path, size_t filled_bytes)
{
	char temporary[4096], text[32];
	int fd, n;
	ssize_t written;

	n = snprintf(temporary, sizeof(temporary), "%s.new", path);
	if (n < 0 || (size_t)n >= sizeof(temporary))
		return -ENAMETOOLONG;
	n = snprintf(text, sizeof(text), "%zu\n", filled_bytes);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	written = write(fd, text, (size_t)n);
	close(fd);
	if (written != n)
		return -EIO;
	return rename(temporary, path) < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
	size_t total_bytes = 0;
	sigset_t signals;

	if (argc < 3) {
		fprintf(stderr, "usage: memhog STATE_FILE STEP...\n");
		return 64;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);

	for (int i = 2; i < argc; i++) {
		long long r;
		int sig;

		if (i > 2)
			sigwait(&signals, &sig);
		r = take_step(argv[i]);
		if (r >= 0) {
			total_bytes += (size_t)r;
			r = state_write(argv[1], total_bytes);
		}
		if (r < 0) {
			fprintf(stderr, "memhog: %s: %s\n", argv[i], strerror((int)-r));
			return 1;
		}
	}
	for (;;)
		pause();
}
