# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Completion of oompolicyctl for bash(1).

# The cgroups one component below what is typed.
_oompolicyctl_cgroups()
{
	local root=/sys/fs/cgroup path
	while IFS= read -r path; do
		COMPREPLY+=("${path#"$root"}")
	done < <(compgen -d -- "$root${1:-/}")
	# Another component may follow.
	compopt -o nospace -o filenames 2>/dev/null
}

# The lines of standard input that begin with what is typed. Not compgen -W, which would expand what
# is in them.
_oompolicyctl_lines()
{
	local line
	while IFS= read -r line; do
		printf -v line '%q' "$line"
		[[ $line != "$1"* ]] || COMPREPLY+=("$line")
	done
}

_oompolicyctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} word command=''
	local commands='status tree rank explain list info check reload declare metrics'
	local options='--help --version --json= --no-pager --no-legend --all --lines= --follow
		--since= --until= --unit= --policy= --directory= --yes'
	COMPREPLY=()

	# bash splits --option=value at the sign.
	if [[ $cur == '=' ]]; then
		cur='' word=$prev
	elif [[ $prev == '=' ]]; then
		word=${COMP_WORDS[COMP_CWORD - 2]}
	else
		word=$prev
	fi
	case $word in
	--json)
		mapfile -t COMPREPLY < <(compgen -W 'short pretty off' -- "$cur")
		return
		;;
	--unit | -u)
		_oompolicyctl_lines "$cur" < <(systemctl list-units --all --plain --no-legend \
			--no-pager --type=service,scope 2>/dev/null | cut -d' ' -f1)
		return
		;;
	--policy)
		_oompolicyctl_lines "$cur" < <(oompolicyctl metrics 2>/dev/null |
			sed -n 's/^oompolicyd_policy_attached{policy="\([^"]*\)"} .*/\1/p')
		return
		;;
	--directory | -D)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		compopt -o filenames 2>/dev/null
		return
		;;
	--since | --until | -S | -U)
		mapfile -t COMPREPLY < <(compgen -W 'now today yesterday' -- "$cur")
		return
		;;
	--lines | -n) return ;;
	esac

	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		if [[ " $commands " == *" $word "* ]]; then
			command=$word
			break
		fi
	done
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
		[[ ${COMPREPLY[*]-} != *= ]] || compopt -o nospace 2>/dev/null
		return
	fi
	case $command in
	'') mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur") ;;
	tree | rank | explain | declare) _oompolicyctl_cgroups "$cur" ;;
	info)
		_oompolicyctl_lines "$cur" < <(oompolicyctl list --no-legend --no-pager -n 50 \
			2>/dev/null | cut -d' ' -f1)
		;;
	check)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames 2>/dev/null
		;;
	esac
}

complete -F _oompolicyctl oompolicyctl
