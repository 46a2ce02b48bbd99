#!/bin/sh
# What changes from day to day in the machine that an engine runs in, as key=value lines. Reads only; for a container with --pid=host.
set -u
echo "disk_free_kilobytes=$(df -Pk / | awk 'NR == 2 { print $4 }')"
echo "memory_available_kilobytes=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)"
echo "inotify_instances=$(cat /proc/sys/fs/inotify/max_user_instances)"
echo "inotify_watches=$(cat /proc/sys/fs/inotify/max_user_watches)"
echo "tetragons=$(cat /proc/[0-9]*/comm 2>/dev/null | grep -c '^tetragon$')"
exit 0
