import { imageRef, type Lock } from '../../../shared/lock.ts'
import type { EngineFacts } from '../../engine/engine-facts.ts'
import { fixFor } from '../../engine/products.ts'
import { sizeText } from '../../terminal/size-text.ts'
import { type DoctorCheck, fail, gibibytes, ok, warn } from '../doctor-check.ts'
import type { DoctorFacts } from '../facts/gather-facts.ts'

const gibi = 1024 ** 3
/** Memory for Docker, in bytes. A VM of 4 GiB reports a little less. */
const memory = { minimum: 3.7 * gibi, comfortable: 5.6 * gibi, free: 2.7 * gibi }
/** What the lab writes besides images (metrics, logs, events), and what should stay free, in bytes. */
const disk = { data: 0.5e9, spare: 3e9 }
const inotifyRecommendation = { instances: 512, watches: 524_288 }

/** Checks memory, processors, disk and inotify limits of the engine. */
export const resourceChecks = (engine: EngineFacts, facts: DoctorFacts, lock: Lock): DoctorCheck[] => [
  memoryCheck(engine, facts),
  processorCheck(engine),
  diskCheck(engine, facts),
  ...inotifyCheck(engine, facts, lock),
]

function memoryCheck(engine: EngineFacts, { availableMemoryBytes, running }: DoctorFacts): DoctorCheck {
  const found = `Docker has ${gibibytes(engine.memoryBytes)} of memory`
  const next = fixFor(engine, 'memory')
  if (engine.memoryBytes < memory.minimum) return fail('memory', 'Memory', { found, expected: 'at least 4 GiB', next })
  if (engine.memoryBytes < memory.comfortable)
    return warn('memory', 'Memory', { found, expected: '6 GiB for comfortable use', next })
  if (!running && availableMemoryBytes !== undefined && availableMemoryBytes < memory.free)
    return warn('memory', 'Memory', {
      found: `${found}, of which only ${gibibytes(availableMemoryBytes)} is free`,
      expected: '3 GiB free',
      next: engine.local
        ? 'close programs that use much memory'
        : 'stop containers that you do not need (docker ps lists them)',
    })
  return ok('memory', 'Memory', `${gibibytes(engine.memoryBytes)} for Docker`)
}

function processorCheck(engine: EngineFacts): DoctorCheck {
  const { cpus } = engine
  if (cpus >= 2) return ok('cpus', 'Processors', `${cpus} for Docker`)
  return fail('cpus', 'Processors', {
    found: `Docker has ${cpus} processor${cpus === 1 ? '' : 's'}`,
    expected: 'at least 2',
    next: fixFor(engine, 'cpus'),
  })
}

/**
 * Returns the disk space that the lab still needs: missing images, the node's copy of all of them, and data. In bytes.
 */
function neededDiskBytes({ images, running }: Pick<DoctorFacts, 'images' | 'running'>): number {
  const sum = (some: DoctorFacts['images']): number => some.reduce((bytes, image) => bytes + image.diskBytes, 0)
  const copies = running ? 0 : sum(images.filter(image => image.copied))
  return sum(images.filter(image => !image.present)) + copies + (running ? 0 : disk.data)
}

function diskCheck(engine: EngineFacts, facts: DoctorFacts): DoctorCheck {
  const { freeDiskBytes, running, images } = facts
  const needed = neededDiskBytes(facts)
  const need = needed === 0 ? 'the lab needs no more' : `the lab needs about ${sizeText(needed)}`
  if (freeDiskBytes === undefined)
    return ok('disk', 'Disk', `free space not known yet, because Docker stores its data in a VM; ${need}`)
  const free = `${sizeText(freeDiskBytes)} free ${engine.local ? `in ${engine.dataRoot}` : 'in the VM of the engine'}`
  const found = `Docker has ${free}`
  const next = fixFor(engine, 'disk')
  const missing = images.filter(image => !image.present).length
  const purpose =
    missing > 0
      ? `${missing} missing image${missing === 1 ? '' : 's'} and the node's copy`
      : "the node's copy of the images"
  if (freeDiskBytes < needed)
    return (running ? warn : fail)('disk', 'Disk', { found, expected: `${sizeText(needed)} for ${purpose}`, next })
  const comfortable = needed + disk.spare
  if (freeDiskBytes < comfortable)
    return warn('disk', 'Disk', { found, expected: `${sizeText(comfortable)} for comfortable use`, next })
  return ok('disk', 'Disk', `${free}; ${need}`)
}

function inotifyCheck(engine: EngineFacts, { inotify }: DoctorFacts, lock: Lock): DoctorCheck[] {
  if (!inotify) return []
  const limits = `${inotify.instances} instances, ${inotify.watches} watches`
  if (inotify.instances >= 256 && inotify.watches >= 65_536) return [ok('inotify', 'inotify', limits)]
  const { instances, watches } = inotifyRecommendation
  const assignments = `fs.inotify.max_user_instances=${instances} fs.inotify.max_user_watches=${watches}`
  return [
    warn('inotify', 'inotify', {
      found: `The inotify limits are low (${limits}): pods may fail with "too many open files"`,
      expected: `${instances} instances and ${watches} watches, as kind recommends`,
      next: engine.local
        ? `sudo sysctl ${assignments}`
        : `docker run --rm --privileged --entrypoint sysctl ${imageRef(lock.nodeImage)} -w ${assignments}`,
    }),
  ]
}
