import type { Lab } from './lab.ts'
import type { ImageName } from './lock.ts'

/** Returns the images that a lab runs, in the order to pull them: first those that others wait for. */
export function imagesOf({ settings, source }: Pick<Lab, 'settings' | 'source'>): ImageName[] {
  const upstream = settings.guestbook.images === 'upstream'
  const names: (ImageName | false)[] = [
    'loki',
    (settings.loki.caches.chunksMB > 0 || settings.loki.caches.resultsMB > 0) && 'memcached',
    'prometheus-operator',
    'prometheus-config-reloader',
    'prometheus',
    'grafana',
    source === 'live' && 'tetragon',
    source === 'live' && 'tetragon-operator',
    source === 'live' && 'tetragon-export-stdout',
    source === 'live' && settings.tetragon.runtimeHooks && 'tetragon-rthooks',
    'node',
    upstream && 'guestbook-frontend',
    upstream && 'guestbook-redis-follower',
    upstream ? 'guestbook-redis-leader' : 'redis',
    settings.pipeline.shipper === 'otel' ? 'otel-collector' : 'fluent-bit',
    settings.traffic.enabled && 'k6',
    'kube-state-metrics',
    'node-exporter',
  ]
  return names.filter(name => name !== false)
}
