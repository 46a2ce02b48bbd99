import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { dockerLabel } from '../../../shared/names.ts'
import { freeBytes } from '../../engine/disk.ts'
import { docker } from '../../engine/docker.ts'

/** The state of the machine or VM on which the engine runs. A value that cannot be determined is absent. */
export interface EngineMachineFacts {
  /** How many Tetragon agents are running. */
  tetragonAgents?: number
  availableMemoryBytes?: number
  /** Free space where Docker stores its data. */
  freeDiskBytes?: number
  inotify?: { watches: number; instances: number }
}

/** Reads this machine, whose kernel and disk a local engine shares. */
export async function localMachineFacts(dataRoot: string): Promise<EngineMachineFacts> {
  const [inotify, tetragonAgents, freeDiskBytes] = await Promise.all([
    readInotify(),
    countTetragonAgents(),
    freeBytes(dataRoot),
  ])
  return { inotify, tetragonAgents, freeDiskBytes, availableMemoryBytes: availableMemory() }
}

/**
 * Reads the engine's VM from a short-lived container; empty when that takes too long.
 * @param image an image with a shell that the engine already has.
 */
export async function vmFacts(image: string, timeoutMs: number): Promise<EngineMachineFacts> {
  const args = ['run', '--rm', '-i', '--label', `${dockerLabel}=engine-probe`, '--pid=host', '--network=none']
  const input = readFileSync(join(import.meta.dirname, 'engine-probe.sh'))
  try {
    return parseEngineProbe(await docker([...args, '--entrypoint', 'sh', image, '-s'], { input, timeout: timeoutMs }))
  } catch {
    // These facts are optional, and an engine with a problem has already shown it in `docker info`.
    return {}
  }
}

/** Parses the output of engine-probe.sh. */
export function parseEngineProbe(text: string): EngineMachineFacts {
  const number = (key: string): number | undefined => {
    const value = new RegExp(`^${key}=(\\d+)$`, 'm').exec(text)?.[1]
    return value === undefined ? undefined : Number(value)
  }
  const kilobytes = (key: string): number | undefined => {
    const value = number(key)
    return value === undefined ? undefined : value * 1024
  }
  const instances = number('inotify_instances')
  const watches = number('inotify_watches')
  return {
    freeDiskBytes: kilobytes('disk_free_kilobytes'),
    availableMemoryBytes: kilobytes('memory_available_kilobytes'),
    inotify: instances === undefined || watches === undefined ? undefined : { instances, watches },
    tetragonAgents: number('tetragons'),
  }
}

async function readInotify(): Promise<EngineMachineFacts['inotify']> {
  const read = async (name: string): Promise<number> => Number(await readFile(`/proc/sys/fs/inotify/${name}`, 'utf8'))
  try {
    return { watches: await read('max_user_watches'), instances: await read('max_user_instances') }
  } catch {
    return undefined
  }
}

async function countTetragonAgents(): Promise<number> {
  const processes = (await readdir('/proc').catch(() => [])).filter(name => /^\d+$/.test(name))
  const names = await Promise.all(processes.map(pid => readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')))
  return names.filter(name => name.trim() === 'tetragon').length
}

function availableMemory(): number | undefined {
  try {
    const kilobytes = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]
    return kilobytes ? Number(kilobytes) * 1024 : undefined
  } catch {
    return undefined
  }
}
