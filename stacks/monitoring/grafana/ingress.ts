import { grafanaUrl } from '../../../shared/addresses.ts'
import type { Settings } from '../../../shared/settings/schema.ts'
import type { GrafanaPart } from './part.ts'

/** Returns the part of Grafana with its address, and with an Ingress if the settings name a host. */
export function ingressPart(settings: Settings): GrafanaPart {
  const { host, className, tlsSecret, annotations } = settings.grafana.ingress
  const server = { root_url: grafanaUrl(settings) }
  if (host === '') return { ini: { server } }
  const tls = tlsSecret === '' ? [] : [{ secretName: tlsSecret, hosts: [host] }]
  return {
    ini: { server, ...(tls.length > 0 && { security: { cookie_secure: true } }) },
    values: { ingress: { enabled: true, ingressClassName: className, annotations, hosts: [host], tls } },
  }
}
