#!/bin/sh
# What the pod `visitor` does: now and then it behaves like someone who got in, for the policies to notice. It reads files it has no
# business with, starts a shell from a shell, and fetches something. It changes nothing and shows nobody what it read.
#
#   VISIT_EVERY    seconds between two visits (60); 0 makes none and only waits, for visits by hand
#   GUESTBOOK_URL  what is fetched (http://frontend/)
#
# A step that is refused or killed (by an enforcing policy) is not the end: the next one follows.
every=${VISIT_EVERY:-60}
guestbook=${GUESTBOOK_URL:-http://frontend/}

case $every in
'' | *[!0-9]*)
  echo "visitor: VISIT_EVERY is '$every', not a whole number of seconds" >&2
  exit 2
  ;;
esac

# The first process of a container is not ended by a signal that it does not handle; `wait` lets it be handled at once.
trap 'exit 0' TERM INT
pause() {
  sleep "$1" &
  wait $!
}

# Opens a file and reads it to its end; what is in it goes nowhere.
read_file() {
  if cat "$1" >/dev/null 2>&1; then echo "visitor: read $1"; else echo "visitor: could not read $1"; fi
}

fetch() {
  if command -v curl >/dev/null; then
    curl -s -m 20 -o /dev/null "$1"
  elif command -v wget >/dev/null; then
    wget -q -T 20 -O /dev/null "$1"
  else
    echo 'visitor: neither curl nor wget is here'
    return 0
  fi || echo "visitor: could not fetch $1"
}

visit() {
  read_file /etc/passwd
  read_file /run/secrets/kubernetes.io/serviceaccount/token
  read_file /etc/shadow
  sh -c 'ls /root >/dev/null 2>&1; exit 0'
  fetch "$guestbook"
}

if [ "$every" -eq 0 ]; then
  echo 'visitor: idle'
  while :; do pause 3600; done
fi
while :; do
  visit
  pause "$every"
done
