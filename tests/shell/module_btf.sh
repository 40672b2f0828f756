#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kmod/build.sh: where the kernel's BTF may be, and that nothing is built without it. Builds against
# the newest headers there are, of which it makes directories of links that lack this or that.
set -euo pipefail
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PATH+=:/usr/sbin:/sbin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

headers=$(printf '%s\n' /usr/src/linux-headers-*-amd64 | sort -V | tail -n 1)
if [[ ! -e $headers/vmlinux ]]; then
	echo "skip module_btf: no kernel headers with a vmlinux below /usr/src"
	exit
fi
release=$(<"$headers/include/config/kernel.release")
version=$(sed -n 's/^#define UTS_VERSION "\(.*\)"$/\1/p' "$headers/include/generated/utsversion.h")
module=$work/module
export RUNNING_RELEASE=$release RUNNING_VERSION=$version

# The running kernel is what the environment says.
mkdir "$work/bin"
cat >"$work/bin/uname" <<'END'
#!/bin/sh
case $* in
-r) echo "$RUNNING_RELEASE" ;;
-v) echo "$RUNNING_VERSION" ;;
*) exec /bin/uname "$@" ;;
esac
END
chmod +x "$work/bin/uname"
PATH=$work/bin:$PATH

# links NAME [FILE...]: a directory of links to the headers, without these files. Prints its path.
links()
{
	local dir=$work/$1 file
	shift
	mkdir "$dir"
	ln -s "$headers"/* "$headers"/.[!.]* "$dir/"
	rm "$dir/Makefile"
	# Of 6.13 and newer it names the directory.
	sed "s,^KBUILD_OUTPUT=.*,KBUILD_OUTPUT=$dir," "$headers/Makefile" >"$dir/Makefile"
	for file; do
		rm "$dir/$file"
	done
	printf '%s\n' "$dir"
}

# built KDIR [MAKE_ARGUMENT...]: of a new copy of the source. Prints the sentence, or what there is
# of the interface in the module's BTF.
built()
{
	local dir=$1
	shift
	rm -rf "$module"
	cp -r "$TOP/kmod" "$module"
	if ! make -C "$module" KDIR="$dir" "$@" >"$work/log" 2>&1; then
		sed -n "s,^bpf_oom: ,,p" "$work/log" | sed "s,$work,,g"
		[[ ! -e $module/bpf_oom.ko ]] || echo "a module is left"
		return
	fi
	if [[ -e $module/.kernel ]]; then
		echo "links are left"
	fi
	bpftool -B "$headers/vmlinux" btf dump file "$module/bpf_oom.ko" format raw |
		sed -n "s/^\[[0-9]*\] STRUCT '\(bpf_oom_ops\)' .*/\1/p"
}

# took: where the last build had the kernel's BTF from, if not from the headers.
took()
{
	sed -n "s,^bpf_oom: takes the BTF of the kernel from $work,,p" "$work/log"
}

# expect NAME EXPECTED COMMAND...: what the command writes.
expect()
{
	local name=$1 expected=$2 seen
	shift 2
	seen=$("$@" 2>&1) || seen+=" (status $?)"
	if [[ $seen == "$expected" ]]; then
		echo "ok $name"
	else
		echo "not ok $name: '${seen//$'\n'/ }', expected '$expected'"
		tail -n 5 "$work/log" | sed 's/^/# /'
	fi
}

# none REASON: the sentence.
none()
{
	printf '%s' "no BTF of Linux $release is found: /bare has no vmlinux, /usr/lib/debug has none of a debug package, and $1. Install the kernel's debug package, or boot that kernel, and run 'dkms autoinstall'."
}

# place FILE: the kernel's BTF, by itself, there and nowhere else.
place()
{
	rm -rf "$work/root"
	mkdir -p "$work/root/$(dirname "$1")"
	cp "$work/btf" "$work/root/$1"
}

# listing DIRECTORY: names, links and times.
listing()
{
	find "$1" -printf '%p %l %C@\n' | sort
}

whole=$(links whole)
bare=$(links bare vmlinux)
# Without a file for its output it would write to the headers.
objcopy --dump-section .BTF="$work/btf" "$headers/vmlinux" "$work/copy"

expect with_vmlinux bpf_oom_ops built "$whole"
expect with_vmlinux_takes_it '' took

# --- of the running kernel

place sys/kernel/btf/vmlinux
before=$(listing "$bare")
expect running_kernel bpf_oom_ops built "$bare" BTF_ROOT="$work/root"
expect running_kernel_is_taken /root/sys/kernel/btf/vmlinux took
expect not_written_to "$before" listing "$bare"

RUNNING_RELEASE=6.0.0-other
expect other_release "$(none 'the running kernel is 6.0.0-other')" built "$bare" BTF_ROOT="$work/root"
RUNNING_RELEASE=$release RUNNING_VERSION='#2 SMP another day'
expect other_build "$(none 'the running kernel is another build of it')" \
	built "$bare" BTF_ROOT="$work/root"
RUNNING_VERSION=$version
rm -r "$work/root"
expect running_kernel_without "$(none 'the running kernel offers none in /sys/kernel/btf')" \
	built "$bare" BTF_ROOT="$work/root"

# --- of a debug package

RUNNING_RELEASE=6.0.0-other
for file in "boot/vmlinux-$release" "lib/modules/$release/vmlinux"; do
	place "usr/lib/debug/$file"
	name=debug_package_in_${file%%/*}
	expect "$name" bpf_oom_ops built "$bare" BTF_ROOT="$work/root"
	expect "${name}_is_taken" "/root/usr/lib/debug/$file" took
done
place usr/lib/debug/boot/vmlinux-6.0.0-other
expect debug_package_of_other_kernel "$(none 'the running kernel is 6.0.0-other')" \
	built "$bare" BTF_ROOT="$work/root"
# As objcopy --only-keep-debug has it: the name of the section, and nothing in it.
place "usr/lib/debug/boot/vmlinux-$release"
objcopy --only-keep-debug "$headers/vmlinux" "$work/root/usr/lib/debug/boot/vmlinux-$release"
expect debug_package_without "$(none 'the running kernel is 6.0.0-other')" \
	built "$bare" BTF_ROOT="$work/root"
RUNNING_RELEASE=$release

# --- what else may be missing

expect no_pahole "pahole is missing, which makes the module's BTF: install the package pahole or dwarves." \
	built "$whole" PAHOLE="$work/no-pahole"
lacking=$(links lacking tools)
expect no_resolve_btfids "/lacking has no tools/bpf/resolve_btfids/resolve_btfids, which completes the module's BTF: install all of the kernel's headers." \
	built "$lacking"
expect no_headers "there is no kernel to build for in /nowhere: install the headers of the kernel." \
	built "$work/nowhere"

# config OPTION...: the path of a build directory whose Makefile says how it was called, and makes an
# empty module.
config()
{
	local dir=$work/config
	rm -rf "$dir"
	dir=$(links config Makefile include)
	mkdir -p "$dir/include/config"
	cp "$headers/include/config/kernel.release" "$dir/include/config/"
	printf '%s=y\n' "$@" >"$dir/include/config/auto.conf"
	# shellcheck disable=SC2016 # make's
	printf 'modules:\n\t@echo "LLVM=$(LLVM)"\n\t@touch $(M)/bpf_oom.ko\n' >"$dir/Makefile"
	printf '%s\n' "$dir"
}

llvm()
{
	built "$@" >/dev/null
	sed -n '/^LLVM=/p' "$work/log"
}

expect module_without_btf "kbuild has made a module without BTF, which is of no use and was removed: what it said of BTF above is the reason." \
	built "$(config CONFIG_DEBUG_INFO_BTF_MODULES)"
expect gcc_kernel LLVM= llvm "$(config CONFIG_DEBUG_INFO_BTF_MODULES CONFIG_CC_IS_GCC)"
expect clang_kernel LLVM=1 llvm "$(config CONFIG_DEBUG_INFO_BTF_MODULES CONFIG_CC_IS_CLANG)"
expect clang_kernel_and_a_wish LLVM=-19 \
	llvm "$(config CONFIG_DEBUG_INFO_BTF_MODULES CONFIG_CC_IS_CLANG)" LLVM=-19
expect no_btf_of_modules "the kernel of /config keeps no BTF of modules: one with CONFIG_DEBUG_INFO_BTF_MODULES=y is needed." \
	built "$(config CONFIG_DEBUG_INFO_BTF)"

# --- the version

# version_of DIRECTORY MAKE_ARGUMENT...
version_of()
{
	make -C "$@" >"$work/log" 2>&1 || return
	modinfo -F version "$module/bpf_oom.ko"
}

version=$(sed -n "s/^ *version : '\(.*\)',$/\1/p" "$TOP/meson.build")
mkdir "$work/tree"
cp "$TOP/meson.build" "$work/tree/"
cp -r "$TOP/kmod" "$work/tree/"
module=$work/tree/kmod
expect version_in_tree "$version" version_of "$module" KDIR="$whole"
expect version_given 9.8 version_of "$module" KDIR="$whole" BPF_OOM_VERSION=9.8
rm "$work/tree/meson.build"
sed 's/@VERSION@/7.6/' "$TOP/kmod/dkms.conf.in" >"$module/dkms.conf"
expect version_of_package 7.6 version_of "$module" KDIR="$whole"
rm "$module/dkms.conf"
expect version_unknown unknown version_of "$headers" M="$module" modules
