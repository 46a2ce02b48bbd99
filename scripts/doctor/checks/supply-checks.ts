import type { Lock } from '../../../shared/lock.ts'
import { setCommand } from '../../../shared/settings/config-commands.ts'
import type { Settings } from '../../../shared/settings/schema.ts'
import type { EngineFacts } from '../../engine/engine-facts.ts'
import { sizeText } from '../../terminal/size-text.ts'
import { type DoctorCheck, fail, ok, warn } from '../doctor-check.ts'
import type { DoctorFacts } from '../facts/gather-facts.ts'
import type { HostResponse } from '../facts/host-facts.ts'
import type { Supply } from '../facts/supply-facts.ts'

/** Checks that the lock file and npm agree on the version of each Pulumi program. */
export function lockCheck(lock: Lock, { versionMismatches: [mismatch] }: DoctorFacts): DoctorCheck {
  if (!mismatch) return ok('lock', 'Lock file', lock.file)
  const { name, pinned, npm } = mismatch
  return warn('lock', 'Lock file', {
    found: `${lock.file} pins ${name} ${pinned}, but its npm package has version ${npm}`,
    next: `set the version of tools.${name} in ${lock.file} to ${npm}`,
  })
}

export const toolCheck = ({ tools, hosts }: DoctorFacts): DoctorCheck => supplyCheck('tools', 'Tools', tools, hosts)

export function chartCheck({ charts, changedCharts: [changed], hosts }: DoctorFacts): DoctorCheck {
  if (!changed) return supplyCheck('charts', 'Charts', charts, hosts)
  return fail('charts', 'Charts', {
    found: `The chart ${changed.name} has sha256 ${changed.found}`,
    expected: `${changed.known}, as pinned or seen before`,
    next: 'if you expect this change, remove the line of the chart from .lab/remembered.json or update the lock file',
  })
}

/** Checks that the images exist for the engine's platform and are present or can be pulled. */
export function imageCheck(
  settings: Settings,
  lock: Lock,
  { platform }: EngineFacts,
  { images, hosts }: DoctorFacts,
): DoctorCheck {
  const foreign = images.find(image => !image.platforms.includes(platform))
  if (foreign)
    return fail('images', 'Images', {
      found: `${foreign.name} is not published for ${platform}`,
      expected: 'images for this platform, because emulation is slow and Tetragon shows the emulator',
      next:
        settings.guestbook.images === 'upstream'
          ? setCommand('guestbook.images', 'lab')
          : `name another image in ${lock.file}`,
    })
  const bytes = images.filter(image => !image.present).reduce((sum, image) => sum + image.downloadBytes, 0)
  return supplyCheck('images', 'Images', images, hosts, bytes > 0 ? `, about ${sizeText(bytes)}` : '')
}

/** Checks that each supply is present, or can be downloaded from a host that responds. */
function supplyCheck(
  id: string,
  title: string,
  supplies: readonly Supply[],
  hosts: ReadonlyMap<string, HostResponse>,
  amount = '',
): DoctorCheck {
  const missing = supplies.filter(({ present }) => !present)
  if (missing.length === 0) return ok(id, title, 'all present')
  for (const { name, host } of missing) {
    const response = hosts.get(host)
    if (response && response.state !== 'reachable' && response.state !== 'unknown')
      return warn(id, title, unreachable(name, host, response))
  }
  const withoutAddress = missing.find(({ host }) => host === '')
  if (withoutAddress)
    return fail(id, title, {
      found: `${withoutAddress.name} is missing, and the lock file has no address for it`,
      next: `install or copy ${withoutAddress.name}, or use another lock file: --lock FILE`,
    })
  const names =
    missing.length > 3 ? `${missing.length} of ${supplies.length}` : missing.map(({ name }) => name).join(', ')
  const from = [...new Set(missing.map(({ host }) => host))].join(', ')
  const proxy = missing.map(({ host }) => hosts.get(host)?.proxy).find(Boolean)
  return ok(id, title, `${names} to download from ${from}${proxy ? ` through ${proxy}` : ''}${amount}`)
}

/** Explains why a missing supply cannot be downloaded. */
function unreachable(
  name: string,
  host: string,
  { state, proxy, code }: HostResponse,
): Pick<DoctorCheck, 'found' | 'next'> & { expected?: string } {
  if (state === 'unresolved')
    return {
      found: `${name} is missing, and the host name ${host} does not resolve`,
      expected: 'a name server that knows it, a proxy (HTTPS_PROXY), or a lock file with a mirror (--lock FILE)',
      next: `getent hosts ${host}`,
    }
  if (state === 'proxy unreachable')
    return {
      found: `${name} is missing, and ${host} does not respond through the proxy ${proxy}`,
      expected: 'a proxy that responds, or none',
      next: 'unset HTTPS_PROXY https_proxy HTTP_PROXY http_proxy',
    }
  if (state === 'untrusted')
    return {
      found: `${name} is missing, and the certificate of ${host} is not trusted (${code})`,
      expected: "the host's own certificate; a network that inspects TLS presents another one",
      next: "export NODE_EXTRA_CA_CERTS=FILE with your network's certificate, and give it to Docker too: docs/troubleshooting.md",
    }
  return {
    found: `${name} is missing, and ${host} does not respond`,
    next: 'check the network and HTTPS_PROXY, or use a lock file with a mirror: --lock FILE',
  }
}
