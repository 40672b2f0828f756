#compdef oompolicyctl
# SPDX-License-Identifier: LGPL-2.1-or-later
# Completion of oompolicyctl for zsh(1).

_oompolicyctl_cgroups()
{
	local -a found
	local root=/sys/fs/cgroup
	# Without the quotes that it is typed with.
	found=($root${${(Q)PREFIX}:-/}*(N-/))
	compadd -S '' -f -U -- ${found#$root}
}

_oompolicyctl_commands()
{
	local -a commands=(
		'status:the daemon, and the policies as the kernel has them'
		'tree:cgroups by who dies first'
		'rank:processes by who would die first'
		'explain:which rule holds for a cgroup'
		'list:the OOMs in the journal'
		'info:all about some of them'
		'check:check the configuration'
		'reload:make the daemon reload'
		'declare:declare an OOM'
		'metrics:OpenMetrics text'
	)
	_describe command commands
}

_oompolicyctl_units()
{
	compadd -- ${(f)"$(systemctl list-units --all --plain --no-legend --no-pager --type=service,scope 2>/dev/null | cut -d' ' -f1)"}
}

_oompolicyctl_policies()
{
	compadd -- ${(f)"$(oompolicyctl metrics 2>/dev/null | sed -n 's/^oompolicyd_policy_attached{policy="\([^"]*\)"} .*/\1/p')"}
}

_oompolicyctl_argument()
{
	case $words[1] in
	tree | rank | explain | declare) _oompolicyctl_cgroups ;;
	info) compadd -- ${(f)"$(oompolicyctl list --no-legend --no-pager -n 50 2>/dev/null | cut -d' ' -f1)"} ;;
	check) _files ;;
	esac
}

_arguments -S \
	'(- *)'{-h,--help}'[show a help]' \
	'(- *)--version[show the version]' \
	'--json=[print JSON]:mode:(short pretty off)' \
	'--no-pager[do not start a pager]' \
	'--no-legend[no headings and explanations]' \
	{-a,--all}'[cgroups without processes too]' \
	{-n,--lines=}'[the last that fit]:number:' \
	{-f,--follow}'[go on with new ones]' \
	{-S,--since=}'[not before]:time:(now today yesterday)' \
	{-U,--until=}'[not after]:time:(now today yesterday)' \
	{-u,--unit=}'[victims of this unit]:unit:_oompolicyctl_units' \
	'--policy=[answered by this policy]:policy:_oompolicyctl_policies' \
	{-D,--directory=}'[the journal there]:directory:_files -/' \
	'--yes[do not ask]' \
	'1:command:_oompolicyctl_commands' \
	'*::argument:_oompolicyctl_argument'
