# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2153 # variables are shared with those who source this
#
# Builds the tree below $BUILD and puts on a disk what a test machine gets: Debian, the packages of
# the tree, the module, the test programs. Everything is up to date after disk_ensure(); nothing is
# built twice.

# The build root with the compilers, of the release that the result runs on.
BUILD_ROOT=''

# build_in NAME: takes that build root.
build_in()
{
	root_ensure "$1"
	BUILD_ROOT=$ROOT
	mkdir -p "$BUILD/log"
}

build_run()
{
	root_run "$BUILD_ROOT" "$@"
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
	watched "$log" "compiling ${1##*/}" build_run ninja -C "$1"
	((ATTEMPT != 0)) || return 0
	# The end alone would hide the first error, which is the one that counts.
	grep -E -A 12 -m 20 '^FAILED:|error:' "$log" >&2 || tail -n 40 "$log" >&2
	die 1 "the build in $1 failed (all of it: $log)"
}

# build_tree DIRECTORY MESON_ARGUMENT...: configures and compiles; one at a time in a directory.
build_tree()
{
	with_lock "$1.lock" build_tree_locked "$@"
}

build_tree_locked()
{
	build_configure "$@"
	build_compile "$1"
}

# build_module SOURCE NAME HEADERS VERSION [FILE...]: a folder of modules, against the kernel headers of that
# directory and version, in a copy, as kbuild writes beside the sources; with the FILEs beside them.
build_module()
{
	local source=$1 dir=$BUILD/$2 headers=$3 digest files=("${@:5}") compiler=()
	digest="$(digest_files "$source" "${files[@]}") $BUILD_ROOT $headers $4"
	if [[ -e $dir/digest && $(<"$dir/digest") == "$digest" ]]; then
		return
	fi
	rm -rf "$dir"
	mkdir -p "$dir" "$BUILD/log"
	cp -a "$source/." "$dir/"
	[[ ${#files[@]} -eq 0 ]] || cp -a "${files[@]}" "$dir/"
	# A module has to come from the compiler that its kernel came from.
	! build_run grep -q -x CONFIG_CC_IS_CLANG=y "$headers/.config" || compiler=(LLVM=1)
	watched "$BUILD/log/$2" "compiling $2" build_run make -C "$headers" "M=$dir" "${compiler[@]}" modules
	if ((ATTEMPT != 0)); then
		tail -n 40 "$BUILD/log/$2" >&2
		die 1 "the module in $source does not build"
	fi
	printf '%s\n' "$digest" >"$dir/digest"
}

# build_conformance MODULE HEADERS NAME: the objects of tests/vm/conformance, from no header of this
# tree but from the types that a BTF tells of. OBJECT.conformance.o is from the types of the kernel and
# the module, OBJECT-kernel.conformance.o from those of the kernel alone.
build_conformance()
{
	local module=$1 headers=$2 dir=$BUILD/$3 digest
	digest="$(digest_files "$TOP/tests/vm/conformance" "$module") $BUILD_ROOT $headers"
	if [[ -e $dir/digest && $(<"$dir/digest") == "$digest" ]]; then
		return
	fi
	rm -rf "$dir"
	mkdir -p "$dir"/{module,kernel}
	build_check_types "$module" "$headers/vmlinux"
	# With a base the dump of a module has the kernel's types too.
	build_run /usr/sbin/bpftool -B "$headers/vmlinux" btf dump file "$module" format c \
		>"$dir/module/vmlinux.h" || die 1 "the types of $module cannot be read"
	build_conformance_objects "$dir" "$dir/module" ''
	build_run /usr/sbin/bpftool btf dump file "$headers/vmlinux" format c \
		>"$dir/kernel/vmlinux.h" || die 1 "the types of $headers/vmlinux cannot be read"
	build_conformance_objects "$dir" "$dir/kernel" -kernel -DKERNEL_TYPES_ALONE
	printf '%s\n' "$digest" >"$dir/digest"
}

# build_check_types MODULE VMLINUX: whoever builds an object from the module's types gets its private
# ones as well, and cannot use their names; so all have a prefix that nobody else would use.
build_check_types()
{
	local names
	names=$(comm -13 <(build_run /usr/sbin/bpftool btf dump file "$2" format raw | types_named) \
		<(build_run /usr/sbin/bpftool -B "$2" btf dump file "$1" format raw | types_named) |
		grep -v -i -E '^(bpf_oom|bpf_struct_ops_bpf_oom|oom_control__|(btf_trace|trace_event_[a-z_]*)_(select_bad_process_end|bpf_oom_end))') ||
		return 0
	die 1 "types of $1 that have no prefix bpf_oom_: ${names//$'\n'/ }"
}

# types_named: the names of types and enumerators in a raw dump of BTF, sorted.
types_named()
{
	awk -F "'" '/^\[[0-9]+\] (STRUCT|UNION|ENUM|ENUM64|TYPEDEF|FWD) / || /^\t.* val=/ { print $2 }' |
		LC_ALL=C sort -u
}

# build_conformance_objects DIRECTORY TYPES SUFFIX CLANG_ARGUMENT...: TYPES has the vmlinux.h.
build_conformance_objects()
{
	local dir=$1 types=$2 suffix=$3 source name clang architecture
	shift 3
	case $(uname -m) in
	x86_64) architecture=x86 ;;
	aarch64) architecture=arm64 ;;
	*) die 1 "no BPF objects for $(uname -m)" ;;
	esac
	for clang in clang-21 clang-20 clang-19 clang-18 clang-17 clang-16 clang; do
		! build_run which "$clang" >/dev/null || break
	done
	for source in "$TOP"/tests/vm/conformance/*.bpf.c; do
		name=$(basename "$source" .bpf.c)$suffix
		# The kernel's types have declarations that declare nothing.
		quietly "$BUILD/log/${dir##*/}-$name" build_run "$clang" -g -O2 -target bpf -mcpu=v3 \
			"-D__TARGET_ARCH_$architecture" -Wall -Werror -Wno-missing-declarations "$@" \
			-I"$types" -c "$source" -o "$dir/$name.conformance.o" ||
			die 1 "$source does not compile"
	done
}

# disk_ensure KERNEL [DISK]: has the disk of a machine with a kernel of the table. DISK is empty for the
# usual one, with our package installed, or 'stock' for one on which that is to be done.
disk_ensure()
{
	local image compiled
	kernel_select "$1" || die 64 "there is no kernel '$1'"
	root_ensure "$TOOL_ROOT"
	build_in "$KERNEL_SYSTEM"
	image=$KERNEL_SYSTEM${2:+-$2}
	if [[ ! -e $(image_dir "$image")/complete ]]; then
		# dpkg fills one core only.
		child_aside image_ensure "$image"
		attempt disk_compile
		compiled=$ATTEMPT
		aside_wait
		((ATTEMPT == 0)) || exit "$ATTEMPT"
		((compiled == 0)) || exit "$compiled"
	fi
	image_ensure "$image"
	if [[ ${2:-} == stock ]]; then
		KERNEL_FILES=$IMAGE
	else
		kernel_ensure "$KERNEL_SYSTEM" "$KERNEL_SOURCE"
	fi
	with_lock "$BUILD/lock" disk_build "${2:-}"
}

# disk_file [DISK]: of the kernel that is selected. Those that differ in their command line share one.
disk_file()
{
	printf '%s/vm/disk-%s%s.img\n' "$BUILD" "$(disk_name)" "${1:+-$1}"
}

disk_name()
{
	case $KERNEL_SOURCE in
	package) printf '%s' "$KERNEL_SYSTEM" ;;
	*) printf '%s' "$KERNEL_SOURCE" ;;
	esac
}

# A version of the same sources that is older than the tree's, for tests of upgrades.
package_previous()
{
	printf '%s~previous\n' "$(sed -n "s/^ *version : '\([^']*\)'.*/\1/p" "$TOP/meson.build" | head -n 1)"
}

# disk_compile: the packages and the programs of the tests, which no disk is needed for.
disk_compile()
{
	package_build "$KERNEL_SYSTEM" "$BUILD_ROOT"
	build_tree "$BUILD/tree-$KERNEL_SYSTEM" -Dwerror=true
}

# disk_build [DISK]: compiles what is not up to date, and makes the disk anew where anything has changed.
disk_build()
{
	local disk=${1:-} name release headers version tree digest file packages programs=()
	name=$(disk_name)
	release=$(basename "$KERNEL_FILES"/modules/lib/modules/*)
	if [[ $KERNEL_SOURCE == package ]]; then
		headers=/usr/src/linux-headers-$release
		version=''
	else
		headers=$KERNEL_FILES/headers
		version=$KERNEL_FILES
	fi
	tree=$BUILD/tree-$KERNEL_SYSTEM
	disk_compile
	packages=("$(packages_dir "$KERNEL_SYSTEM")"/oompolicyd_*.deb)
	if [[ $disk == stock ]]; then
		packages=("$(packages_dir "$KERNEL_SYSTEM")")
		version=$(package_previous)
		package_build "$KERNEL_SYSTEM" "$BUILD_ROOT" "$version"
		packages+=("$(packages_dir "$KERNEL_SYSTEM" "$version")")
	else
		# The kernel's compiler, or its package with the headers, is in the root that it was made in.
		[[ $KERNEL_SOURCE == package ]] || build_in "$KERNEL_SYSTEM-kernel"
		build_module "$TOP/kmod" "kmod-$name" "$headers" "$version"
		build_module "$TOP/tests/vm/module" "test-modules-$name" "$headers" "$version" \
			"$TOP"/kmod/{bpf_oom.h,compat.h,fit.c,symbols.c}
		build_conformance "$BUILD/kmod-$name/bpf_oom.ko" "$headers" "conformance-$name"
		programs+=("$BUILD/test-modules-$name"/*.ko "$BUILD/conformance-$name"/*.conformance.o
			"$BUILD/kmod-$name/bpf_oom.ko")
		if [[ $name == "$KERNEL_DEFAULT" ]]; then
			build_module "$TOP/kmod" "kmod-posted-$name" "$headers" "$version" "$TOP"/tests/vm/posted/*.[ch]
			cp "$BUILD/kmod-posted-$name/bpf_oom.ko" "$BUILD/kmod-posted-$name/posted.ko"
			programs+=("$BUILD/kmod-posted-$name/posted.ko")
		fi
	fi
	programs+=("$TOP/tests/vm/guest/run")
	for file in "$tree"/tests/vm/*; do
		[[ ! -f $file || ! -x $file ]] || programs+=("$file")
	done

	digest="$IMAGE $KERNEL_FILES $(digest_files "${programs[@]}" "${packages[@]}")"
	file=$(disk_file "$disk")
	if [[ -e $file && -e $file.digest && $(<"$file.digest") == "$digest" ]]; then
		return
	fi
	rm -f "$file.digest"
	mkdir -p "$BUILD/vm"
	watched "$BUILD/log/disk-$name" "the disk of the machine '$name${disk:+-$disk}'" \
		"disk_fill${disk:+_$disk}" "$BUILD/vm/root-$name" "$file" "$release"
	rm -rf --one-file-system "$BUILD/vm/root-$name"
	if ((ATTEMPT != 0)); then
		rm -f "$file.new"
		tail -n 40 "$BUILD/log/disk-$name" >&2
		archive_blame "$BUILD/log/disk-$name" "$KERNEL_SYSTEM"
		die 1 "the disk of the machine '$name' could not be made"
	fi
	printf '%s\n' "$digest" >"$file.digest"
}

# disk_fill DIRECTORY FILE KERNEL_RELEASE: puts `packages` and `programs` of disk_build() on a disk;
# DIRECTORY is where the file system is put together. The module is in place of the one that DKMS makes
# from its package, as compilers would make the disk large; tests/vm/guest/package.sh tests that one.
disk_fill()
{
	local root=$1 file=$2 release=$3 modules
	disk_begin "$root"
	modules=$root/usr/lib/modules
	mkdir -p "$modules"
	cp -a "$KERNEL_FILES/modules/lib/modules/$release" "$modules/"
	cp "${packages[0]}" "$root/oompolicyd.deb"
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare --mount sh -euc '
		mount -t proc none "$1/proc"
		mount --rbind /dev "$1/dev"
		DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 exec chroot "$1" dpkg --install /oompolicyd.deb' \
		install "$root"
	rm "$root/oompolicyd.deb"
	mkdir -p "$modules/$release/updates"
	mv "$root/usr/lib/oompolicyd-tests/bpf_oom.ko" "$modules/$release/updates/"
	chroot "$root" depmod "$release"
	disk_end "$root" "$file" 1536M
}

# disk_fill_stock DIRECTORY FILE KERNEL_RELEASE: with the packages, this version and the previous one,
# in a directory, and what they depend on as an archive for apt.
disk_fill_stock()
{
	local root=$1 file=$2
	disk_begin "$root"
	mkdir "$root"/srv/{current,previous}
	cp "${packages[0]}"/*.deb "$root/srv/current/"
	cp "${packages[1]}"/*.deb "$root/srv/previous/"
	echo 'deb [trusted=yes] file:/srv/archive ./' >"$root/etc/apt/sources.list"
	disk_end "$root" "$file" 4G
}

disk_begin()
{
	rm -rf --one-file-system "$1"
	cp -a --reflink=auto "$IMAGE/root" "$1"
	mkdir -p "$1/usr/lib/oompolicyd-tests"
	cp "${programs[@]}" "$1/usr/lib/oompolicyd-tests/"
}

# disk_end DIRECTORY FILE SIZE
disk_end()
{
	rm -f "$2.new"
	truncate -s "$3" "$2.new"
	root_run "$(root_find "$TOOL_ROOT")" \
		mke2fs -q -t ext4 -O ^has_journal -m 0 -L root -d "$1" "$2.new"
	mv "$2.new" "$2"
}
