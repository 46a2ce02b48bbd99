import { type AlertGroup, rule } from './alerts.ts'

/** Alerts of a cluster with several nodes: on one node, those of alerts.ts say the same. */
export const clusterAlertGroup: AlertGroup = {
  name: 'cluster',
  rules: [
    rule(
      'TetragonMissingOnNode',
      'critical',
      'sum by (node) (kube_node_info) unless on (node) (up{job="tetragon"} == 1)',
      {
        for: '10m',
        summary: 'Prometheus gets no metrics from Tetragon on {{ $labels.node }}',
        description:
          'No agent on this node has answered for 10 minutes. What happens there may be neither seen nor blocked.',
      },
    ),
    rule(
      'ReplicasMissing',
      'warning',
      'sum by (statefulset) (kube_statefulset_replicas{namespace="monitoring"} - kube_statefulset_status_replicas_ready) > 0',
      {
        for: '15m',
        summary: '{{ $labels.statefulset }} lacks {{ $value }} of its replicas',
        description:
          'It still works, but may stop when one more node fails. The others also have more work until the replica is back.',
      },
    ),
    rule(
      'NodePodsMissing',
      'warning',
      'sum by (daemonset) (kube_daemonset_status_number_unavailable{namespace="monitoring"}) > 0',
      {
        for: '15m',
        summary: '{{ $labels.daemonset }} does not run on {{ $value }} nodes',
        description: 'Where the shipper is missing, events wait in the files of the node until those rotate away.',
      },
    ),
    rule(
      'GatewayQueueFills',
      'warning',
      'max by (pod) (otelcol_exporter_queue_size{job="opentelemetry-collector-gateway"} / otelcol_exporter_queue_capacity) > 0.5',
      {
        for: '5m',
        summary: 'The queue of {{ $labels.pod }} is {{ $value | humanizePercentage }} full',
        description:
          'Loki accepts events more slowly than they arrive. When the queue is full, the shippers wait, and the rest stays in the files of the nodes until those rotate away.',
      },
    ),
  ],
}
