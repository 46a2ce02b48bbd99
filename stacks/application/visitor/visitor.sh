#!/bin/sh
# What the pod `visitor` does: now and then it behaves like someone who got in, for the policies to notice. It reads files it has no
# business with, looks into a home folder, and fetches something, each by a shell. It changes nothing and shows nobody what it read.
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

# Each step is told to a shell of its own, as by `kubectl exec … -- sh -c '…'`: so its parent is a shell that was seen to start, in an image of any
# kind. (The shell of this script may be older than the agent, which then names it by its file: /bin/busybox.) The step is not the last command,
# since a shell may turn into its last command rather than start it.
step() {
  sh -c "$1; exit \$?"
}

# Opens a file and reads it to its end; what is in it goes nowhere.
read_file() {
  if step "cat $1 >/dev/null 2>&1"; then echo "visitor: read $1"; else echo "visitor: could not read $1"; fi
}

fetch() {
  if command -v curl >/dev/null; then
    step "curl -s -m 20 -o /dev/null $1"
  elif command -v wget >/dev/null; then
    step "wget -q -T 20 -O /dev/null $1"
  else
    echo 'visitor: neither curl nor wget is here'
    return 0
  fi || echo "visitor: could not fetch $1"
}

visit() {
  read_file /etc/passwd
  read_file /run/secrets/kubernetes.io/serviceaccount/token
  read_file /etc/shadow
  step 'ls /root >/dev/null 2>&1' || :
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
