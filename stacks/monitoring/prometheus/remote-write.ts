import type { Settings } from '../../../shared/settings/schema.ts'
import type { Values } from '../../release.ts'

/** Returns the part of a Prometheus that sends its metrics to long-term storage; nothing if the settings name none. */
export function remoteWrite({ prometheus }: Settings): Values {
  const { url, credentialsSecret: name, headers } = prometheus.remoteWrite
  if (url === '') return {}
  const credentials = { username: { name, key: 'username' }, password: { name, key: 'password' } }
  return {
    remoteWrite: [
      {
        url,
        ...(Object.keys(headers).length > 0 && { headers }),
        ...(name === '' ? {} : { basicAuth: credentials }),
      },
    ],
  }
}
