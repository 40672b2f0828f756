// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is a function of the kernel what this module takes it for? A symbol tells no more than a name.
 * The kernel's BTF tells what the function takes and returns, and has none of it where the compiler
 * has changed that. The other symbols tell whether the compiler has made clones, whose callers
 * would pass by a hook. And the text of the callers tells whether there is a call at all.
 *
 * By these, never by the kernel's version: distributions change kernels and keep the number.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/btf.h>
#include <linux/err.h>
#include <linux/kallsyms.h>
#include <linux/slab.h>
#include <linux/static_call.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "bpf_oom.h"

/* Of a type as a text, with its terminator. */
#define TYPE_MAX 128
/* A pointer to a pointer to a constant of a typedef: none here is deeper. */
#define TYPE_DEPTH_MAX 16
/* Of the text of a function that is looked at. */
#define TEXT_MAX (64 << 10)

typedef struct btf *bpf_oom_btf_vmlinux_fn(void);
typedef s32 bpf_oom_btf_find_fn(const struct btf *btf, const char *name, u8 kind);
typedef const char *bpf_oom_btf_name_fn(const struct btf *btf, u32 offset);
typedef int bpf_oom_each_symbol_fn(int (*fn)(void *data, const char *name, unsigned long address),
				   void *data);

DEFINE_STATIC_CALL_RET0(bpf_oom_btf_vmlinux, bpf_oom_btf_vmlinux_fn);
DEFINE_STATIC_CALL_RET0(bpf_oom_btf_find, bpf_oom_btf_find_fn);
DEFINE_STATIC_CALL_RET0(bpf_oom_btf_string, bpf_oom_btf_name_fn);
DEFINE_STATIC_CALL_RET0(bpf_oom_each_symbol, bpf_oom_each_symbol_fn);

static const struct btf *kernel_btf;

static const char *name_in(const struct btf *btf, const struct btf_type *type)
{
	const char *name = static_call(bpf_oom_btf_string)(btf, type->name_off);

	return name ?: "";
}

static const char *name_of(const struct btf_type *type)
{
	return name_in(kernel_btf, type);
}

const char *bpf_oom_btf_name(const struct btf *btf, u32 id)
{
	const struct btf_type *type;

	btf = btf ?: kernel_btf;
	type = btf_type_by_id(btf, id);
	return type ? name_in(btf, type) : "";
}

/*
 * Writes a type: a struct by its name, or where it has none by its typedef's; an integer by its
 * size, as compilers differ in the names of these; "function" for any.
 */
static void write_type(u32 id, char *buffer)
{
	const struct btf_type *type;
	const char *name = "";
	char stars[TYPE_DEPTH_MAX] = "";
	int n_stars = 0;
	int depth;

	for (depth = 0; id && depth < TYPE_DEPTH_MAX; depth++, id = type->type) {
		type = btf_type_by_id(kernel_btf, id);
		if (!type)
			break;
		switch (BTF_INFO_KIND(type->info)) {
		case BTF_KIND_PTR:
			if (n_stars < TYPE_DEPTH_MAX - 1)
				stars[n_stars++] = '*';
			name = "";
			continue;
		case BTF_KIND_TYPEDEF:
			name = name_of(type);
			continue;
		case BTF_KIND_CONST:
		case BTF_KIND_VOLATILE:
		case BTF_KIND_RESTRICT:
		case BTF_KIND_TYPE_TAG:
			continue;
		case BTF_KIND_INT:
			if (btf_int_encoding(type) & BTF_INT_BOOL)
				snprintf(buffer, TYPE_MAX, "bool%s", stars);
			else if (type->size == 1)
				snprintf(buffer, TYPE_MAX, "char%s", stars);
			else
				snprintf(buffer, TYPE_MAX, "%c%u%s",
					 btf_int_encoding(type) & BTF_INT_SIGNED ? 's' : 'u',
					 type->size * 8, stars);
			return;
		case BTF_KIND_FUNC_PROTO:
			snprintf(buffer, TYPE_MAX, "function%s", stars);
			return;
		default:
			if (name_of(type)[0])
				name = name_of(type);
			snprintf(buffer, TYPE_MAX, "%s%s", name, stars);
			return;
		}
	}
	snprintf(buffer, TYPE_MAX, "void%s", stars);
}

/* Writes what the function takes and returns: bool(oom_control*). */
static void write_prototype(u32 id, char *buffer)
{
	const struct btf_type *prototype = btf_type_by_id(kernel_btf, id);
	const struct btf_param *params;
	char type[TYPE_MAX];
	int length, i;

	write_type(prototype->type, type);
	length = scnprintf(buffer, TYPE_MAX, "%s(", type);
	params = (const struct btf_param *)(prototype + 1);
	for (i = 0; i < btf_type_vlen(prototype); i++) {
		write_type(params[i].type, type);
		length += scnprintf(buffer + length, TYPE_MAX - length, "%s%s", i ? "," : "", type);
	}
	scnprintf(buffer + length, TYPE_MAX - length, ")");
}

/* Returns whether the function is of its type. Says why not. */
static bool has_type(const struct bpf_oom_function *function)
{
	const struct btf_type *type;
	char found[TYPE_MAX];
	s32 id;

	id = static_call(bpf_oom_btf_find)(kernel_btf, function->name, BTF_KIND_FUNC);
	type = id > 0 ? btf_type_by_id(kernel_btf, id) : NULL;
	if (!type) {
		pr_err("the kernel's BTF does not say what %s takes, as where the compiler has "
		       "changed that\n",
		       function->name);
		return false;
	}
	write_prototype(type->type, found);
	if (!strcmp(found, function->type))
		return true;
	pr_err("%s of this kernel is %s, and not %s\n", function->name, found, function->type);
	return false;
}

struct bpf_oom_body_search {
	struct bpf_oom_function *functions;
	size_t n;
};

/* Compilers call a clone by the name of the function, a dot and what they have done. The part that
 * is seldom run is no clone: it is come to from the function. */
static int note_body(void *data, const char *name, unsigned long address)
{
	struct bpf_oom_body_search *search = data;
	struct bpf_oom_function *function;
	const char *suffix;
	size_t i;

	for (i = 0; i < search->n; i++) {
		function = &search->functions[i];
		if (!str_has_prefix(name, function->name))
			continue;
		suffix = name + strlen(function->name);
		if (!*suffix)
			function->n_bodies++;
		else if (*suffix == '.' && !str_has_prefix(suffix, ".cold"))
			strscpy(function->clone, name, sizeof(function->clone));
	}
	return 0;
}

/* Returns whether there is one to call, and no more than that one to hook. Says why not. */
static bool has_one_body(const struct bpf_oom_function *function)
{
	if (function->use == BPF_OOM_HOOKED && function->clone[0]) {
		pr_err("this kernel's compiler has made %s of %s, which no hook sees\n",
		       function->clone, function->name);
		return false;
	}
	if (function->n_bodies == 1)
		return true;
	if (function->use == BPF_OOM_OPTIONAL)
		return false;
	if (function->n_bodies)
		pr_err("this kernel has %u functions %s\n", function->n_bodies, function->name);
	else
		pr_err("this kernel has no function %s\n", function->name);
	return false;
}

bool bpf_oom_find_functions(struct bpf_oom_function *functions, size_t n)
{
	struct bpf_oom_body_search search = {.functions = functions, .n = n};
	bool all = true;
	size_t i;

	static_call(bpf_oom_each_symbol)(note_body, &search);
	for (i = 0; i < n; i++) {
		if (has_one_body(&functions[i]) && has_type(&functions[i]))
			functions[i].address = bpf_oom_lookup(functions[i].name);
		if (!functions[i].address && functions[i].use != BPF_OOM_OPTIONAL)
			all = false;
	}
	if (!all)
		pr_err("this kernel is not supported: not loading\n");
	return all;
}

#if defined(CONFIG_X86_64)
#define CALL_STEP 1
/* call rel32. The target may be past the ENDBR, or in the padding before the function, where the
 * kernel has put a part of a mitigation. */
static bool is_call(const u8 *text, unsigned long address, unsigned long callee)
{
	const unsigned long padding = IS_ENABLED(CONFIG_CALL_PADDING) ? 16 : 0;
	unsigned long target;
	s32 relative;

	if (text[0] != 0xe8)
		return false;
	memcpy(&relative, text + 1, sizeof(relative));
	target = address + 5 + relative;
	return target >= callee - padding && target <= callee + 4;
}
#elif defined(CONFIG_ARM64)
#define CALL_STEP 4
/* bl: a signed number of instructions in 26 bits. */
static bool is_call(const u8 *text, unsigned long address, unsigned long callee)
{
	u32 instruction;

	memcpy(&instruction, text, sizeof(instruction));
	return (instruction & 0xfc000000) == 0x94000000 &&
	       address + (s64)((s32)(instruction << 6) >> 6) * 4 == callee;
}
#endif

/* Longer than any call above. */
#define CALL_MAX 8

bool bpf_oom_calls(unsigned long caller, unsigned long callee)
{
#ifdef CALL_STEP
	char symbol[KSYM_SYMBOL_LEN];
	unsigned long size = 0, i;
	const char *slash;
	bool found = false;
	u8 *text;

	/* name+offset/size */
	sprint_symbol(symbol, caller);
	slash = strrchr(symbol, '/');
	if (!slash || sscanf(slash, "/0x%lx", &size) != 1 || size < CALL_MAX || size > TEXT_MAX)
		return false;
	text = kvmalloc(size, GFP_KERNEL);
	if (!text)
		return false;
	if (!copy_from_kernel_nofault(text, (void *)caller, size)) {
		for (i = 0; !found && i <= size - CALL_MAX; i += CALL_STEP)
			found = is_call(text + i, caller + i, callee);
	}
	kvfree(text);
	return found;
#else
	return true;
#endif
}

int bpf_oom_fit_init(void)
{
	unsigned long vmlinux = bpf_oom_lookup("bpf_get_btf_vmlinux");
	unsigned long find = bpf_oom_lookup("btf_find_by_name_kind");
	unsigned long string = bpf_oom_lookup("btf_name_by_offset");
	unsigned long each = bpf_oom_lookup("kallsyms_on_each_symbol");

	if (!vmlinux || !find || !string || !each) {
		pr_err("this kernel has not all that tells of its types and symbols: not "
		       "supported\n");
		return -ENOENT;
	}
	static_call_update(bpf_oom_btf_vmlinux, (void *)vmlinux);
	static_call_update(bpf_oom_btf_find, (void *)find);
	static_call_update(bpf_oom_btf_string, (void *)string);
	static_call_update(bpf_oom_each_symbol, (void *)each);
	kernel_btf = static_call(bpf_oom_btf_vmlinux)();
	if (IS_ERR_OR_NULL(kernel_btf)) {
		pr_err("this kernel has no BTF: not supported\n");
		return -ENOENT;
	}
	return 0;
}
