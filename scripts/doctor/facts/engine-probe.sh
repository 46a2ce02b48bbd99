#!/bin/sh
# Prints the state of the machine or VM on which an engine runs, as key=value lines. Changes nothing. Runs in a
# container with --pid=host.
set -u
# The root of a container is on the disk where Docker stores its data.
df -Pk / | { read -r _; read -r _ _ _ free _; echo "disk_free_kilobytes=$free"; }
sed -n 's/^MemAvailable: *\([0-9]*\) kB$/memory_available_kilobytes=\1/p' /proc/meminfo
echo "inotify_instances=$(cat /proc/sys/fs/inotify/max_user_instances)"
echo "inotify_watches=$(cat /proc/sys/fs/inotify/max_user_watches)"
echo "tetragons=$(cat /proc/[0-9]*/comm 2>/dev/null | grep -c '^tetragon$')"
exit 0
