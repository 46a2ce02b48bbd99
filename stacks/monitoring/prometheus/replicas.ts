import { releases } from '../../../shared/names.ts'
import type { Settings } from '../../../shared/settings/schema.ts'
import { priorityClass, topologySpread } from '../../availability.ts'
import type { Values } from '../../release.ts'

/** Labels that the operator gives to the pods. */
const labels = {
  'app.kubernetes.io/name': 'prometheus',
  'operator.prometheus.io/name': `${releases.prometheus}-prometheus`,
}

/**
 * Returns what several Prometheus servers, or one with a volume, have more than the laptop's: the values of their
 * Service, of their disruption budget, and of their specification.
 */
export function prometheusReplicas(settings: Settings): Record<'service' | 'budget' | 'spec', Values> {
  const { replicas, replicaLabel } = settings.prometheus
  const own = { ...volume(settings), ...priorityClass(settings, 'storage') }
  if (replicas === 1) return { service: {}, budget: {}, spec: own }
  return {
    // Each scrapes at its own moments. A dashboard whose queries went to both would show counters that go back.
    service: { sessionAffinity: 'ClientIP' },
    // All but one may be down on purpose.
    budget: { podDisruptionBudget: { enabled: true } },
    spec: {
      ...own,
      replicas,
      replicaExternalLabelName: replicaLabel,
      topologySpreadConstraints: topologySpread(settings, labels),
    },
  }
}

function volume({ prometheus, cluster }: Settings): Values {
  if (prometheus.storage === '') return {}
  const storageClass = cluster.storageClass === '' ? {} : { storageClassName: cluster.storageClass }
  const resources = { requests: { storage: prometheus.storage } }
  return { storageSpec: { volumeClaimTemplate: { spec: { ...storageClass, resources } } } }
}
