import type { Lab } from './lab.ts'
import type { Settings } from './settings.ts'

/** Where each part answers, on this machine only. */
export const addressesOf = ({ ports }: Settings) => ({
  guestbook: `http://localhost:${ports.guestbook}`,
  grafana: `http://localhost:${ports.grafana}`,
  prometheus: `http://localhost:${ports.prometheus}`,
  loki: `http://localhost:${ports.loki}`,
  tetragon: `http://localhost:${ports.tetragon}/metrics`,
})

/** What `pulumi stack output` shows. No password: that is in `.lab/grafana-password`. */
export const describeOutputs = ({ settings, source }: Lab) => ({
  addresses: addressesOf(settings),
  source,
  grafanaUser: settings.grafana.user,
})
