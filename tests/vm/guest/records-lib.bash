# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # the variables are for those who source this
#
# For guest scripts that compare what was killed with what was recorded; after lib.sh.

# records MESSAGE_ID FIELD...: a line for each record, '-' where it has no such field.
records()
{
	local id=$1 fields
	shift
	fields=$*
	journalctl --sync
	journalctl -q -o json --since="$LOG_SINCE" "--output-fields=${fields// /,}" "MESSAGE_ID=$id" |
		awk -v fields="$fields" '{
			line = ""
			n = split(fields, name, " ")
			for (i = 1; i <= n; i++) {
				value = "-"
				if (match($0, "\"" name[i] "\":\"[^\"]*\"")) {
					skip = length(name[i]) + 4
					value = substr($0, RSTART + skip, RLENGTH - skip - 1)
				}
				line = line (i > 1 ? " " : "") value
			}
			print line
		}'
}

records_count()
{
	records "$1" MESSAGE_ID | wc -l
}

records_are()
{
	(($(records_count "$MESSAGE_ID_KILL") == $1))
}

# The sum of a column.
sum()
{
	awk '{ n += $1 } END { print n + 0 }'
}

# records_account KILLS: whether each of so many kills has a record, or is among those that the
# records say were lost. Leaves "seq lost victim's-cgroup domain priority pid" of each in
# /run/records, and the sums in RECORDED and LOST.
records_account()
{
	records "$MESSAGE_ID_KILL" OOMPOLICY_SEQ OOMPOLICY_LOST OOMPOLICY_VICTIM_CGROUP \
		OOMPOLICY_DOMAIN OOMPOLICY_EFFECTIVE_PRIORITY OOMPOLICY_VICTIM_PID >/run/records
	RECORDED=$(wc -l </run/records)
	LOST=$(cut -d ' ' -f 2 /run/records | sum)
	((RECORDED + LOST == $1))
}

# records_settle SECONDS KILLS: until they do, or the time is up, and then what is missing is printed.
records_settle()
{
	local end=$((SECONDS + $1))
	until records_account "$2"; do
		if ((SECONDS >= end)); then
			awk 'NR == 1 { print "the first record is", $1 }
				NR > 1 && $1 != last + $2 + 1 { print "a gap between", last, "and", $1 }
				{ last = $1 }
				END { print "the last record is", last + 0 }' /run/records
			journalctl --disk-usage
			return
		fi
		sleep 0.5
	done
}

# storm_setup: for more OOMs than the machine's logs are made for. The reports would have the journal
# drop what the tests look for; and the emulated console is slow, and whoever writes to it keeps its
# processor meanwhile. Warnings still get there, for the host to judge. STORM_KILLS is how many
# records there are if they are thousands.
storm_setup()
{
	# A record is some 6 KiB in the journal, with the entry that the memory is back; half of a file
	# may be empty.
	local mib=$((150 + ${STORM_KILLS:-0} / 80))
	# By a name that comes after that of the image's own.
	mount -o remount,size=$((mib + 50))M /run
	mkdir -p /run/systemd/journald.conf.d
	printf '[Journal]\nReadKMsg=no\nRuntimeMaxUse=%dM\nRuntimeKeepFree=1M\n' $mib \
		>/run/systemd/journald.conf.d/zz-storm.conf
	systemctl restart systemd-journald.service
	sysctl -q vm.oom_dump_tasks=0
	echo N >/sys/module/printk/parameters/ignore_loglevel
	dmesg -n 5
}
