# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# For the guest scripts around oomtest: `. oomtest-lib.bash` comes after lib.sh. Runs tables, keeps
# what the policy is known to have killed in $KILLS, and compares that with the journal.

readonly KILLS=/run/oomtest-kills

# Of the daemon. A group that tests another one sets it before anything else.
: "${BACKEND:=struct_ops}"

oomtest_here()
{
	! is_posted || set -- --posted "$@"
	oomtest --backend="$BACKEND" --group="$TEST_GROUP" --kills="$KILLS" "$@"
}

# config_write_tables: the same configuration for all tables; the names of the cgroups carry the rules.
config_write_tables()
{
	oomtest --backend="$BACKEND" config | config_write
}

# tables_count NEEDS...: of the tables of all these lists, whatever the pattern.
tables_count()
{
	local needs
	for needs; do
		oomtest_here --needs="$needs" list
	done | wc -l
}

# tables NEEDS: one result line a table. A failure is in the line, so the script goes on.
tables()
{
	oomtest_here --needs="$1" --pattern="${OOMPOLICYD_TEST_PATTERN:-}" tables || :
}

# random NEEDS COUNT SEED [OPTION...]: likewise for tables made up from the seed.
random()
{
	local needs=$1 count=$2 seed=$3
	shift 3
	oomtest_here --needs="$needs" --count="$count" --seed="$seed" --pattern="${OOMPOLICYD_TEST_PATTERN:-}" "$@" random || :
}

# records_begin: what is in the journal from here on belongs to the tables. A time and not a cursor:
# journalctl of systemd 252 leaves out the first entry that matches after a cursor.
records_begin()
{
	: >"$KILLS"
	RECORDS_SINCE=@$(date +%s.%6N)
}

# records_kills: "PID PRIORITY POLICY" of each kill that the daemon recorded.
records_kills()
{
	journalctl -q -o export --since="$RECORDS_SINCE" -u oompolicyd.service \
		MESSAGE_ID="$MESSAGE_ID_KILL" \
		--output-fields=OOMPOLICY_VICTIM_PID,OOMPOLICY_EFFECTIVE_PRIORITY,OOMPOLICY_POLICY |
		awk -F= '/^OOMPOLICY_/ { value[$1] = $2 }
			/^$/ {
				print value["OOMPOLICY_VICTIM_PID"], value["OOMPOLICY_EFFECTIVE_PRIORITY"],
					value["OOMPOLICY_POLICY"]
				delete value
			}'
}

# records_members: "member VICTIM PID" of each process that was killed with a victim.
records_members()
{
	journalctl -q -a -o verbose --since="$RECORDS_SINCE" -u oompolicyd.service \
		MESSAGE_ID="$MESSAGE_ID_KILL" \
		--output-fields=OOMPOLICY_VICTIM_PID,OOMPOLICY_MEMBER |
		awk '/^[^ ]/ { entry++ }
			/OOMPOLICY_VICTIM_PID=/ { sub(/.*=/, ""); victim[entry] = $1 }
			/OOMPOLICY_MEMBER=/ { sub(/.*OOMPOLICY_MEMBER=/, ""); $0 = $0 }
			# Of many members several are lines of one field.
			/^ *[0-9]+ [^ ]+ [0-9]+ \// { pid[++n] = $1; of[n] = entry }
			END { for (i = 1; i <= n; i++) print "member", victim[of[i]], pid[i] }'
}

records_complete()
{
	local expected
	expected=$(grep -c '^[0-9]' "$KILLS" || :)
	(($(records_kills | wc -l) >= expected))
}

# test_one_record_a_kill: each kill of the policy has one record with the right priority, and
# there is no record of a kill that did not happen.
test_one_record_a_kill()
{
	local difference
	if [[ ! -s $KILLS ]]; then
		[[ -n ${OOMPOLICYD_TEST_PATTERN:-} ]] || fail "no table ran with the daemon"
		skip "no chosen table ran with the daemon"
	fi
	journalctl --sync
	# The daemon may be a moment behind the kernel. The comparison says what is missing.
	(wait_for 10 "the records" records_complete) || : >"$REASON_FILE"
	difference=$(diff <(grep '^[0-9]' "$KILLS" | sort -n) <(records_kills | sort -n) | grep '^[<>]' | head -n 5 | paste -sd' ') || :
	[[ -z $difference ]] ||
		fail "kills (<) and records (>) as 'pid priority policy' differ: $difference"
}

# test_members_are_recorded: each process that Kill=cgroup killed is named in the record of its
# victim, and nobody else is.
test_members_are_recorded()
{
	local difference
	if ! grep -q '^member' "$KILLS"; then
		[[ -n ${OOMPOLICYD_TEST_PATTERN:-} ]] || fail "no table killed a group"
		skip "no chosen table killed a group"
	fi
	journalctl --sync
	difference=$(diff <(grep '^member' "$KILLS" | sort) <(records_members | sort) | grep '^[<>]' | head -n 5 | paste -sd' ') || :
	[[ -z $difference ]] ||
		fail "kills (<) and records (>) as 'member victim pid' differ: $difference"
}

# test_no_opinion_is_recorded: where the policy left the choice to the kernel, it said so, and what
# the kernel did.
test_no_opinion_is_recorded()
{
	local expected said ids=("MESSAGE_ID=$MESSAGE_ID_KERNEL_KILL" "MESSAGE_ID=$MESSAGE_ID_NOBODY")
	# There the kernel does not tell that it has found nobody.
	! is_posted || ids+=("MESSAGE_ID=$MESSAGE_ID_NO_OPINION")
	expected=$(grep -c '^none' "$KILLS" || :)
	if ((expected == 0)); then
		[[ -n ${OOMPOLICYD_TEST_PATTERN:-} ]] || fail "no table left the choice to the kernel"
		skip "no chosen table left the choice to the kernel"
	fi
	journalctl --sync
	said=$(journalctl -q -o cat --output-fields=OOMPOLICY_SEQ --since="$RECORDS_SINCE" -u oompolicyd.service \
		"${ids[@]}" | wc -l)
	((said >= expected)) || fail "$said records say so, for $expected OOMs"
}

# test_backend_is_in_use: the daemon says so, and what it has attached is of that kind.
test_backend_is_in_use()
{
	local handlers expected=no
	[[ $BACKEND != struct_ops ]] || expected=yes
	assert_match "the status" "$(daemon_status)" "backend $BACKEND(,| |\$)"
	handlers=$(grep -q '^link_type:[[:space:]]*struct_ops' "/proc/$(daemon_pid)/fdinfo/"* && echo yes || echo no)
	assert_eq "whether there are handlers" "$handlers" "$expected"
}
