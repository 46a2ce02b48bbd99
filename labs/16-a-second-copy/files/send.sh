#!/usr/bin/env bash
# Sends a second copy of the events to the test SIEM. The second shipper has the configuration of the lab's shipper,
# except for the destination.
#
# Run it in the folder of the lab: bash work/16-a-second-copy/send.sh
set -euo pipefail
# Uses the lab's kubectl and cluster, whatever this terminal is set to.
environment=$(./lab env)
eval "$environment"

image=$(kubectl -n monitoring get daemonset opentelemetry-collector-agent -o jsonpath='{.spec.template.spec.containers[0].image}')
relay=$(kubectl -n monitoring get configmap opentelemetry-collector-agent -o jsonpath='{.data.relay}' |
  sed -e 's#endpoint: http://loki\.[^ ]*#endpoint: http://siem.siem.svc:4318#' -e 's#start_at: beginning#start_at: end#')
kubectl create configmap second-shipper --namespace siem --from-literal "relay.yaml=$relay" --dry-run=client -o yaml | kubectl apply -f -
sed "s#IMAGE#$image#" "$(dirname "$0")/siem.yaml" | kubectl apply -f -
