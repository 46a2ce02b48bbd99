#!/bin/sh
# Runs once, when the container is created: downloads what the lab needs, so that the first `./lab up` is fast.
set -eu
cd "$(dirname "$0")/.."

# Docker starts together with the container.
tries=60
until docker info > /dev/null 2>&1; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || break
  sleep 1
done

./lab prefetch
./lab doctor
