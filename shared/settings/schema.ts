import { z } from 'zod'
import { guestbook, traffic } from './sections/application.ts'
import { classroom } from './sections/classroom.ts'
import { cluster, ports } from './sections/cluster.ts'
import { grafana } from './sections/grafana.ts'
import { loki } from './sections/loki.ts'
import { pipeline } from './sections/pipeline.ts'
import { prometheus } from './sections/prometheus.ts'
import { policies, tetragon } from './sections/tetragon.ts'

// Validation, defaults, types and the table in docs/reference/settings.md all come from this schema.

/** Schema of all settings, by section. */
export const settingsSchema = z.strictObject({
  cluster: cluster.prefault({}),
  ports: ports.prefault({}),
  tetragon: tetragon.prefault({}),
  policies: policies.prefault({}),
  guestbook: guestbook.prefault({}),
  traffic: traffic.prefault({}),
  pipeline: pipeline.prefault({}),
  prometheus: prometheus.prefault({}),
  loki: loki.prefault({}),
  grafana: grafana.prefault({}),
  class: classroom.prefault({}),
})

/** All settings of a lab, with defaults filled in. */
export type Settings = z.infer<typeof settingsSchema>
