import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { dockerLabel } from '../../../shared/names.ts'
import { freeBytes } from '../../engine/disk.ts'
import { docker } from '../../engine/docker.ts'

/** What changes from day to day where the engine runs. What cannot be known is absent. */
export interface InsideFacts {
  /** Tetragon agents among its processes. */
  tetragons?: number
  /** Memory that is free for new programs. */
  availableBytes?: number
  /** Free where Docker keeps its data. */
  diskBytes?: number
  inotify?: { watches: number; instances: number }
}

/** Of this machine, whose kernel and disk the engine shares. */
export async function insideHere(dataRoot: string): Promise<InsideFacts> {
  const [inotify, tetragons, diskBytes] = await Promise.all([readInotify(), countTetragons(), freeBytes(dataRoot)])
  return { ...inotify, ...tetragons, ...(diskBytes === undefined ? {} : { diskBytes }), ...availableMemory() }
}

/**
 * Of the engine's own machine, from a container that lives for a moment. Nothing when it takes too long.
 * @param image one with a shell that the engine has already.
 * @param patience milliseconds that it may take.
 */
export async function insideMachine(image: string, patience: number): Promise<InsideFacts> {
  const args = ['run', '--rm', '-i', '--label', `${dockerLabel}=engine-probe`, '--pid=host', '--network=none']
  const input = readFileSync(join(import.meta.dirname, 'engine-probe.sh'))
  try {
    return parseInside(await docker([...args, '--entrypoint', 'sh', image, '-s'], { input, timeout: patience }))
  } catch {
    // A hint more or less: the engine itself is judged by its own answer
    return {}
  }
}

/** Reads the output of engine-probe.sh. */
export function parseInside(text: string): InsideFacts {
  const number = (key: string): number | undefined => {
    const value = new RegExp(`^${key}=(\\d+)$`, 'm').exec(text)?.[1]
    return value === undefined ? undefined : Number(value)
  }
  const disk = number('disk_free_kilobytes')
  const memory = number('memory_available_kilobytes')
  const instances = number('inotify_instances')
  const watches = number('inotify_watches')
  const tetragons = number('tetragons')
  return {
    ...(disk === undefined ? {} : { diskBytes: disk * 1024 }),
    ...(memory === undefined ? {} : { availableBytes: memory * 1024 }),
    ...(instances === undefined || watches === undefined ? {} : { inotify: { instances, watches } }),
    ...(tetragons === undefined ? {} : { tetragons }),
  }
}

async function readInotify(): Promise<InsideFacts> {
  const read = async (name: string): Promise<number> => Number(await readFile(`/proc/sys/fs/inotify/${name}`, 'utf8'))
  try {
    return { inotify: { watches: await read('max_user_watches'), instances: await read('max_user_instances') } }
  } catch {
    return {}
  }
}

async function countTetragons(): Promise<InsideFacts> {
  const processes = (await readdir('/proc').catch(() => [])).filter(name => /^\d+$/.test(name))
  const names = await Promise.all(processes.map(id => readFile(`/proc/${id}/comm`, 'utf8').catch(() => '')))
  return { tetragons: names.filter(name => name.trim() === 'tetragon').length }
}

function availableMemory(): InsideFacts {
  try {
    const kilobytes = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]
    return kilobytes ? { availableBytes: Number(kilobytes) * 1024 } : {}
  } catch {
    return {}
  }
}
