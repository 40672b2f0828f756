#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# build.sh MAKE KDIR [ROOT]: builds bpf_oom.ko, with BTF, for the kernel whose build directory is KDIR.
#
# A module's BTF continues that of its kernel, which kbuild takes from a vmlinux in the build
# directory. Debian's headers have one. Those of most other distributions have none, and then kbuild
# makes a module without BTF, which BPF cannot see, and calls it a success. Here the kernel's BTF is
# looked for elsewhere, and without it nothing is built.
#
# The build directory is not ours to write to: kbuild is given a directory of links to all that is
# in it, with the BTF in the place of vmlinux. What kbuild runs on that, pahole and resolve_btfids,
# takes BTF by itself as well as that in an ELF file.
#
# ROOT is where the places of debug packages and of sysfs are looked for, the tests' instead of /.
set -eu
make=$1 kdir=$(realpath "$2" 2>/dev/null || echo "$2") root=${3:-}
directory=$(pwd -P)
links=$directory/.kernel

fail()
{
	printf 'bpf_oom: %s\n' "$1" >&2
	exit 1
}

# configured OPTION: is it on in the kernel?
configured()
{
	config=$kdir/include/config/auto.conf
	[ -e "$config" ] || config=$kdir/.config
	grep -q "^$1=y" "$config"
}

# has_btf FILE: is it BTF, or an ELF file with BTF? Of what was split into an image and its debug
# information, the latter names the section but has nothing in it.
has_btf()
{
	[ -r "$1" ] || return 1
	case $(od -An -tx1 -N4 "$1" | tr -d ' \n') in
	9feb* | eb9f*) ;;
	7f454c46) "$readelf" -SW "$1" 2>/dev/null | grep -q ' \.BTF  *PROGBITS ' ;;
	*) return 1 ;;
	esac
}

# is_other_build: was the running kernel, of the same release, built at another time? The file that
# tells is not in all header packages.
is_other_build()
{
	version=$(sed -n 's/^#define UTS_VERSION "\(.*\)"$/\1/p' \
		"$kdir/include/generated/utsversion.h" 2>/dev/null) || :
	[ -n "$version" ] && [ "$version" != "$(uname -v)" ]
}

# find_btf: sets $btf, or $why_not for the running kernel.
find_btf()
{
	for btf in "$kdir/vmlinux" \
		"$root/usr/lib/debug/lib/modules/$release/vmlinux" \
		"$root/usr/lib/debug/usr/lib/modules/$release/vmlinux" \
		"$root/usr/lib/debug/boot/vmlinux-$release" \
		"$root/lib/modules/$release/vmlinux"; do
		! has_btf "$btf" || return 0
	done
	btf=$root/sys/kernel/btf/vmlinux
	if [ "$release" != "$(uname -r)" ]; then
		why_not="the running kernel is $(uname -r)"
	elif is_other_build; then
		why_not="the running kernel is another build of it"
	elif ! has_btf "$btf"; then
		why_not="the running kernel offers none in /sys/kernel/btf"
	else
		return 0
	fi
	return 1
}

[ -e "$kdir/Makefile" ] ||
	fail "there is no kernel to build for in $2: install the headers of the kernel."
readelf=$(command -v readelf || command -v llvm-readelf) ||
	fail "readelf is missing: install the package binutils."
configured CONFIG_DEBUG_INFO_BTF_MODULES ||
	fail "the kernel of $kdir keeps no BTF of modules: one with CONFIG_DEBUG_INFO_BTF_MODULES=y is needed."
command -v "${PAHOLE:-pahole}" >/dev/null ||
	fail "pahole is missing, which makes the module's BTF: install the package pahole or dwarves."
[ -x "$kdir/tools/bpf/resolve_btfids/resolve_btfids" ] ||
	fail "$kdir has no tools/bpf/resolve_btfids/resolve_btfids, which completes the module's BTF: install all of the kernel's headers."
release=$(cat "$kdir/include/config/kernel.release")
find_btf ||
	fail "no BTF of Linux $release is found: $kdir has no vmlinux, /usr/lib/debug has none of a debug package, and $why_not. Install the kernel's debug package, or boot that kernel, and run 'dkms autoinstall'."

set --
# A module has to come from the compiler that its kernel came from.
if [ -z "${LLVM:-}" ] && configured CONFIG_CC_IS_CLANG; then
	set -- LLVM=1
fi
if [ "$btf" != "$kdir/vmlinux" ]; then
	printf 'bpf_oom: takes the BTF of the kernel from %s\n' "$btf"
	rm -rf "$links"
	trap 'rm -rf "$links"' EXIT
	trap 'exit 1' HUP INT TERM
	mkdir "$links"
	for file in "$kdir"/* "$kdir"/.[!.]*; do
		[ ! -e "$file" ] || ln -s "$file" "$links/"
	done
	ln -sf "$btf" "$links/vmlinux"
	# Debian's Makefile, since 6.13, names its own directory.
	set -- "$@" "KBUILD_OUTPUT=$links"
	kdir=$links
fi

# kbuild adds BTF only to what it links.
has_btf bpf_oom.ko || rm -f bpf_oom.ko
"$make" -C "$kdir" "M=$directory" "$@" modules
if ! has_btf bpf_oom.ko; then
	rm -f bpf_oom.ko
	fail "kbuild has made a module without BTF, which is of no use and was removed: what it said of BTF above is the reason."
fi
