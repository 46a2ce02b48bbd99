import type { Settings } from './settings/schema.ts'

/** Returns the address of each service, on the loopback interface. */
export const addressesOf = ({ ports }: Settings) => ({
  guestbook: `http://localhost:${ports.guestbook}`,
  grafana: `http://localhost:${ports.grafana}`,
  prometheus: `http://localhost:${ports.prometheus}`,
  loki: `http://localhost:${ports.loki}`,
  tetragon: `http://localhost:${ports.tetragon}/metrics`,
})

/**
 * Returns the commands that forward each service to this machine, for an existing cluster, which has no mapped ports.
 */
export const portForwardCommands = ({ ports }: Settings): Record<string, string> => ({
  guestbook: `./lab kubectl -n application port-forward svc/frontend ${ports.guestbook}:80`,
  grafana: `./lab kubectl -n monitoring port-forward svc/grafana ${ports.grafana}:80`,
  prometheus: `./lab kubectl -n monitoring port-forward svc/kube-prometheus-stack-prometheus ${ports.prometheus}:9090`,
  loki: `./lab kubectl -n monitoring port-forward svc/loki ${ports.loki}:3100`,
  tetragon: `./lab kubectl -n monitoring port-forward svc/tetragon ${ports.tetragon}:2112`,
})

/** Returns how a user reaches each service: its address, or the command that forwards it. */
export const accessByService = (settings: Settings): Record<string, string> =>
  settings.cluster.mode === 'existing' ? portForwardCommands(settings) : addressesOf(settings)
