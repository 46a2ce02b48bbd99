#!/bin/sh
# Prints the names in this kernel that policies can hook, for `lab policy lint --kernel`. Changes nothing on the machine.
# `lab policy symbols` runs it with scripts/kernel/probe.sh after it, whose lines are the last section.
#
# The format: a first line with a version, then sections. A section is a line `[name]` and one name per line, or the
# line `unknown: REASON` where this user cannot see the names.
set -u

echo '# Kernel names for lab policy lint --kernel, format 1'

echo '[syscalls]'
# Without compiler variants (name.isra.0), which BTF does not list, and stubs that no policy hooks.
names=$(sed -nE 's/^[0-9a-f]+ [tTwW] ([A-Za-z_][A-Za-z0-9_]*)([[:space:]].*)?$/\1/p' /proc/kallsyms 2>/dev/null |
  grep -vE '^__(pfx|cfi|SCT__|SCK__|probestub|traceiter|bpf_trace|event)_' | LC_ALL=C sort -u)
syscall='^__(x64|arm64|riscv|s390x)_sys_'
unknown='unknown: /proc/kallsyms lists no functions'
if [ -n "$names" ]; then printf '%s\n' "$names" | sed -nE "s/$syscall//p"; else echo "$unknown"; fi

echo '[lsm]'
if [ -n "$names" ]; then printf '%s\n' "$names" | sed -n 's/^bpf_lsm_//p'; else echo "$unknown"; fi

echo '[functions]'
if [ -n "$names" ]; then printf '%s\n' "$names" | grep -vE "$syscall|^bpf_lsm_"; else echo "$unknown"; fi

echo '[tracepoints]'
for folder in /sys/kernel/tracing /sys/kernel/debug/tracing; do
  [ -r "$folder/available_events" ] && break
done
if [ -r "$folder/available_events" ]; then tr : / < "$folder/available_events" | LC_ALL=C sort -u
elif grep -qs ' tracefs ' /proc/mounts; then echo 'unknown: only root can read /sys/kernel/tracing/available_events'
else echo 'unknown: tracefs is not mounted at /sys/kernel/tracing'; fi

echo '[probe]'
