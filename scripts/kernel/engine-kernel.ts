import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import { dockerEndpoint, engineVersion } from '../engine/endpoint.ts'
import { bootId } from './boot-id.ts'
import { type NotProbed, type ProbeOptions, type ProbeOutput, type ProbeTarget, probeScript } from './probe-target.ts'

// The modules that only an actual probe needs are imported when it runs, so that reading the cached decision takes
// milliseconds.

/**
 * Finds the kernel under the Docker engine: this machine's for a local engine, else that of the engine's own machine.
 */
export async function engineKernel({ pull, timeoutMs }: ProbeOptions): Promise<ProbeTarget | NotProbed> {
  const endpoint = dockerEndpoint()
  const engine = await engineVersion(endpoint, timeoutMs)
  const linux = process.platform === 'linux'
  if (!engine && !linux) return { reason: 'no Docker engine responds' }
  const local = linux && (!engine || (endpoint.startsWith('unix://') && engine.KernelVersion === release()))
  return {
    host: local ? (engine ? 'this machine' : 'no engine') : 'engine',
    identity: [endpoint, engine?.KernelVersion ?? release(), engine?.Arch ?? process.arch, local ? bootId() : ''],
    run: async () => {
      const rootless = engine ? await isRootless(timeoutMs) : false
      if (!local) return probeFromContainer(rootless, pull, timeoutMs)
      const { execa } = await import('execa')
      return { rootless, probe: (await execa('/bin/sh', [probeScript])).stdout }
    },
  }
}

async function isRootless(timeoutMs = 0): Promise<boolean> {
  const { docker } = await import('../engine/docker.ts')
  const options = await docker(['info', '--format', '{{json .SecurityOptions}}'], { timeout: timeoutMs })
  return options.includes('rootless')
}

/** Runs the probe in the engine's machine, from a short-lived privileged container of the kind node image. */
async function probeFromContainer(
  rootless: boolean,
  pull: boolean,
  timeoutMs?: number,
): Promise<ProbeOutput | NotProbed> {
  const { docker } = await import('../engine/docker.ts')
  const { findDockerImages } = await import('../supplies/docker-images.ts')
  const { pullImages } = await import('../supplies/pull-images.ts')
  const { imageRef, readLock } = await import('../../shared/lock.ts')
  const { dockerLabel } = await import('../../shared/names.ts')
  const lock = readLock()
  const image = imageRef(lock.nodeImage)
  if (!(await findDockerImages([image])).has(image)) {
    if (!pull) return { reason: 'the probe runs in the node image, which is not pulled yet' }
    await pullImages([lock.nodeImage])
  }
  const options = ['--rm', '-i', '--label', `${dockerLabel}=kernel-probe`, '--privileged', '--pid=host']
  const timeout = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs)
  try {
    const probe = await docker(['run', ...options, '--network=none', '--entrypoint', 'sh', image, '-s', 'mount'], {
      input: readFileSync(probeScript),
      cancelSignal: timeout,
    })
    return { rootless, probe }
  } catch (error) {
    if (timeout?.aborted) return { reason: 'the engine took too long' }
    throw error
  }
}
