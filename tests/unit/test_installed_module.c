/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A folder of modules as modprobe(8) has it: the index of depmod(8), and a module that is nothing
 * but what it says of itself. */
#include "ctl/installed-module.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "files.h"
#include "test.h"
#include "util/basic.h"

static char directory[] = "/tmp/test_installed.XXXXXX";

static void write_bytes(const char *name, const void *data, size_t size)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "we");
	CHECK(f && fwrite(data, 1, size, f) == size && fclose(f) == 0);
}

/* Of one module, as libkmod-index.c of kmod has it: a root that has a prefix and a value. */
static void write_index(void)
{
	const struct {
		uint32_t magic, version, root;
		char prefix[8];
		uint32_t n_values, priority;
		char value[sizeof("updates/bpf_oom.ko:")];
	} __attribute__((packed)) index = {
		.magic = htobe32(0xb007f457),
		.version = htobe32(0x00020001),
		.root = htobe32(0x80000000 | 0x40000000 | 12),
		.prefix = "bpf_oom",
		.n_values = htobe32(1),
		.value = "updates/bpf_oom.ko:",
	};

	write_bytes("modules.dep.bin", &index, sizeof(index));
}

/* A module with @info, which is "key=value" with a NUL after each, in the section .modinfo. */
static void write_module(const char *info, size_t size)
{
	static const char names[] = "\0.modinfo\0.shstrtab";
	struct {
		Elf64_Ehdr header;
		Elf64_Shdr sections[3];
		char names[sizeof(names)];
		char info[256];
	} module = {
		.header =
			{
				.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
					    ELFDATA2LSB, EV_CURRENT},
				.e_type = ET_REL,
				.e_machine = EM_X86_64,
				.e_version = EV_CURRENT,
				.e_shoff = sizeof(Elf64_Ehdr),
				.e_ehsize = sizeof(Elf64_Ehdr),
				.e_shentsize = sizeof(Elf64_Shdr),
				.e_shnum = 3,
				.e_shstrndx = 2,
			},
		.sections = {{},
			     {.sh_name = 1, .sh_type = SHT_PROGBITS, .sh_size = size},
			     {.sh_name = 10, .sh_type = SHT_STRTAB, .sh_size = sizeof(names)}},
	};

	CHECK(size <= sizeof(module.info));
	memcpy(module.names, names, sizeof(names));
	memcpy(module.info, info, size);
	module.sections[1].sh_offset = (Elf64_Off)(module.info - (char *)&module);
	module.sections[2].sh_offset = (Elf64_Off)(module.names - (char *)&module);
	write_bytes("updates/bpf_oom.ko", &module, sizeof(module));
}

static void make(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	CHECK(mkdir(path, 0755) == 0);
}

static void test_none(void)
{
	char *version = NULL;

	memcpy(directory + sizeof(directory) - 7, "XXXXXX", 6);
	CHECK(mkdtemp(directory));
	CHECK_INT(installed_module_acquire_version(directory, &version), 0);
	CHECK_INT(installed_module_acquire_version("/nonexistent", &version), -ENOENT);
	CHECK(!version);
	CHECK_INT(files_remove(directory), 0);
}

static void test_version(void)
{
	static const char with[] = "license=GPL\0version=1.1\0srcversion=0123";
	static const char without[] = "license=GPL\0srcversion=0123";
	_cleanup_free_ char *version = NULL;

	memcpy(directory + sizeof(directory) - 7, "XXXXXX", 6);
	CHECK(mkdtemp(directory));
	make("updates");
	write_index();
	write_module(without, sizeof(without));
	CHECK_INT(installed_module_acquire_version(directory, &version), 0);
	CHECK(!version);
	write_module(with, sizeof(with));
	CHECK_INT(installed_module_acquire_version(directory, &version), 1);
	CHECK_STR(version, "1.1");
	CHECK_INT(files_remove(directory), 0);
}

/* The index names a module that is gone, or is none. */
static void test_broken(void)
{
	char *version = NULL;

	memcpy(directory + sizeof(directory) - 7, "XXXXXX", 6);
	CHECK(mkdtemp(directory));
	make("updates");
	write_index();
	CHECK(installed_module_acquire_version(directory, &version) < 0);
	write_bytes("updates/bpf_oom.ko", "no module", 9);
	CHECK(installed_module_acquire_version(directory, &version) < 0);
	CHECK(!version);
	CHECK_INT(files_remove(directory), 0);
}

static const struct test_case cases[] = {
	TEST_CASE(none),
	TEST_CASE(version),
	TEST_CASE(broken),
};
TEST_MAIN(cases)
