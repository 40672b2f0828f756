#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The RPM spec can be read, and has no macro that neither rpm nor the packages it needs for building
# define. Those of systemd and meson are given here, as other systems than RPM's have none of them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
spec=packaging/oompolicyd.spec
status=0

defines=()
for macro in '_unitdir /usr/lib/systemd/system' '_presetdir /usr/lib/systemd/system-preset' \
	'meson meson setup build' 'meson_build meson compile' 'meson_install meson install' \
	'meson_test meson test' 'systemd_requires Requires: systemd' 'systemd_post :' \
	'systemd_preun :' 'systemd_postun_with_restart :' 'dist .test'; do
	defines+=(--define "$macro")
done

if ! text=$(rpmspec -P "${defines[@]}" "$spec" 2>&1); then
	printf '%s\n' "$text"
	exit 1
fi
if grep -i -E '^(warning|error):' <<<"$text"; then
	status=1
fi
# What is left are the names of sections.
sections='package|description|prep|build|install|check|post|preun|postun|posttrans|files|changelog|license|doc'
if grep -n -E '%[{a-z_]' <<<"$text" | grep -v -E "^[0-9]+:%($sections)( |\$)"; then
	echo "$spec: the macros above are not defined"
	status=1
fi
exit $status
