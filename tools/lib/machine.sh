# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2153 # variables are shared with those who source this
#
# Test machines under QEMU: starts one, and saves one that has booted so that many jobs go on from the
# same moment, each in a machine of its own that nobody has used before.
#
# A machine has two disks: the system, and the job, a tar archive that tests/vm/guest/run unpacks.
# Its kernel's log and the output of the job are files in a directory for logs, as is what QEMU says.

# A machine that goes on from a saved one has to have disks of the same sizes.
MACHINE_JOB_SIZE=4M

# The process of the machine that runs, if one does.
MACHINE_PID=''

# machine_define KERNEL_FILES SYSTEM_DISK MEMORY_MIB CPUS COMMAND_LINE [CLOCK]: what the functions below
# start. With the clock `instructions` time goes by these, and jumps while the machine is idle.
machine_define()
{
	MACHINE_KERNEL=$1 MACHINE_DISK=$2 MACHINE_MEMORY=$3 MACHINE_CPUS=$4 MACHINE_APPEND=$5 MACHINE_CLOCK=${6:-}
	MACHINE_ROOT=$(root_find "$TOOL_ROOT")
}

# machine_job DIRECTORY FILE: writes the disk with a job.
machine_job()
{
	tar -C "$1" --owner=0 --group=0 --numeric-owner -cf "$2" .
	truncate -s "%$MACHINE_JOB_SIZE" "$2"
	[[ $(stat -c %s "$2") -eq $(numfmt --from=iec "$MACHINE_JOB_SIZE") ]] ||
		die 1 "the job in $1 is larger than $MACHINE_JOB_SIZE"
}

# machine_start LOGS TIMEOUT JOB SYSTEM_DISK snapshot=on|off [QEMU_ARGUMENT...]: leaves in MACHINE_PID the
# process, whose standard input is that of this function. With snapshot=on what is written to the
# system's disk is thrown away. LOGS/kernel is written on at its end.
machine_start()
{
	local logs=$1 timeout=$2 job=$3 disk=$4 snapshot=$5 arguments accelerator
	shift 5
	case $MACHINE_CLOCK in
	instructions) accelerator=(-accel 'tcg,thread=single' -icount 'shift=1,sleep=off') ;;
	*) accelerator=(-accel 'tcg,thread=multi') ;;
	esac
	# no_timer_check: on a busy host the kernel's own check of its timer fails, and it panics.
	# erms, fsrm: where the processor says that it is good at moving single bytes, the kernel clears
	# and copies memory so, which is the slowest way under emulation.
	# shellcheck disable=SC2054 # the commas are qemu's
	arguments=(
		-nodefaults -no-user-config -no-reboot -display none
		-machine pc "${accelerator[@]}" -cpu max,la57=off,erms=off,fsrm=off
		-smp "$MACHINE_CPUS" -m "$MACHINE_MEMORY"
		-kernel "$MACHINE_KERNEL/vmlinuz" -initrd "$MACHINE_KERNEL/initramfs.cpio"
		-append "console=ttyS0 loglevel=7 ignore_loglevel printk.devkmsg=on panic=-1 oops=panic no_timer_check systemd.unit=vm-run.target systemd.log_level=notice $MACHINE_APPEND"
		-drive "if=virtio,format=raw,$snapshot,cache=unsafe,file=$disk"
		-drive "if=virtio,format=raw,snapshot=on,cache=unsafe,file=$job"
		-chardev "file,id=kernel,path=$logs/kernel,append=on" -serial chardev:kernel
		-serial "file:$logs/output"
	)
	ROOT_BINDS=("$logs" "$(dirname "$job")" "$(dirname "$disk")")
	ROOT_ENVIRONMENT=("TMPDIR=$logs")
	# Nothing outlives its parent, however that ends.
	root_become "$MACHINE_ROOT" setpriv --pdeathsig TERM timeout -k 5 "$timeout" setpriv --pdeathsig KILL \
		qemu-system-x86_64 "${arguments[@]}" "$@" >"$logs/qemu" 2>&1 <&0 &
	MACHINE_PID=$!
	ROOT_BINDS=() ROOT_ENVIRONMENT=()
}

# machine_resume LOGS TIMEOUT JOB: as machine_start, from the machine that machine_save() has saved.
machine_resume()
{
	cp "$MACHINE_SAVED/kernel" "$1/kernel"
	machine_start "$1" "$2" "$3" "$MACHINE_SAVED/disk" snapshot=on -incoming "file:$MACHINE_SAVED/memory" \
		</dev/null
}

# machine_save TIMEOUT: leaves in MACHINE_SAVED the directory of this machine at the moment when it has
# booted and waits for its job, which is booted and saved first if there is none.
machine_save()
{
	local kind key
	kind=${MACHINE_DISK%.img}-$(digest_words "$MACHINE_MEMORY" "$MACHINE_CPUS" "$MACHINE_APPEND" "$MACHINE_CLOCK")
	key=$(digest_words "$MACHINE_ROOT" "$MACHINE_KERNEL" "$(<"$MACHINE_DISK.digest")" "$MACHINE_JOB_SIZE" \
		"$(declare -f machine_start)")
	MACHINE_SAVED=$kind-$key.booted
	with_lock "$kind.lock" machine_boot "$kind" "$1"
}

# machine_boot KIND TIMEOUT: others of this kind are out of date.
machine_boot()
{
	local new=$1.new monitor
	[[ ! -e $MACHINE_SAVED/complete ]] || return 0
	rm -rf "$new" "$1"-*.booted
	mkdir -p "$new"
	cp --sparse=always "$MACHINE_DISK" "$new/disk"
	truncate -s "$MACHINE_JOB_SIZE" "$new/job"
	mkfifo "$new/monitor"
	exec {monitor}<>"$new/monitor"
	machine_start "$new" "$2" "$new/job" "$new/disk" snapshot=off -monitor stdio <&"$monitor"
	until grep -q -s -x 'vm-ready' "$new/output"; do
		kill -0 "$MACHINE_PID" 2>/dev/null || break
		sleep 0.1
	done
	printf '%s\n' 'migrate_set_parameter max-bandwidth 100G' "migrate file:$new/memory" \
		'info migrate' quit >&"$monitor"
	wait "$MACHINE_PID" || :
	MACHINE_PID=''
	exec {monitor}>&-
	if ! "$TOP/tests/vm/kernel-log" "$new/kernel" >"$new/faults"; then
		say "the kernel's log is not clean:"
		cat "$new/faults" >&2
		die 125 "the machine that others go on from is not saved"
	fi
	if ! grep -q 'tatus: *completed' "$new/qemu"; then
		tail -n 20 "$new/qemu" "$new/output" "$new/kernel" >&2
		die 125 "the machine that others go on from could not be booted and saved"
	fi
	rm "$new/job" "$new/monitor"
	touch "$new/complete"
	mv -T "$new" "$MACHINE_SAVED"
}
