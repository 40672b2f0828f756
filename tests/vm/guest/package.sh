# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=2048 cpus=2 timeout=1500 disk=stock extra=bookworm,sid
#
# What README says to install, on a Debian that has never seen it: the packages by apt, the module by
# DKMS for the kernel that runs; an upgrade from the version before among OOMs, a downgrade, removal and
# purge. The machine has DKMS and a compiler; what else the packages depend on comes from an archive on
# its disk.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/records-lib.bash
. records-lib.bash

readonly UNIT=oompolicyd.service
readonly ROOT=/sys/fs/cgroup/package
readonly PINS=/sys/fs/bpf/oompolicyd

# apt_run ARGUMENT...: what it says is in OUTPUT.
apt_run()
{
	DEBIAN_FRONTEND=noninteractive assert_status 0 apt-get -q -y --no-install-recommends \
		-o Dpkg::Use-Pty=0 "$@"
	printf '%s\n' "$OUTPUT" | sed 's/^/# /'
}

# install_version current|previous [PACKAGE...]: both, or those.
install_version()
{
	local version=$1 package files=()
	shift
	(($# > 0)) || set -- oompolicyd oompolicyd-dkms
	for package; do
		files+=("/srv/$version/${package}"_*.deb)
	done
	apt_run install --allow-downgrades "${files[@]}"
}

installed_version()
{
	# shellcheck disable=SC2016 # dpkg-query's own placeholder
	dpkg-query -W -f '${Version}' "$1" 2>/dev/null
}

# All files but what is not the packages': the work of apt, dpkg, systemd and this test.
all_files()
{
	find / -xdev \( -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/cache -o -path /var/log -o \
		-path /run -o -path /tmp -o -path /var/tmp -o -path /proc -o -path /sys -o -path /dev -o \
		-path '/var/lib/dkms/mok.*' -o -path /var/lib/systemd -o -path /root \) -prune \
		-o ! -type d -print | sort
}

# What the packages brought, and their dependencies did not.
files_of_ours()
{
	comm -13 /run/files-before - <<<"$(all_files)"
}

config_package()
{
	config_write <<'END2'
# edited by the administrator
[Policy package]

[Rule mark]
Cgroup=/package/**/mark
Priority=10

[Rule keep]
Cgroup=/package/**/keep
Priority=900

[Rule small]
Unit=small.service
Priority=10
END2
}

unit_is()
{
	assert_eq "is-enabled" "$(systemctl is-enabled $UNIT 2>&1 || :)" "$1"
	assert_eq "is-active" "$(systemctl is-active $UNIT || :)" "$2"
}

module_is_for()
{
	assert_eq "the version of the installed module" "$(modinfo -F version bpf_oom)" "$(upstream "$1")"
	assert_match "what dkms says" "$(dkms status bpf_oom)" ": installed"
}

# upstream current|previous
upstream()
{
	local file
	file=$(basename "/srv/$1"/oompolicyd-dkms_*.deb)
	file=${file#*_}
	printf '%s\n' "${file%_*}"
}

test_install()
{
	apt-get update -q
	# What they depend on may stay.
	# shellcheck disable=SC2046 # words
	apt_run install $(dpkg-deb -f /srv/previous/oompolicyd_*.deb Depends | tr ',' '\n' | sed 's/|.*//; s/(.*)//') \
		$(dpkg-deb -f /srv/previous/oompolicyd-dkms_*.deb Depends | tr ',' '\n' | sed 's/|.*//; s/(.*)//')
	all_files >/run/files-before
	install_version previous
	assert_eq "the version" "$(installed_version oompolicyd)" "$(upstream previous)"
	module_is_for previous
	unit_is disabled inactive
	assert_eq "what is ours below /etc" "$(files_of_ours | grep '^/etc/' || :)" ""
	journalctl --list-catalog | grep -q "^$MESSAGE_ID_KILL " || fail "the catalog has no text for a record"
}

test_enable()
{
	config_package
	mkdir -p /etc/oompolicy.conf.d
	printf '# a drop-in of the administrator\n' >/etc/oompolicy.conf.d/local.conf
	assert_status 0 systemctl enable --now $UNIT
	unit_is enabled active
	assert_status 0 oompolicyctl status
	log_mark
	workload_overrun
	assert_eq "the victim" "$VICTIM" small
	journal_wait 20 "the record" "MESSAGE_ID=$MESSAGE_ID_KILL"
	assert_eq "the record's policy" "$(journal_field OOMPOLICY_POLICY "MESSAGE_ID=$MESSAGE_ID_KILL")" package
}

# One OOM after the other until the file is there; each prints "1 kept" where the policy decided. As
# many as the journal has room for, with the kernel's reports.
steady()
{
	while [[ ! -e /run/steady-end ]]; do
		oomstorm burst $ROOT/one $ROOT/one/{keep,mark} 1
		sleep 2
	done >/run/steady
}

# The policy is never off, and no record is lost.
test_upgrade()
{
	local pid kills steady before
	mkdir -p $ROOT/one
	echo +memory >$ROOT/cgroup.subtree_control
	echo +memory >$ROOT/one/cgroup.subtree_control
	mkdir -p $ROOT/one/{keep,mark}
	pid=$(daemon_pid)
	rm -f /run/steady-end
	oomstorm burst $ROOT/one $ROOT/one/{keep,mark} 1 >/dev/null
	wait_for 20 "the first record" journal_has "MESSAGE_ID=$MESSAGE_ID_KILL"
	log_mark
	before=$(oom_kills)
	steady &
	steady=$!
	install_version current
	touch /run/steady-end
	wait "$steady"
	kills=$(($(oom_kills) - before))
	assert_eq "the version" "$(installed_version oompolicyd)" "$(upstream current)"
	module_is_for current
	unit_is enabled active
	daemon_is_another "$pid" || fail "the daemon is the one of before"
	assert_eq "the OOMs, and those that were decided" "$(sort /run/steady | uniq -c | xargs)" "$kills 1 kept"
	((kills > 5)) || fail "there were $kills OOMs only"
	records_settle 30 "$kills"
	assert_eq "the records, and those lost" "$RECORDED $LOST" "$kills 0"
	! journal_has "MESSAGE_ID=$MESSAGE_ID_POLICY_INACTIVE" || fail "the policy was off"
	config_is_kept
	printf '%d OOMs while it was upgraded, %d records\n' "$kills" "$RECORDED"
}

daemon_is_another()
{
	local now
	now=$(daemon_pid)
	((now != 0 && now != $1))
}

config_is_kept()
{
	grep -q '^# edited by the administrator$' "$CONFIG" || fail "$CONFIG was changed"
	[[ -e /etc/oompolicy.conf.d/local.conf ]] || fail "the drop-in is gone"
}

# Disabled stays disabled, and stopped stays stopped. The module stays, as a compilation takes minutes.
test_downgrade()
{
	assert_status 0 systemctl disable --now $UNIT
	install_version previous oompolicyd
	assert_eq "the version" "$(installed_version oompolicyd)" "$(upstream previous)"
	module_is_for current
	unit_is disabled inactive
	config_is_kept
}

# The module alone: it stays while a policy needs it.
test_remove()
{
	assert_status 0 systemctl start $UNIT
	apt_run remove oompolicyd-dkms
	assert_match "what it says" "$OUTPUT" 'bpf_oom is in use'
	[[ -e $PINS/link-0 ]] || fail "the policy is gone with the package of the module"
	apt_run remove oompolicyd
	[[ ! -e $PINS ]] || fail "there is $(ls $PINS)"
	[[ ! -e /sys/module/bpf_oom ]] || fail "the module is still loaded"
	! systemctl is-active $UNIT || fail "the daemon still runs"
	config_is_kept
	log_mark
	workload_overrun
	assert_eq "the victim" "$VICTIM" large
}

test_purge()
{
	apt_run purge oompolicyd oompolicyd-dkms
	assert_eq "what is left" "$(files_of_ours)" ""
	[[ ! -e /etc/oompolicy.conf.d ]] || fail "the directory of drop-ins is left"
	assert_eq "what systemd knows" "$(systemctl list-unit-files --no-legend 'oompolicyd*')" ""
	assert_eq "failed units" "$(systemctl list-units --failed --plain --no-legend)" ""
}

plan 6
run_test install test_install
run_test enable test_enable
run_test upgrade test_upgrade
run_test downgrade test_downgrade
run_test remove test_remove
run_test purge test_purge
