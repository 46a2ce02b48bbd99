import type { Lab } from './lab.ts'
import type { ImageName } from './lock.ts'

/** Returns the images that a lab runs, in the order to pull them: first those that others wait for. */
export function imagesOf({ settings, source }: Pick<Lab, 'settings' | 'source'>): ImageName[] {
  const { guestbook, loki, pipeline, tetragon, traffic } = settings
  const upstream = guestbook.images === 'upstream'
  const application: (ImageName | false)[] = [
    upstream && 'guestbook-frontend',
    upstream && 'guestbook-redis-follower',
    upstream ? 'guestbook-redis-leader' : 'redis',
  ]
  const names: (ImageName | false)[] = [
    'loki',
    loki.caches.chunksMB + loki.caches.resultsMB > 0 && 'memcached',
    'prometheus-operator',
    'prometheus-config-reloader',
    'prometheus',
    'grafana',
    source === 'live' && 'tetragon',
    source === 'live' && 'tetragon-operator',
    source === 'live' && 'tetragon-export-stdout',
    source === 'live' && tetragon.runtimeHooks && 'tetragon-rthooks',
    // Runs the frontends, the replay, and the jobs that check the object storage and clean up the nodes.
    'node',
    ...(guestbook.enabled ? application : []),
    pipeline.shipper === 'otel' ? 'otel-collector' : 'fluent-bit',
    guestbook.enabled && traffic.enabled && 'k6',
    'kube-state-metrics',
    'node-exporter',
  ]
  return names.filter(name => name !== false)
}
