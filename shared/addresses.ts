import { type Settings, settingsSchema } from './settings/schema.ts'
import { labCommand } from './stack.ts'

/** Returns the address of each service, on the loopback interface. */
export const addressesOf = ({ ports, guestbook }: Settings) => ({
  ...(guestbook.enabled && { guestbook: `http://localhost:${ports.guestbook}` }),
  grafana: `http://localhost:${ports.grafana}`,
  prometheus: `http://localhost:${ports.prometheus}`,
  loki: `http://localhost:${ports.loki}`,
  tetragon: `http://localhost:${ports.tetragon}/metrics`,
})

/**
 * Returns the commands that forward each service to this machine, for an existing cluster, which has no mapped ports.
 */
export function portForwardCommands({ ports }: Pick<Settings, 'ports'>): Record<string, string> {
  const forward = (namespace: string, service: string, local: number, port: number): string =>
    `${labCommand()} kubectl -n ${namespace} port-forward svc/${service} ${local}:${port}`
  return {
    guestbook: forward('application', 'frontend', ports.guestbook, 80),
    grafana: forward('monitoring', 'grafana', ports.grafana, 80),
    prometheus: forward('monitoring', 'kube-prometheus-stack-prometheus', ports.prometheus, 9090),
    loki: forward('monitoring', 'loki', ports.loki, 3100),
    tetragon: forward('monitoring', 'tetragon', ports.tetragon, 2112),
  }
}

/** Returns how a user reaches each service: its address, or the command that forwards it. */
export function accessByService(settings: Settings): Record<string, string> {
  if (settings.cluster.mode === 'create') return addressesOf(settings)
  const { guestbook, ...others } = portForwardCommands(settings)
  return {
    ...(settings.guestbook.enabled && { guestbook }),
    ...others,
    ...(settings.grafana.ingress.host !== '' && { grafana: grafanaUrl(settings) }),
  }
}

/** Returns the address of Grafana for a browser. */
export const grafanaUrl = ({ grafana: { ingress }, ports }: Settings): string =>
  ingress.host === ''
    ? `http://localhost:${ports.grafana}`
    : `${ingress.tlsSecret === '' ? 'http' : 'https'}://${ingress.host}`

/** The ports that texts name. */
const { ports: defaultPorts } = settingsSchema.parse({})
type Service = keyof typeof defaultPorts

const localAddress = /(?<host>127\.0\.0\.1|localhost):(?<port>\d+)/g
const serviceOf = (port: string | undefined): Service | undefined =>
  (Object.keys(defaultPorts) as Service[]).find(service => String(defaultPorts[service]) === port)

/** Returns a text that names default addresses, such as http://127.0.0.1:3000, with the ports of the settings. */
export const replaceAddresses = (text: string, { ports }: Pick<Settings, 'ports'>): string =>
  text.replace(localAddress, (address, host: string, port: string) => {
    const service = serviceOf(port)
    return service ? `${host}:${ports[service]}` : address
  })

/**
 * Returns the commands that make the default addresses in a text reachable: none unless the cluster is an existing one.
 */
export function forwardsFor(text: string, settings: Settings): string[] {
  if (settings.cluster.mode !== 'existing') return []
  const services = [...text.matchAll(localAddress)].map(({ groups }) => serviceOf(groups?.port))
  return [...new Set(services)].flatMap(service => (service ? [portForwardCommands(settings)[service]!] : []))
}
