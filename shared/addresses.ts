import type { Lab } from './lab.ts'
import type { Settings } from './settings/schema.ts'

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

/** The same with an existing cluster, of which no port is mapped: the commands that bring each part to this machine. */
export const portForwards = ({ ports }: Settings): Record<string, string> => ({
  guestbook: `./lab kubectl -n application port-forward svc/frontend ${ports.guestbook}:80`,
  grafana: `./lab kubectl -n monitoring port-forward svc/grafana ${ports.grafana}:80`,
  prometheus: `./lab kubectl -n monitoring port-forward svc/kube-prometheus-stack-prometheus ${ports.prometheus}:9090`,
  loki: `./lab kubectl -n monitoring port-forward svc/loki ${ports.loki}:3100`,
  tetragon: `./lab kubectl -n monitoring port-forward svc/tetragon ${ports.tetragon}:2112`,
})

/** What a user is told of each part: where it answers, or how to bring it here. */
export const whereToLook = (settings: Settings): Record<string, string> =>
  settings.cluster.mode === 'existing' ? portForwards(settings) : addressesOf(settings)
