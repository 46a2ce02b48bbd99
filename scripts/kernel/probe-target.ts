import { join } from 'node:path'

/** A kernel that the lab can probe. */
export interface ProbeTarget {
  /** The machine whose kernel it is. `no engine`: this machine, because no Docker engine responds. */
  host: 'this machine' | 'engine' | 'no engine' | 'node'
  /** Distinguishes this kernel, and this boot of it, from any other. */
  identity: string[]
  /** Runs probe.sh on it. */
  run: () => Promise<ProbeOutput | NotProbed>
}

export interface ProbeOutput {
  /** Output of probe.sh. */
  probe: string
  /** Whether the Docker engine runs without root. */
  rootless: boolean
}

export interface NotProbed {
  /** A clause that completes "The kernel was not probed: …". */
  reason: string
}

export interface ProbeOptions {
  /** Whether the probe may pull the node image or create a pod. */
  pull: boolean
  /** How long each call may take; without it, as long as it takes. */
  timeoutMs?: number
  /** Environment of kubectl: `env` of a `Context`; without it, that of this process. */
  env?: Readonly<Record<string, string>>
}

export const probeScript = join(import.meta.dirname, 'probe.sh')
