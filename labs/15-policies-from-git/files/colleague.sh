#!/usr/bin/env bash
# A colleague wants to watch curl for a minute, and edits the policy in the cluster.
#
# Run it in the folder of the lab: bash work/15-policies-from-git/colleague.sh
set -euo pipefail
./lab kubectl -n shop patch tracingpoliciesnamespaced observe-wget --type json --patch '[
  { "op": "replace", "path": "/spec/kprobes/0/selectors/0/matchArgs/0/values/0", "value": "/curl" },
  { "op": "replace", "path": "/spec/kprobes/0/selectors/1/matchArgs/0/values/0", "value": "/curl" }
]'
