#!/bin/sh
# What changes from day to day in the machine that an engine runs in, as key=value lines. Reads only; for a container with --pid=host.
set -u
# A container's root lies on the disk that Docker keeps its data on
df -Pk / | { read -r _; read -r _ _ _ free _; echo "disk_free_kilobytes=$free"; }
sed -n 's/^MemAvailable: *\([0-9]*\) kB$/memory_available_kilobytes=\1/p' /proc/meminfo
echo "inotify_instances=$(cat /proc/sys/fs/inotify/max_user_instances)"
echo "inotify_watches=$(cat /proc/sys/fs/inotify/max_user_watches)"
echo "tetragons=$(cat /proc/[0-9]*/comm 2>/dev/null | grep -c '^tetragon$')"
exit 0
