import { imageRef, type Lock } from '../../../shared/lock.ts'
import type { EngineFacts } from '../../engine/engine-facts.ts'
import { fixFor } from '../../engine/products.ts'
import { type DoctorCheck, fail, gibibytes, gigabytes, ok, warn } from '../doctor-check.ts'
import type { Facts } from '../facts/facts.ts'

const gibi = 1024 ** 3
/** Least memory for Docker, and what is comfortable, in bytes. A virtual machine of 4 GiB shows a little less of it. */
const memory = { least: 3.7 * gibi, good: 5.6 * gibi }
/** What the lab writes besides images: metrics, logs, events; and what a disk should have left then. In bytes. */
const disk = { data: 0.5e9, spare: 3e9 }

/** Memory, processors, disk and what else of the engine's machine runs short. */
export function resources(engine: EngineFacts, facts: Facts, lock: Lock): DoctorCheck[] {
  return [memoryOf(engine, facts), processors(engine), room(engine, facts), ...inotify(engine, facts, lock)]
}

function memoryOf(engine: EngineFacts, { availableBytes, running }: Facts): DoctorCheck {
  const has = `${gibibytes(engine.memoryBytes)} for Docker`
  const next = fixFor(engine, 'memory')
  if (engine.memoryBytes < memory.least)
    return fail('memory', 'Memory', { found: has, expected: 'at least 4 GiB', next })
  if (engine.memoryBytes < memory.good)
    return warn('memory', 'Memory', { found: has, expected: '6 GiB to be comfortable', next })
  if (!running && availableBytes !== undefined && availableBytes < memory.least - gibi)
    return warn('memory', 'Memory', {
      found: `${has}, of which ${gibibytes(availableBytes)} are free now`,
      expected: '3 GiB free',
      next: engine.local ? 'close what needs much memory' : 'docker ps, and stop what is not needed',
    })
  return ok('memory', 'Memory', has)
}

function processors(engine: EngineFacts): DoctorCheck {
  const found = `${engine.cpus} for Docker`
  if (engine.cpus >= 2) return ok('cpus', 'Processors', found)
  return fail('cpus', 'Processors', { found, expected: 'at least 2', next: fixFor(engine, 'cpus') })
}

/** What has yet to find room: images that are not here, the node's own copy of all of them, and data. In bytes. */
export function roomNeeded({ images, running }: Pick<Facts, 'images' | 'running'>): number {
  const sum = (some: Facts['images']): number => some.reduce((bytes, image) => bytes + image.unpacked, 0)
  const copies = running ? 0 : sum(images.filter(image => image.copied))
  return sum(images.filter(image => !image.here)) + copies + (running ? 0 : disk.data)
}

function room(engine: EngineFacts, facts: Facts): DoctorCheck {
  const { diskBytes, running, images } = facts
  const needed = roomNeeded(facts)
  const wants = needed === 0 ? 'nothing more is needed' : `about ${gigabytes(needed)} are needed`
  if (diskBytes === undefined)
    return ok('disk', 'Disk', `not known yet: Docker keeps its data in a machine of its own; ${wants}`)
  const found = `${gigabytes(diskBytes)} free ${engine.local ? `in ${engine.dataRoot}` : "in the engine's machine"}`
  const next = fixFor(engine, 'disk')
  const missing = images.filter(image => !image.here).length
  const what = missing > 0 ? `${missing} images to fetch, and the node's copy of them` : "the node's copy of the images"
  if (diskBytes < needed)
    return (running ? warn : fail)('disk', 'Disk', { found, expected: `${gigabytes(needed)} for ${what}`, next })
  if (diskBytes < needed + disk.spare)
    return warn('disk', 'Disk', {
      found,
      expected: `${gigabytes(needed + disk.spare)} to be comfortable: ${gigabytes(needed)} for ${running ? 'the lab' : what}, and some to spare`,
      next,
    })
  return ok('disk', 'Disk', `${found}; ${wants}`)
}

function inotify(engine: EngineFacts, { inotify: limits }: Facts, lock: Lock): DoctorCheck[] {
  if (!limits) return []
  const found = `${limits.instances} instances, ${limits.watches} watches`
  if (limits.instances >= 256 && limits.watches >= 65536) return [ok('inotify', 'inotify', found)]
  const set = 'fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288'
  return [
    warn('inotify', 'inotify', {
      found,
      expected: '512 and 524288, as KinD recommends: below, pods fail with "too many open files"',
      next: engine.local
        ? `sudo sysctl ${set}`
        : `docker run --rm --privileged --entrypoint sysctl ${imageRef(lock.nodeImage)} -w ${set}`,
    }),
  ]
}
