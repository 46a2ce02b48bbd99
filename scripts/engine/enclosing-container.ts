import { existsSync, readlinkSync } from 'node:fs'

/** Name of the initial PID namespace, a constant of Linux (PROC_PID_INIT_INO). */
export const initialPidNamespace = 'pid:[4026531836]'

/** The container in which this command runs, instead of on the machine itself. */
export type EnclosingContainer = 'GitHub Codespaces' | 'a dev container' | 'a container'

interface Signs {
  env: NodeJS.ProcessEnv
  exists: (path: string) => boolean
  /** Undefined on a system without /proc. */
  pidNamespace: string | undefined
}

/**
 * Returns the container in which this command runs; undefined on the machine itself. A container that shares the
 * machine's PID namespace counts as the machine, because its /proc is the machine's.
 */
export function enclosingContainer({ env, exists, pidNamespace } = signsHere()): EnclosingContainer | undefined {
  if (pidNamespace === undefined || pidNamespace === initialPidNamespace) return undefined
  if (env.CODESPACES === 'true') return 'GitHub Codespaces'
  if (env.REMOTE_CONTAINERS === 'true') return 'a dev container'
  // Written by Docker, written by Podman, and set by Kubernetes.
  const isContainer = exists('/.dockerenv') || exists('/run/.containerenv') || env.KUBERNETES_SERVICE_HOST
  return isContainer ? 'a container' : undefined
}

function signsHere(): Signs {
  let pidNamespace: string | undefined
  try {
    pidNamespace = readlinkSync('/proc/self/ns/pid')
  } catch {
    // Not Linux
  }
  return { env: process.env, exists: existsSync, pidNamespace }
}
