# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Builds the Debian packages, in the build root of the release that they are for. What they are made
# from is a copy of the tree, so nothing is written beside the sources.

# packages_dir RELEASE [VERSION]: where package_build() leaves the packages.
packages_dir()
{
	printf '%s/packages/%s\n' "$BUILD" "$1${2:+-$2}"
}

# package_files: those of the tree that packages are made from, one a line. The other tests and the
# tools are left out, so that a change in one of them makes no new packages.
package_files()
{
	if [[ -e $TOP/.git ]]; then
		git -c safe.directory="$TOP" -C "$TOP" ls-files --cached --others --exclude-standard
	else
		(cd "$TOP" && find . -type f ! -path './build*' -printf '%P\n')
	fi | grep -v -E '^(tools|\.ci|tests/(bench|fuzz|lint|shell)|tests/vm/[^/]+)/' |
		while IFS= read -r file; do
			# One that was removed is in git's list until that is committed.
			[[ ! -f $TOP/$file ]] || printf '%s\n' "$file"
		done | LC_ALL=C sort
}

# package_copy DIRECTORY [VERSION]: the tree, and with a VERSION as that. The files have the time of
# the changelog, whenever they were checked out: packages have it from them.
package_copy()
{
	local dir=$1 version=${2:-} date
	mkdir -p "$dir"
	date=$(sed -n '/^ -- /{s/.*>  //p;q}' "$TOP/debian/changelog")
	package_files | tar -C "$TOP" -c --no-recursion --mtime="$date" -T - |
		tar -C "$dir" -x --no-same-owner
	[[ -n $version ]] || return 0
	sed -i -e "0,/version : '[^']*'/s//version : '$version'/" "$dir/meson.build"
	cat - "$TOP/debian/changelog" >"$dir/debian/changelog" <<-END
		oompolicyd ($version) unstable; urgency=medium

		  * Build the same sources as another version, for tests of upgrades.

		 -- oompolicyd maintainers <maintainers@localhost>  $date

	END
}

# package_build RELEASE ROOT_DIRECTORY [VERSION]: the packages, in packages_dir. ROOT_DIRECTORY is
# what root_ensure() leaves in ROOT. Nothing is done where the sources and the root are those of before. With
# a VERSION the same sources are built as that.
package_build()
{
	with_lock "$BUILD/package-$1.lock" package_build_locked "$@"
}

package_build_locked()
{
	local release=$1 root=$2 version=${3:-} name work out digest
	name=$release${version:+-$version}
	out=$(packages_dir "$release" "$version")
	work=$BUILD/package-$name
	rm -rf "$work"
	package_copy "$work/tree" "$version"
	digest=$(cd "$work" && digest_files tree && sha256sum <"$root/packages")
	if [[ -e $out/digest && $(<"$out/digest") == "$digest" ]]; then
		rm -rf "$work"
		return
	fi
	package_make "$root" "$work" "$name"
	rm -rf "$out"
	mkdir -p "${out%/*}" "$work/out"
	mv "$work"/*.deb "$work"/*.changes "$work"/*.buildinfo "$work/out/"
	printf '%s\n' "$digest" >"$work/out/digest"
	mv -T "$work/out" "$out"
	rm -rf "$work"
}

# package_make ROOT_DIRECTORY WORK NAME [COMMAND...]: builds WORK/tree; the packages are in WORK. The
# COMMAND runs the build. The unit tests are for tools/check.
package_make()
{
	local root=$1 work=$2 name=$3
	shift 3
	mkdir -p "$BUILD/log"
	# shellcheck disable=SC2016 # expanded by the inner shell
	watched "$BUILD/log/package-$name" "the packages for Debian $name" root_run "$root" "$@" sh -c '
		cd "$1"
		export DEB_BUILD_OPTIONS=nocheck DEB_BUILD_PROFILES=nocheck
		exec dpkg-buildpackage --build=binary --no-sign' package "$work/tree"
	((ATTEMPT != 0)) || return 0
	tail -n 40 "$BUILD/log/package-$name" >&2
	die 1 "the packages for Debian $name do not build"
}

# package_verify RELEASE ROOT_DIRECTORY: that lintian has no complaint about the packages, and that
# built once more they are the same bytes, whatever the path, the time and the umask.
package_verify()
{
	local release=$1 root=$2 out work file
	package_build "$release" "$root"
	out=$(packages_dir "$release")
	work=$BUILD/package-$release-again/somewhere/else
	rm -rf "$BUILD/package-$release-again"
	(
		umask 077
		package_copy "$work/tree"
		package_make "$root" "$work" "$release-again" env TZ=Pacific/Kiritimati LC_ALL=C \
			sh -c 'umask 027; exec "$@"' again
	)
	for file in "$out"/*.deb; do
		cmp "$file" "$work/${file##*/}" >&2 ||
			die 1 "$release: ${file##*/} is not the same when it is built again"
	done
	rm -rf "$BUILD/package-$release-again"
	# shellcheck disable=SC2016 # expanded by the inner shell
	root_run "$root" sh -c 'exec lintian --allow-root --no-cfg --fail-on error,warning \
		--display-info "$1"/*.changes' lintian "$out" >&2 ||
		die 1 "$release: lintian complains"
	say "$release: the same bytes twice, and lintian has no complaint"
}
