# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Builds the tree below $BUILD and packs what a test machine gets: the installed tree, the module,
# the test programs. Everything is up to date after payload_ensure(); nothing is built twice.
#
# What runs on another Debian release is built in a root of that release, which BUILD_ROOT names;
# it is empty where the compilers are this machine's.
BUILD_ROOT=''

# build_run COMMAND...: where the compilers are.
build_run()
{
	if [[ -z $BUILD_ROOT ]]; then
		"$@"
	else
		root_run "$BUILD_ROOT" "$@"
	fi
}

# build_configure DIRECTORY MESON_ARGUMENT...: once for the same arguments; meson reconfigures on its
# own when its files change. CC is taken from the environment.
build_configure()
{
	local dir=$1 arguments
	shift
	arguments="$BUILD_ROOT ${CC:-} $*"
	if [[ -e $dir/build.ninja && -e $dir/arguments && $(<"$dir/arguments") == "$arguments" ]]; then
		return
	fi
	mkdir -p "$BUILD/log"
	rm -rf "$dir"
	quietly "$BUILD/log/${dir##*/}-setup" build_run meson setup "$dir" "$TOP" --prefix=/usr "$@" ||
		die 1 "meson could not configure $dir"
	printf '%s\n' "$arguments" >"$dir/arguments"
}

# build_compile DIRECTORY
build_compile()
{
	local log
	log=$BUILD/log/${1##*/}-ninja
	mkdir -p "${log%/*}"
	# The end alone would hide the first error, which is the one that counts.
	if ! build_run ninja -C "$1" >"$log" 2>&1 </dev/null; then
		grep -E -A 12 -m 20 '^FAILED:|error:' "$log" >&2 || tail -n 40 "$log" >&2
		die 1 "the build in $1 failed (all of it: $log)"
	fi
}

# build_module SOURCE NAME HEADERS VERSION: a folder of modules, against the kernel headers of that
# directory and version, in a copy, as kbuild writes beside the sources.
build_module()
{
	local source=$1 dir=$BUILD/$2 headers=$3 digest
	digest="$(digest_files "$source") $BUILD_ROOT $headers $4"
	if [[ -e $dir/digest && $(<"$dir/digest") == "$digest" ]]; then
		return
	fi
	rm -rf "$dir"
	mkdir -p "$dir" "$BUILD/log"
	cp -a "$source/." "$dir/"
	quietly "$BUILD/log/$2" build_run make -C "$headers" "M=$dir" modules ||
		die 1 "the module in $source does not build"
	printf '%s\n' "$digest" >"$dir/digest"
}

# build_conformance MODULE HEADERS NAME: the objects of tests/vm/conformance, from the types that the
# kernel and the module tell of in their BTF, and from no header of this tree.
build_conformance()
{
	local module=$1 headers=$2 dir=$BUILD/$3 source name clang digest architecture
	digest="$(digest_files "$TOP/tests/vm/conformance" "$module") $BUILD_ROOT $headers"
	if [[ -e $dir/digest && $(<"$dir/digest") == "$digest" ]]; then
		return
	fi
	rm -rf "$dir"
	mkdir -p "$dir"
	case $(uname -m) in
	x86_64) architecture=x86 ;;
	aarch64) architecture=arm64 ;;
	*) die 1 "no BPF objects for $(uname -m)" ;;
	esac
	for clang in clang-21 clang-20 clang-19 clang-18 clang-17 clang-16 clang; do
		! build_run which "$clang" >/dev/null || break
	done
	# With a base the dump of a module has the kernel's types too.
	build_run /usr/sbin/bpftool -B "$headers/vmlinux" btf dump file "$module" format c \
		>"$dir/vmlinux.h" || die 1 "the types of $module cannot be read"
	for source in "$TOP"/tests/vm/conformance/*.bpf.c; do
		name=$(basename "$source" .bpf.c)
		# The kernel's types have declarations that declare nothing.
		quietly "$BUILD/log/$3-$name" build_run "$clang" -g -O2 -target bpf -mcpu=v3 \
			"-D__TARGET_ARCH_$architecture" -Wall -Werror -Wno-missing-declarations \
			-I"$dir" -c "$source" -o "$dir/$name.conformance.o" ||
			die 1 "$source does not compile"
	done
	printf '%s\n' "$digest" >"$dir/digest"
}

# payload_ensure KERNEL: prints the path of the tar for a kernel of the table.
payload_ensure()
{
	need_root
	kernel_select "$1" || die 64 "there is no kernel '$1'"
	[[ $KERNEL_SYSTEM == "$HOST_SYSTEM" ]] || BUILD_ROOT=$(root_ensure "$KERNEL_SYSTEM")
	image_ensure "$KERNEL_SYSTEM" >/dev/null
	kernel_ensure "$KERNEL_SYSTEM" "$KERNEL_SOURCE" >/dev/null
	with_lock "$BUILD/lock" payload_build >&2
	payload_file
}

# payload_file: of the kernel that is selected. Those that differ in their command line share one.
payload_file()
{
	printf '%s/vm/payload%s.tar\n' "$BUILD" "$(payload_suffix)"
}

payload_suffix()
{
	case $KERNEL_SYSTEM-$KERNEL_SOURCE in
	"$HOST_SYSTEM-package") ;;
	*-package) printf -- '-%s' "$KERNEL_SYSTEM" ;;
	*) printf -- '-%s' "$KERNEL_SOURCE" ;;
	esac
}

payload_build()
{
	local kernel release headers version file modules tests tree suffix root payload
	suffix=$(payload_suffix)
	payload=$(payload_file)
	root=$BUILD/payload$suffix
	kernel=$(kernel_dir "$KERNEL_SYSTEM" "$KERNEL_SOURCE")
	release=$(basename "$kernel"/modules/lib/modules/*)
	if [[ $KERNEL_SOURCE == package ]]; then
		headers=/usr/src/linux-headers-$release
		version=$(system_version "$KERNEL_SYSTEM")
	else
		headers=$kernel/headers
		version=''
	fi
	tree=$BUILD/tree
	[[ $KERNEL_SYSTEM == "$HOST_SYSTEM" ]] || tree+=-$KERNEL_SYSTEM
	build_configure "$tree"
	build_compile "$tree"
	build_module "$TOP/kmod" "kmod$suffix" "$headers" "$version"
	build_module "$TOP/tests/vm/module" "test-modules$suffix" "$headers" "$version"
	build_conformance "$BUILD/kmod$suffix/bpf_oom.ko" "$headers" "conformance$suffix"

	rm -rf "$root"
	DESTDIR=$root quietly "$BUILD/log/install$suffix" \
		build_run meson install -C "$tree" --no-rebuild --quiet || die 1 "meson install failed"

	tests=$root/usr/lib/oompolicyd-tests
	mkdir -p "$tests"
	for file in "$tree"/tests/vm/*; do
		[[ ! -f $file || ! -x $file ]] || cp "$file" "$tests/"
	done
	cp "$BUILD/test-modules$suffix"/*.ko "$BUILD/conformance$suffix"/*.conformance.o "$tests/"

	modules=$BUILD/vm/modules$suffix
	mkdir -p "$BUILD/vm"
	rm -rf "$modules"
	cp -a "$kernel/modules" "$modules"
	modules+=/lib/modules/$release
	mkdir -p "$modules/updates" "$root/usr/lib/modules/$release/updates"
	cp "$BUILD/kmod$suffix/bpf_oom.ko" "$modules/updates/"
	depmod -b "$BUILD/vm/modules$suffix" "$release"
	cp "$modules/updates/bpf_oom.ko" "$root/usr/lib/modules/$release/updates/"
	for file in "$modules"/modules.*; do
		cp "$file" "$root/usr/lib/modules/$release/"
	done

	# Debian's /lib is a link to /usr/lib, which unpacking must leave alone.
	tar -C "$root" --owner=0 --group=0 --sort=name -cf "$payload.new" \
		--transform='s,^\./\(lib\|bin\|sbin\)\(/\|$\),./usr/\1\2,S' .
	mv "$payload.new" "$payload"
}
