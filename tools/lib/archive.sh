# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The archive that packages of any Debian release come from: the mirror that this machine's apt has
# its own Debian from. No mirror is named in the tree.

KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
[[ -e $KEYRING ]] || KEYRING=${KEYRING%.gpg}.pgp

# archive_targets: "URI LABEL" of each Debian archive that apt has fetched lists of.
archive_targets()
{
	# shellcheck disable=SC2016 # these are apt's own placeholders
	apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(COMPONENT) $(LABEL)' 'Created-By: Packages' |
		awk '$2 == "Debian" && $3 == "main" { print $1, $4 }' | LC_ALL=C sort -u
}

# archive_lines RELEASE: lines for its sources.list.
archive_lines()
{
	local targets main security suite suites=("$1")
	targets=$(archive_targets)
	if [[ -z $targets ]]; then
		host_apt_update
		targets=$(archive_targets)
	fi
	main=$(awk '$2 == "Debian" { print $1; exit }' <<<"$targets")
	security=$(awk '$2 == "Debian-Security" { print $1; exit }' <<<"$targets")
	[[ -n $main ]] || die 69 "apt has no archive of Debian configured (component main), see sources.list(5)"
	case $1 in
	bookworm) suites+=("$1-updates" "$1-backports") ;;
	sid) security='' ;;
	*) suites+=("$1-updates") ;;
	esac
	for suite in "${suites[@]}"; do
		printf 'deb [signed-by=%s] %s %s main\n' "$KEYRING" "$main" "$suite"
	done
	[[ -z $security ]] || printf 'deb [signed-by=%s] %s %s-security main\n' "$KEYRING" "$security" "$1"
}

# archive_options: a proxy or a pinned archive of this machine holds for what is made from it as
# well. A mirror may lag behind: Debian's signature is checked all the same, and an old package is
# as good to test with as one of today.
archive_options()
{
	printf '%s\n' 'Acquire::Check-Valid-Until "false"'
	apt-config dump |
		sed -n -E 's/^(Acquire::(http|https|Retries|Check-Date)[^ ]* "[^"]+");$/\1/p'
}

# archive_size RELEASE PACKAGE...: what they take with all that they depend on, as "FETCHED KEPT" in
# MB. Dies where the archive does not have them, or cannot be reached.
archive_size()
{
	local release=$1 dir option options=() output
	shift
	temporary apt
	dir=$TEMPORARY
	archive_lines "$release" >"$dir/sources.list"
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	: >"$dir/status"
	while IFS= read -r option; do
		options+=(-o "$(sed 's/ "/=/; s/"$//' <<<"$option")")
	done < <(archive_options)
	options+=(-o "Dir::State=$dir" -o "Dir::State::lists=$dir/lists" -o "Dir::State::status=$dir/status"
		-o "Dir::Cache=$dir/cache" -o "Dir::Etc::sourcelist=$dir/sources.list"
		-o Dir::Etc::sourceparts=/dev/null -o APT::Install-Recommends=0)
	if ! timeout 300 apt-get "${options[@]}" -o APT::Update::Error-Mode=any update -q >"$dir/log" 2>&1; then
		archive_blame "$dir/log" "$release"
		tail -n 10 "$dir/log" >&2
		die 69 "the package lists of Debian $release could not be fetched"
	fi
	output=$(apt-get "${options[@]}" install --assume-no '?essential' "$@" 2>&1) || :
	rm -rf "$dir"
	awk '
		function megabytes(number, unit) {
			gsub(",", "", number)
			return number * (unit == "GB" ? 1000 : unit == "kB" ? 0.001 : 1)
		}
		/^Need to get / { split($4, part, "/"); fetched = megabytes(part[1], $5) }
		/^After this operation, / { kept = megabytes($4, $5) }
		END {
			if (!kept)
				exit 1
			printf "%d %d\n", fetched, kept
		}' <<<"$output" || {
		grep '^E:' <<<"$output" >&2 || :
		die 69 "the archive does not have what is needed of Debian $release"
	}
}

# archive_blame LOG RELEASE: dies with a sentence where a log of apt or mmdebstrap says that neither
# the recipe nor the tree is to blame; else returns.
archive_blame()
{
	if grep -q -E 'No space left on device|not enough free space' "$1"; then
		die 69 "the disk is full: $(df -h --output=avail "$CACHE" | tail -n 1 | tr -d ' ') are left below $CACHE, $(df -h --output=avail "$BUILD" | tail -n 1 | tr -d ' ') below $BUILD"
	elif grep -q -E 'Temporary failure resolving|Could not resolve|Could not connect|Connection (refused|timed out)|Network is unreachable|[Uu]nable to connect' "$1"; then
		die 69 "the archive of Debian cannot be reached: is there a network?"
	elif grep -q -E 'does not have a Release file|404  *Not Found|Unable to locate|has no installation candidate|unable to locate' "$1"; then
		die 69 "the mirror of this machine's apt does not have what is needed of Debian $2: $(grep -m 1 -o -E "(404 |The repository|E: Unable to locate|E: Package).*" "$1" | head -c 200)"
	elif grep -q -E 'apt-get update .* failed|(Failed|Unable) to fetch' "$1"; then
		die 69 "the packages of Debian $2 cannot be fetched"
	fi
}
