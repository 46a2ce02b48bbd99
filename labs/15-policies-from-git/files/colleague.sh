#!/usr/bin/env bash
# A colleague who wants to see curl, just for a minute, and edits the cluster.
set -euo pipefail
kubectl -n shop patch tracingpoliciesnamespaced observe-wget --type json --patch '[
  { "op": "replace", "path": "/spec/kprobes/0/selectors/0/matchArgs/0/values/0", "value": "/curl" },
  { "op": "replace", "path": "/spec/kprobes/0/selectors/1/matchArgs/0/values/0", "value": "/curl" }
]'
