import { namespaces, services } from '../../../shared/names.ts'
import type { Settings } from '../../../shared/settings/schema.ts'

/** The Service that has only the addresses of replicas that are ready, where there are several. */
export const readyLoki = { name: 'loki-ready', port: 3100 } as const

/** Returns the address at which the lab's programs reach Loki. */
export const lokiUrl = ({ loki }: Pick<Settings, 'loki'>): string =>
  loki.mode === 'ha' ? `http://${readyLoki.name}.${namespaces.monitoring}.svc:${readyLoki.port}` : services.loki
