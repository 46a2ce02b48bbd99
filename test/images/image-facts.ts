import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parse } from 'yaml'
import { type ImageName, imageRef, type Lock } from '../../shared/lock.ts'
import type { WorkloadContainer, WorkloadPodSpec } from '../charts/render.ts'
import { commandsIn, unwrapShell } from './shell-words.ts'

// Compares Pods and commands with test/images/images.yaml.

/** What is known about an image. */
export interface ImageFacts {
  image: string
  source: string
  unverified?: string
  base: string
  user: string | number
  entrypoint: string[]
  shell?: string
  busybox: boolean
  /** Names of all its programs. */
  programs: Set<string>
  /** Absolute paths of programs that are not applets. */
  paths: Set<string>
  /** Folders that the program writes to, and where the lab's configuration puts them. */
  writes: Record<string, string>
  platforms: string[]
}

interface Base {
  source: string
  shell?: string
  busybox?: boolean
  commands: string
}
type Entry = Omit<ImageFacts, 'programs' | 'paths' | 'busybox' | 'writes'> & {
  commands: string[]
  writes?: Record<string, string>
}

interface FactsFile {
  bases: Record<string, Base>
  nodeImage: Entry
  images: Record<ImageName, Entry>
}

const readFactsFile = (): FactsFile =>
  parse(readFileSync(join(import.meta.dirname, 'images.yaml'), 'utf8')) as FactsFile

/** Returns the facts about each image, by its name in the lock. */
export function readImageFacts(): Record<ImageName, ImageFacts> {
  const { bases, images } = readFactsFile()
  const facts = Object.entries(images).map(([name, entry]) => [name, toFacts(name, entry, bases)])
  return Object.fromEntries(facts) as Record<ImageName, ImageFacts>
}

/** Returns the facts about the image of the lab's own node. */
export function readNodeImageFacts(): ImageFacts {
  const { bases, nodeImage } = readFactsFile()
  return toFacts('nodeImage', nodeImage, bases)
}

function toFacts(name: string, { commands, writes = {}, ...entry }: Entry, bases: Record<string, Base>): ImageFacts {
  const base = bases[entry.base]
  if (!base) throw new Error(`images.yaml: ${name} has the unknown base ${entry.base}`)
  const applets = base.commands.split(/\s+/).filter(Boolean)
  return {
    ...entry,
    shell: entry.shell ?? base.shell,
    busybox: base.busybox ?? false,
    programs: new Set([...applets, ...commands.map(path => basename(path))]),
    paths: new Set(commands),
    writes,
  }
}

/** Returns the facts about the image that a container runs. */
export function factsOf(facts: Record<ImageName, ImageFacts>, container: WorkloadContainer): ImageFacts {
  const found = Object.values(facts).find(({ image }) => image === container.image)
  if (!found) throw new Error(`images.yaml has no image ${container.image}`)
  return found
}

/** Tells whether an image has a program of this name or path. */
function hasProgram({ programs, paths }: ImageFacts, program: string): boolean {
  if (!program.startsWith('/')) return programs.has(program)
  const isApplet = /^(\/usr)?\/s?bin\/[^/]+$/.test(program) && programs.has(basename(program))
  return paths.has(program) || isApplet
}

/** Returns what is wrong with running a command in an image; nothing if it can run. */
export function commandProblems(image: ImageFacts, command: string[]): string[] {
  const script = unwrapShell(command)
  const programs = [command[0]!, ...(script === undefined ? [] : commandsIn(script))]
  return programs.filter(program => !hasProgram(image, program)).map(program => `${image.image} has no ${program}`)
}

/** Returns what does not fit between a Pod and the images of its containers. */
export function podProblems(facts: Record<ImageName, ImageFacts>, spec: WorkloadPodSpec): string[] {
  return [...spec.containers, ...(spec.initContainers ?? [])].flatMap(container => {
    const image = factsOf(facts, container)
    return [
      ...startProblems(image, container),
      ...userProblems(image, spec, container),
      ...writeProblems(image, spec, container),
    ].map(problem => `${container.name}: ${problem}`)
  })
}

function startProblems(image: ImageFacts, container: WorkloadContainer): string[] {
  const probes = [container.livenessProbe, container.readinessProbe, container.startupProbe]
  const commands = [container.command ?? image.entrypoint, ...probes.flatMap(probe => probe?.exec?.command ?? [])]
  const all = [commands[0] as string[], ...probes.flatMap(probe => (probe?.exec ? [probe.exec.command] : []))]
  return all.flatMap(command =>
    command.length === 0 ? ['neither the Pod nor the image has a command'] : commandProblems(image, command),
  )
}

/** The kubelet cannot tell whether a named user is root, so it refuses to start such a container. */
function userProblems({ user }: ImageFacts, spec: WorkloadPodSpec, container: WorkloadContainer): string[] {
  const context = { ...spec.securityContext, ...container.securityContext }
  if (!context.runAsNonRoot) return []
  const effective = context.runAsUser ?? (user === 'root' ? 0 : user)
  if (typeof effective === 'string') return [`runAsNonRoot needs a number, but the image has the user ${effective}`]
  return effective === 0 ? ['runAsNonRoot is set, but the container runs as root'] : []
}

function writeProblems({ writes }: ImageFacts, spec: WorkloadPodSpec, container: WorkloadContainer): string[] {
  if (!container.securityContext?.readOnlyRootFilesystem) return []
  const readOnlyVolumes = new Set(
    (spec.volumes ?? [])
      .filter(volume => ['configMap', 'secret', 'projected', 'downwardAPI'].some(kind => kind in volume))
      .map(({ name }) => name),
  )
  const isWritable = (folder: string): boolean =>
    (container.volumeMounts ?? []).some(
      ({ name, mountPath, readOnly }) =>
        !readOnly && !readOnlyVolumes.has(name) && `${folder}/`.startsWith(`${mountPath.replace(/\/$/, '')}/`),
    )
  return Object.values(writes)
    .filter(folder => !isWritable(folder))
    .map(folder => `the root file system is read-only, and nothing writable is mounted at ${folder}`)
}

/** Returns the images whose facts are for another version than the lock's. */
export const outdatedFacts = (facts: Record<ImageName, ImageFacts>, lock: Lock): string[] =>
  (Object.keys(lock.images) as ImageName[])
    .filter(name => facts[name]?.image !== imageRef(lock.images[name]))
    .map(name => `${name}: ${imageRef(lock.images[name])}`)
