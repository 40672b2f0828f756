# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Builds the tree below $BUILD and packs what a test machine gets: the installed tree, the module,
# the test programs. Everything is up to date after payload_ensure(); nothing is built twice.

# build_configure DIRECTORY MESON_ARGUMENT...: once for the same arguments; meson reconfigures on its
# own when its files change. CC is taken from the environment.
build_configure()
{
	local dir=$1 arguments
	shift
	arguments="${CC:-} $*"
	if [[ -e $dir/build.ninja && -e $dir/arguments && $(<"$dir/arguments") == "$arguments" ]]; then
		return
	fi
	mkdir -p "$BUILD/log"
	rm -rf "$dir"
	quietly "$BUILD/log/${dir##*/}-setup" meson setup "$dir" "$TOP" --prefix=/usr "$@" ||
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
	if ! ninja -C "$1" >"$log" 2>&1 </dev/null; then
		grep -E -A 12 -m 20 '^FAILED:|error:' "$log" >&2 || tail -n 40 "$log" >&2
		die 1 "the build in $1 failed (all of it: $log)"
	fi
}

# build_module SOURCE NAME: a folder of modules, in a copy, as kbuild writes beside the sources.
build_module()
{
	local source=$1 dir=$BUILD/$2 release digest
	release=$(kernel_release)
	digest=$(digest_files "$source")-$release-$(kernel_version)
	if [[ -e $dir/digest && $(<"$dir/digest") == "$digest" ]]; then
		return
	fi
	rm -rf "$dir"
	mkdir -p "$dir" "$BUILD/log"
	cp -a "$source/." "$dir/"
	quietly "$BUILD/log/$2" make -C "/usr/src/linux-headers-$release" "M=$dir" modules ||
		die 1 "the module in $source does not build"
	printf '%s\n' "$digest" >"$dir/digest"
}

# build_conformance MODULE HEADERS NAME: the objects of tests/vm/conformance, from the types that the
# kernel and the module tell of in their BTF, and from no header of this tree.
build_conformance()
{
	local module=$1 headers=$2 dir=$BUILD/$3 source name clang digest architecture
	digest="$(digest_files "$TOP/tests/vm/conformance" "$module") $headers"
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
		! command -v "$clang" >/dev/null || break
	done
	# With a base the dump of a module has the kernel's types too.
	PATH=$PATH:/usr/sbin:/sbin bpftool -B "$headers/vmlinux" btf dump file "$module" format c \
		>"$dir/vmlinux.h" || die 1 "the types of $module cannot be read"
	for source in "$TOP"/tests/vm/conformance/*.bpf.c; do
		name=$(basename "$source" .bpf.c)
		# The kernel's types have declarations that declare nothing.
		quietly "$BUILD/log/$3-$name" "$clang" -g -O2 -target bpf -mcpu=v3 \
			"-D__TARGET_ARCH_$architecture" -Wall -Werror -Wno-missing-declarations \
			-I"$dir" -c "$source" -o "$dir/$name.conformance.o" ||
			die 1 "$source does not compile"
	done
	printf '%s\n' "$digest" >"$dir/digest"
}

# payload_ensure: prints the tar's path.
payload_ensure()
{
	need_root
	image_ensure >/dev/null
	with_lock "$BUILD/lock" payload_build >&2
	printf '%s\n' "$BUILD/vm/payload.tar"
}

payload_build()
{
	local image release file modules tests root
	root=$BUILD/payload
	image=$(image_dir)
	release=$(kernel_release)
	build_configure "$BUILD/tree"
	build_compile "$BUILD/tree"
	build_module "$TOP/kmod" kmod
	build_module "$TOP/tests/vm/module" test-modules
	build_conformance "$BUILD/kmod/bpf_oom.ko" "/usr/src/linux-headers-$release" conformance

	rm -rf "$root"
	DESTDIR=$root quietly "$BUILD/log/install" meson install -C "$BUILD/tree" --no-rebuild --quiet ||
		die 1 "meson install failed"

	tests=$root/usr/lib/oompolicyd-tests
	mkdir -p "$tests"
	for file in "$BUILD/tree"/tests/vm/*; do
		[[ ! -f $file || ! -x $file ]] || cp "$file" "$tests/"
	done
	cp "$BUILD/test-modules"/*.ko "$BUILD/conformance"/*.conformance.o "$tests/"
	cc -O2 -Wall -Wextra -Werror -std=gnu11 -D_GNU_SOURCE -o "$tests/memhog" "$TOP/tests/vm/memhog.c"

	modules=$root/usr/lib/modules/$release
	mkdir -p "$modules/updates" "$BUILD/vm"
	rm -rf "$BUILD/vm/modules"
	cp -a "$image/modules" "$BUILD/vm/modules"
	mkdir "$BUILD/vm/modules/lib/modules/$release/updates"
	cp "$BUILD/kmod/bpf_oom.ko" "$BUILD/vm/modules/lib/modules/$release/updates/"
	depmod -b "$BUILD/vm/modules" "$release"
	cp "$BUILD/kmod/bpf_oom.ko" "$modules/updates/"
	for file in "$BUILD/vm/modules/lib/modules/$release"/modules.*; do
		cp "$file" "$modules/"
	done

	# Debian's /lib is a link to /usr/lib, which unpacking must leave alone.
	tar -C "$root" --owner=0 --group=0 --sort=name -cf "$BUILD/vm/payload.tar.new" \
		--transform='s,^\./\(lib\|bin\|sbin\)\(/\|$\),./usr/\1\2,S' .
	mv "$BUILD/vm/payload.tar.new" "$BUILD/vm/payload.tar"
}
