#!/usr/bin/env bash
# A colleague who wants to see curl, just for a minute, and edits the cluster.
#
# Run it from the lab's folder: bash work/15-policies-from-git/colleague.sh
set -euo pipefail
./lab kubectl -n shop patch tracingpoliciesnamespaced observe-wget --type json --patch '[
  { "op": "replace", "path": "/spec/kprobes/0/selectors/0/matchArgs/0/values/0", "value": "/curl" },
  { "op": "replace", "path": "/spec/kprobes/0/selectors/1/matchArgs/0/values/0", "value": "/curl" }
]'
