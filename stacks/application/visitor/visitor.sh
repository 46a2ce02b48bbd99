#!/bin/sh
# The program of the Pod `visitor`. It behaves like an intruder, so that the policies report it: it reads files that it
# should not read, lists a home folder and makes a request, each in a shell. It changes nothing and prints nothing of
# what it read.
#
#   VISIT_EVERY    seconds between two visits (60); 0 makes no visits, so that you can make them yourself
#   GUESTBOOK_URL  address of the request (http://frontend/)
#
# If an enforcing policy refuses or kills a step, the next one follows anyway.
every=${VISIT_EVERY:-60}
guestbook=${GUESTBOOK_URL:-http://frontend/}

case $every in
'' | *[!0-9]*)
  echo "visitor: VISIT_EVERY must be a whole number of seconds, not '$every'" >&2
  exit 2
  ;;
esac

# The first process of a container ignores signals that it does not handle. During `wait`, the trap runs at once.
trap 'exit 0' TERM INT
pause() {
  sleep "$1" &
  wait $!
}

# Runs a step in its own shell, as `kubectl exec … -- sh -c '…'` does, so that Tetragon has seen the parent start. The
# shell of this script can be older than the agent, which would then report it as /bin/busybox. The step is not the last
# command, because a shell may exec its last command instead of forking.
step() {
  sh -c "$1; exit \$?"
}

# Reads a file and discards its content.
read_file() {
  if step "cat $1 >/dev/null 2>&1"; then echo "visitor: read $1"; else echo "visitor: could not read $1"; fi
}

fetch() {
  if command -v curl >/dev/null; then
    step "curl -s -m 20 -o /dev/null $1"
  elif command -v wget >/dev/null; then
    step "wget -q -T 20 -O /dev/null $1"
  else
    echo 'visitor: neither curl nor wget is installed'
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
