import { releases } from '../../../shared/names.ts'
import type { Settings } from '../../../shared/settings/schema.ts'
import { maxUnavailable, topologySpread } from '../../availability.ts'
import type { GrafanaPart } from './part.ts'

/** Port through which replicas tell each other which notifications they have sent. */
export const gossipPort = 9094

const labels = { 'app.kubernetes.io/name': 'grafana', 'app.kubernetes.io/instance': releases.grafana }

/** Returns the part of Grafana that one and several replicas do not have in common. */
export function replicasPart(settings: Settings): GrafanaPart {
  const { replicas } = settings.grafana
  // Two replicas cannot write to one file.
  if (replicas === 1) return { values: { deploymentStrategy: { type: 'Recreate' } } }
  const listen = `\${POD_IP}:${gossipPort}`
  return {
    // All of them evaluate the alerts, and one sends each notification.
    ini: {
      unified_alerting: {
        ha_listen_address: listen,
        ha_advertise_address: listen,
        ha_peers: `${releases.grafana}-headless:${gossipPort}`,
      },
    },
    values: {
      replicas,
      headlessService: true,
      deploymentStrategy: { type: 'RollingUpdate' },
      podDisruptionBudget: { maxUnavailable },
      topologySpreadConstraints: topologySpread(settings, labels),
    },
  }
}
