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

# disk_ensure KERNEL: leaves in DISK the disk of a machine with a kernel of the table.
disk_ensure()
{
	kernel_select "$1" || die 64 "there is no kernel '$1'"
	root_ensure "$TOOL_ROOT"
	build_in "$KERNEL_SYSTEM"
	image_ensure "$KERNEL_SYSTEM"
	kernel_ensure "$KERNEL_SYSTEM" "$KERNEL_SOURCE"
	with_lock "$BUILD/lock" disk_build
	DISK=$(disk_file)
}

# disk_file: of the kernel that is selected. Those that differ in their command line share one.
disk_file()
{
	printf '%s/vm/disk-%s.img\n' "$BUILD" "$(disk_name)"
}

disk_name()
{
	case $KERNEL_SOURCE in
	package) printf '%s' "$KERNEL_SYSTEM" ;;
	*) printf '%s' "$KERNEL_SOURCE" ;;
	esac
}

# disk_build: compiles what is not up to date, and makes the disk anew where anything has changed.
disk_build()
{
	local name release headers version tree digest file packages programs=()
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
	package_build "$KERNEL_SYSTEM" "$BUILD_ROOT"
	packages=("$(packages_dir "$KERNEL_SYSTEM")"/oompolicyd_*.deb)
	build_configure "$tree" -Dwerror=true
	build_compile "$tree"
	build_module "$TOP/kmod" "kmod-$name" "$headers" "$version"
	build_module "$TOP/tests/vm/module" "test-modules-$name" "$headers" "$version"
	build_conformance "$BUILD/kmod-$name/bpf_oom.ko" "$headers" "conformance-$name"
	for file in "$tree"/tests/vm/*; do
		[[ ! -f $file || ! -x $file ]] || programs+=("$file")
	done
	programs+=("$BUILD/test-modules-$name"/*.ko "$BUILD/conformance-$name"/*.conformance.o)

	digest="$IMAGE $KERNEL_FILES $(digest_files "${programs[@]}" "$BUILD/kmod-$name/bpf_oom.ko" "${packages[@]}")"
	file=$(disk_file)
	if [[ -e $file && -e $file.digest && $(<"$file.digest") == "$digest" ]]; then
		return
	fi
	rm -f "$file.digest"
	mkdir -p "$BUILD/vm"
	attempt disk_fill "$BUILD/vm/root-$name" "$file" "$release" \
		"${packages[0]}" "$BUILD/kmod-$name/bpf_oom.ko" "${programs[@]}"
	rm -rf --one-file-system "$BUILD/vm/root-$name"
	((ATTEMPT == 0)) || die 1 "the disk of the machine '$name' could not be made"
	printf '%s\n' "$digest" >"$file.digest"
}

# disk_fill DIRECTORY FILE KERNEL_RELEASE PACKAGE MODULE PROGRAM...: DIRECTORY is where the file system
# is put together. The module is in place of the one that DKMS makes from its package, as compilers
# would make the disk large; tests/vm/guest/package.sh tests that package.
disk_fill()
{
	local root=$1 file=$2 release=$3 package=$4 module=$5 modules
	shift 5
	rm -rf --one-file-system "$root"
	cp -a --reflink=auto "$IMAGE/root" "$root"
	modules=$root/usr/lib/modules
	mkdir -p "$modules"
	cp -a "$KERNEL_FILES/modules/lib/modules/$release" "$modules/"
	cp "$package" "$root/oompolicyd.deb"
	quietly "$BUILD/log/install-$(disk_name)" unshare --mount sh -euc '
		mount -t proc none "$1/proc"
		mount --rbind /dev "$1/dev"
		DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 exec chroot "$1" dpkg --install /oompolicyd.deb' \
		install "$root" || die 1 "the package cannot be installed"
	rm "$root/oompolicyd.deb"
	mkdir -p "$modules/$release/updates" "$root/usr/lib/oompolicyd-tests"
	cp "$module" "$modules/$release/updates/"
	chroot "$root" depmod "$release"
	cp "$@" "$root/usr/lib/oompolicyd-tests/"
	rm -f "$file"
	truncate -s 1536M "$file"
	quietly "$BUILD/log/disk-$(disk_name)" root_run "$(root_find "$TOOL_ROOT")" \
		mke2fs -q -t ext4 -O ^has_journal -m 0 -L root -d "$root" "$file"
}
