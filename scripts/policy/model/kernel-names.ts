import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import leven from 'leven'
import { policyFolder } from '../../../shared/policy-file.ts'

// Names of kernel functions and tracepoints, for when the kernel that a policy is for is not at hand.

let symbols: ReadonlySet<string> | undefined
let functions: ReadonlySet<string> | undefined
let tracepoints: ReadonlySet<string> | undefined

/** Returns the system calls (as `sys_NAME`), security functions and BPF LSM hooks of a recent kernel. */
export function knownSymbols(): ReadonlySet<string> {
  symbols ??= new Set(readList('symbols.txt'))
  return symbols
}

/** Returns the functions of a recent kernel that policies are known to hook, system calls as `sys_NAME`. */
export function knownFunctions(): ReadonlySet<string> {
  functions ??= new Set([...knownSymbols(), ...readTable('prototypes.txt').keys()])
  return functions
}

/** Returns the subsystems of the known tracepoints. */
export const tracepointSubsystems = (): string[] => readList('tracepoints.txt').map(line => line.split(':')[0]!)

/** Returns the tracepoints of a recent kernel, as `subsystem/event`. */
export function knownTracepoints(): ReadonlySet<string> {
  tracepoints ??= new Set([
    ...readList('tracepoints.txt').flatMap(line => {
      const [subsystem, events = ''] = line.split(': ')
      return events.split(' ').map(event => `${subsystem}/${event}`)
    }),
    ...[...knownFunctions()]
      .filter(isSyscallName)
      .flatMap(name => ['enter', 'exit'].map(end => `syscalls/sys_${end}_${name.slice('sys_'.length)}`)),
  ])
  return tracepoints
}

const readList = (file: string): string[] =>
  readFileSync(join(policyFolder, 'schema', file), 'utf8')
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))

/** Reads a file of policies/schema whose lines are `KEY: VALUE`. */
export const readTable = (file: string): Map<string, string> =>
  new Map(
    readList(file).map(line => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).trim()]
    }),
  )

/** Returns whether a name is that of a system call, with or without the architecture's prefix. */
export const isSyscallName = (name: string): boolean => /^(__x64_|__arm64_)?sys_/.test(name)

/** Strips the architecture's prefix, which the agent adds itself: `sys_openat` for `__x64_sys_openat`. */
export const withoutArchPrefix = (name: string): string => name.replace(/^__(x64|arm64)_(?=sys_)/, '')

/**
 * Returns the nearest of many kernel names, at most three edits away and fewer for short names. A system call is never
 * suggested for another function: sys_unlinkat is not a misspelt do_unlinkat.
 */
export function nearestKernelName(name: string, candidates: Iterable<string>): string | undefined {
  const limit = Math.min(3, Math.floor(name.length / 4))
  let best: { candidate: string; distance: number } | undefined
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - name.length) > limit || isSyscallName(candidate) !== isSyscallName(name)) continue
    const distance = leven(name, candidate)
    if (distance <= limit && (!best || distance < best.distance)) best = { candidate, distance }
  }
  return best?.candidate
}
