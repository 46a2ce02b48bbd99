import type { Lock } from '../../../shared/lock.ts'
import { type Settings, setCommand } from '../../../shared/settings/schema.ts'
import type { EngineFacts } from '../../engine/engine-facts.ts'
import { type DoctorCheck, fail, gigabytes, ok, warn } from '../doctor-check.ts'
import type { Facts } from '../facts/facts.ts'
import type { Answer } from '../facts/hosts.ts'
import type { Supply } from '../facts/supplies.ts'

/** The lock, and whether npm agrees with it. */
export function pins(lock: Lock, { strangers: [stranger] }: Facts): DoctorCheck[] {
  if (!stranger) return [ok('lock', 'Pins', lock.file)]
  return [
    warn('lock', 'Pins', {
      found: `${lock.file} pins ${stranger.name} ${stranger.pinned}, and its npm package is ${stranger.npm}`,
      expected: 'the same version of both',
      next: `mend tools.${stranger.name} of ${lock.file}`,
    }),
  ]
}

/** Programs. */
export const tools = ({ tools: supplies, hosts }: Facts): DoctorCheck[] => [
  supply('tools', 'Programs', supplies, hosts),
]

/** Charts. */
export function charts({ charts: supplies, changedCharts, hosts }: Facts): DoctorCheck[] {
  const [changed] = changedCharts
  if (changed)
    return [
      fail('charts', 'Charts', {
        found: `chart ${changed.name} has sha256 ${changed.found}`,
        expected: `${changed.known}, as in the lock or as it was seen before`,
        next: 'if the change is known and right, remove its line from .lab/remembered.json, or mend the lock',
      }),
    ]
  return [supply('charts', 'Charts', supplies, hosts)]
}

/** Images, and what is left to pull. */
export function images(settings: Settings, lock: Lock, { platform }: EngineFacts, facts: Facts): DoctorCheck[] {
  const foreign = facts.images.find(image => !image.platforms.includes(platform))
  if (foreign)
    return [
      warn('images', 'Images', {
        found: `${foreign.name} is not published for ${platform}`,
        expected: 'images for this machine; emulation is slow, and Tetragon shows the emulator',
        next:
          settings.guestbook.images === 'upstream'
            ? setCommand('guestbook.images', 'lab')
            : `name another image in ${lock.file}`,
      }),
    ]
  const left = facts.images.filter(image => !image.here).reduce((bytes, image) => bytes + image.packed, 0)
  return [supply('images', 'Images', facts.images, facts.hosts, left > 0 ? `, about ${gigabytes(left)}` : '')]
}

/** In place, or to be fetched from hosts that answer. */
function supply(
  id: string,
  title: string,
  supplies: readonly Supply[],
  hosts: ReadonlyMap<string, Answer>,
  amount = '',
): DoctorCheck {
  const missing = supplies.filter(({ here }) => !here)
  if (missing.length === 0) return ok(id, title, 'all in place')
  for (const { name, host } of missing) {
    const answer = hosts.get(host)
    if (answer && answer.state !== 'answers' && answer.state !== 'not asked')
      return warn(id, title, away(name, host, answer))
  }
  const lost = missing.find(({ host }) => host === '')
  if (lost)
    return fail(id, title, {
      found: `${lost.name} is not here, and the lock says no address to fetch it from`,
      expected: 'it in its place, or an address of it',
      next: `install or copy ${lost.name}, or use another lock: --lock FILE`,
    })
  const names =
    missing.length > 3 ? `${missing.length} of ${supplies.length}` : missing.map(({ name }) => name).join(', ')
  const from = [...new Set(missing.map(({ host }) => host))].join(', ')
  const proxy = missing.map(({ host }) => hosts.get(host)?.proxy).find(Boolean)
  return ok(id, title, `${names} to be fetched from ${from}${proxy ? ` through ${proxy}` : ''}${amount}`)
}

/** Why something cannot be fetched: four ways in which a network can be away. */
function away(
  name: string,
  host: string,
  { state, proxy, code }: Answer,
): Pick<DoctorCheck, 'found' | 'expected' | 'next'> {
  if (state === 'no such name')
    return {
      found: `${name} is not here, and the name ${host} does not resolve`,
      expected: 'a network whose name server knows it, or a proxy that does',
      next: `getent hosts ${host}; behind a proxy: export HTTPS_PROXY=http://…; with a mirror: --lock FILE`,
    }
  if (state === 'proxy is silent')
    return {
      found: `${name} is not here, and ${host} does not answer through the proxy ${proxy}`,
      expected: 'a proxy that answers, or none',
      next: `curl -I https://${host}; without the proxy: unset HTTPS_PROXY https_proxy HTTP_PROXY http_proxy`,
    }
  if (state === 'not trusted')
    return {
      found: `${name} is not here, and ${host} shows a certificate that is not trusted (${code})`,
      expected: "its own; a network that reads along shows another's",
      next: "export NODE_EXTRA_CA_CERTS=FILE with your network's certificate, and give it to Docker, too: docs/troubleshooting.md",
    }
  return {
    found: `${name} is not here, and ${host} does not answer`,
    expected: `a network that reaches ${host}`,
    next: 'check the network (HTTPS_PROXY is honoured), or name a mirror: --lock FILE',
  }
}
