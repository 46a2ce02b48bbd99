import type { ImageName } from '../../../shared/lock.ts'

/** About how big an image is, in MB. */
interface Size {
  /** As it comes over the network. */
  packed: number
  /** As it lies on a disk. */
  unpacked: number
}

/**
 * What images of these names weigh, on amd64, rounded up: enough to say whether they will fit, and how long a slow line takes. A lock with
 * other versions changes little of it.
 */
const sizes: Record<ImageName | 'node image', Size> = {
  'node image': { packed: 400, unpacked: 1100 },
  tetragon: { packed: 90, unpacked: 300 },
  'tetragon-operator': { packed: 25, unpacked: 80 },
  'tetragon-export-stdout': { packed: 5, unpacked: 15 },
  'tetragon-rthooks': { packed: 30, unpacked: 90 },
  prometheus: { packed: 110, unpacked: 350 },
  'prometheus-operator': { packed: 30, unpacked: 90 },
  'prometheus-config-reloader': { packed: 20, unpacked: 60 },
  'kube-state-metrics': { packed: 20, unpacked: 60 },
  'node-exporter': { packed: 15, unpacked: 40 },
  loki: { packed: 45, unpacked: 150 },
  grafana: { packed: 220, unpacked: 800 },
  'otel-collector': { packed: 90, unpacked: 350 },
  'fluent-bit': { packed: 40, unpacked: 120 },
  node: { packed: 60, unpacked: 180 },
  redis: { packed: 20, unpacked: 60 },
  k6: { packed: 35, unpacked: 120 },
  'guestbook-frontend': { packed: 320, unpacked: 900 },
  'guestbook-redis-follower': { packed: 40, unpacked: 130 },
}

/** About how many bytes an image has. */
export const imageBytes = (name: ImageName | 'node image'): { packed: number; unpacked: number } => ({
  packed: sizes[name].packed * 1e6,
  unpacked: sizes[name].unpacked * 1e6,
})
