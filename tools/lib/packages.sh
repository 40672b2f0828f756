# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # the lists are for those who source this
#
# Installs what a build, a boot or the checks need, from the archive that the machine is configured
# for; no mirror is named here. Only what is missing is installed.

PACKAGES_BUILD=(build-essential meson ninja-build pkg-config gcc clang-16 llvm-16 libclang-rt-16-dev
	libinih-dev libcgroup-dev libsystemd-dev libjansson-dev libbpf-dev bpftool
	linux-headers-6.12-amd64 dwarves)
PACKAGES_VM=(qemu-system-x86 mmdebstrap e2fsprogs busybox-static cpio zstd xz-utils kmod
	debian-archive-keyring)
# For the trimmed kernels alone.
PACKAGES_KERNEL=(linux-source-6.12 gcc-12 bison flex bc libelf-dev libssl-dev dwarves)
PACKAGES_CHECK=(dbus cppcheck clang-tidy shellcheck clang-format groff sparse)

# These are too old in Debian 12 itself; its backports have them. PACKAGE=OLDEST_VERSION
# QEMU up to 8.0 loses a race when one processor changes code that another runs, as the kernel does
# for ftrace: "Oops: int3".
PACKAGES_NEWER=(libbpf-dev=1:1.4 bpftool=7.5 qemu-system-x86=1:8.1)

BACKPORTS_LIST=/etc/apt/sources.list.d/oompolicyd-backports.list
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# release_codename: the suite of this machine, or dies where it is not one that the tools know.
release_codename()
{
	local codename=
	if [[ -r /etc/os-release ]]; then
		codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
	fi
	[[ $codename == bookworm ]] || die 69 "runs on Debian 12 (bookworm) only, this is '${codename:-unknown}'"
	printf '%s\n' "$codename"
}

# package_is_missing NAME: not installed, or older than PACKAGES_NEWER asks for.
package_is_missing()
{
	local version newer
	version=$(dpkg-query -W -f '${db:Status-Status} ${Version}' "$1" 2>/dev/null) || return 0
	[[ $version == 'installed '* ]] || return 0
	for newer in "${PACKAGES_NEWER[@]}"; do
		[[ $newer == "$1="* ]] || continue
		dpkg --compare-versions "${version#installed }" ge "${newer#*=}" || return 0
	done
	return 1
}

# apt_targets: "URI SUITE COMPONENT" of each binary package index that apt has fetched.
apt_targets()
{
	# shellcheck disable=SC2016 # these are apt's own placeholders
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
		LC_ALL=C sort -u
}

# The machine's apt does not always know backports; the mirror of its main archive has them.
backports_enable()
{
	local codename=$1 targets uri
	targets=$(apt_targets)
	if ! grep -q " $codename main\$" <<<"$targets"; then
		apt_update
		targets=$(apt_targets)
	fi
	if grep -q " $codename-backports main\$" <<<"$targets"; then
		return
	fi
	uri=$(awk -v suite="$codename" '$2 == suite && $3 == "main" { print $1; exit }' <<<"$targets")
	[[ -n $uri ]] || die 69 "apt has no '$codename main' archive configured"
	say "adding $codename-backports of the configured mirror as $BACKPORTS_LIST"
	printf 'deb [signed-by=%s] %s %s-backports main\n' "$KEYRING" "$uri" "$codename" >"$BACKPORTS_LIST"
	apt_update
}

apt_update()
{
	quietly "$CACHE/log/apt-update" apt-get update -q ||
		die 69 "the package lists could not be fetched"
}

# packages_ensure PACKAGE...
packages_ensure()
{
	local codename package wanted=() newer=()
	codename=$(release_codename)
	mkdir -p "$CACHE/log"
	for package; do
		package_is_missing "$package" && wanted+=("$package")
	done
	if ((${#wanted[@]} == 0)); then
		return
	fi
	say "installing with apt: ${wanted[*]}"
	backports_enable "$codename"
	for package in "${!wanted[@]}"; do
		case ${wanted[package]} in
		libbpf-dev) newer+=("libbpf1/$codename-backports" "libbpf-dev/$codename-backports") ;;
		bpftool) newer+=("bpftool/$codename-backports") ;;
		qemu-system-x86)
			newer+=(qemu-system-{x86,common,data}"/$codename-backports" "seabios/$codename-backports")
			;;
		*) continue ;;
		esac
		unset 'wanted[package]'
	done
	if ! packages_install "${wanted[@]}" "${newer[@]}"; then
		# Lists that are older than the mirror's last change name files that are gone.
		apt_update
		packages_install "${wanted[@]}" "${newer[@]}" || die 69 "apt could not install them"
	fi
}

packages_install()
{
	DEBIAN_FRONTEND=noninteractive quietly "$CACHE/log/apt-install" \
		apt-get install -q -y --no-install-recommends "$@"
}
