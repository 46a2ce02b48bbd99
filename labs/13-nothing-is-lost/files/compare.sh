#!/usr/bin/env bash
# Prints how many events of the last minutes are in the file on the node and in Loki, by event time.
#
# Run it in the folder of the lab: bash work/13-nothing-is-lost/compare.sh
set -euo pipefail
# Uses the lab's kubectl and cluster, whatever this terminal is set to.
environment=$(./lab env)
eval "$environment"

agent=$(kubectl -n monitoring get daemonsets -o name | grep -E '/tetragon(-replay)?$')
# The agent's first container, export-stdout, has no commands but sh and tail.
case $agent in */tetragon) container=tetragon ;; *) container=replay ;; esac
# Uses the clock of the node, as the events do. Counts a minute 15 s after its end, so that late events are included.
# shellcheck disable=SC2016 # the shell in the container expands these
text=$(kubectl -n monitoring exec "$agent" -c "$container" -- sh -c '
  now=$(date +%s); last=$(( (now - 15) / 60 * 60 ))
  for minute in 4 3 2 1; do
    from=$(( last - minute * 60 ))
    stamp=$(date -u -d "@$from" +%Y-%m-%dT%H:%M)
    echo "$from ${stamp#*T} $(cat /var/log/tetragon/tetragon*.log | grep -c "\"time\":\"$stamp:")"
  done')
missing=0 total=0
printf '%-8s%8s%8s\n' minute file Loki
while read -r from minute file; do
  query='sum(count_over_time(%7Bservice_name%3D%22tetragon%22%7D%5B60s%5D))'
  # One nanosecond before the next minute, because a range includes its end but not its start.
  answer=$(kubectl get --raw "/api/v1/namespaces/monitoring/services/loki:3100/proxy/loki/api/v1/query?query=$query&time=$(( from + 59 ))999999999")
  loki=$(sed -nE 's/.*"value":\[[^,]*,"([0-9]+)"\].*/\1/p' <<<"$answer")
  printf '%-8s%8s%8s\n' "$minute" "$file" "${loki:=0}"
  total=$(( total + file ))
  if [ "$loki" -lt "$file" ]; then missing=$(( missing + file - loki )); fi
done <<<"$text"
if [ "$total" -eq 0 ]; then
  echo 'the file holds no events of these minutes'
elif [ "$missing" -gt 0 ]; then
  echo "$missing are missing"
else
  echo 'nothing is missing'
fi
