#!/usr/bin/env bash
# A colleague wants to watch curl instead of wget, and commits that. Then the pipeline applies it.
#
# Run it in the folder of the lab: bash work/15-policies-from-git/release.sh
set -euo pipefail
repo=$(dirname "$0")/policies
sed -i.bak 's#values: \[/wget\]#values: [/curl]#' "$repo/observe-wget.yaml"
rm "$repo/observe-wget.yaml.bak"
git -C "$repo" -c user.name=Bob -c user.email=bob@example.com commit --quiet --all --message 'Watch curl'
git -C "$repo" log --oneline
./lab kubectl apply -k "$repo"
