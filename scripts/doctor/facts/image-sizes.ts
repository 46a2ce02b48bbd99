import type { ImageName } from '../../../shared/lock.ts'

/** Approximate size of an image, in MB. */
interface Size {
  download: number
  disk: number
}

/**
 * The sizes on amd64, rounded up: enough to say whether the images fit, and how long a slow connection takes. Other
 * versions differ little.
 */
const sizes: Record<ImageName | 'node image', Size> = {
  'node image': { download: 400, disk: 1100 },
  tetragon: { download: 90, disk: 300 },
  'tetragon-operator': { download: 25, disk: 80 },
  'tetragon-export-stdout': { download: 5, disk: 15 },
  'tetragon-rthooks': { download: 30, disk: 90 },
  prometheus: { download: 110, disk: 350 },
  'prometheus-operator': { download: 30, disk: 90 },
  'prometheus-config-reloader': { download: 20, disk: 60 },
  'kube-state-metrics': { download: 20, disk: 60 },
  'node-exporter': { download: 15, disk: 40 },
  loki: { download: 45, disk: 150 },
  memcached: { download: 10, disk: 30 },
  grafana: { download: 220, disk: 800 },
  'otel-collector': { download: 90, disk: 350 },
  'fluent-bit': { download: 40, disk: 120 },
  node: { download: 60, disk: 180 },
  redis: { download: 20, disk: 60 },
  k6: { download: 35, disk: 120 },
  'guestbook-frontend': { download: 320, disk: 900 },
  'guestbook-redis-leader': { download: 15, disk: 50 },
  'guestbook-redis-follower': { download: 40, disk: 130 },
}

/** Returns the approximate size of an image. */
export const imageSize = (name: ImageName | 'node image'): { downloadBytes: number; diskBytes: number } => ({
  downloadBytes: sizes[name].download * 1e6,
  diskBytes: sizes[name].disk * 1e6,
})
