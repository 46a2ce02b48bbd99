import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { LabError } from '../../shared/lab-error.ts'
import { shellQuote } from '../../shared/shell-quote.ts'
import { supportedFeatures } from '../kernel/features.ts'
import { type KernelFacts, parseProbe } from '../kernel/kernel-facts.ts'
import { probeScript } from '../kernel/probe-target.ts'
import type { Kernel } from './lint/rule.ts'

// A kernel file has the names in a kernel that policies can hook, and what its probe found. kernel-names.sh describes
// the format.

const firstLine = '# Kernel names for lab policy lint --kernel, format 1'
const prefixes: Record<string, string> = { x86_64: '__x64_', aarch64: '__arm64_', arm64: '__arm64_' }

/** Returns the shell script that prints a kernel file. It needs nothing of the lab, so it runs on any Linux machine. */
export const kernelFileScript = (): string =>
  [join(import.meta.dirname, 'kernel-names.sh'), probeScript].map(file => readFileSync(file, 'utf8')).join('')

/**
 * Returns the kernel file of this machine.
 * @throws LabError when it does not run Linux.
 */
export async function kernelFileText(platform = process.platform): Promise<string> {
  if (platform !== 'linux')
    throw new LabError({
      found: `This machine runs ${platform}, not the Linux kernel that the policies are for`,
      expected: 'the machine of a node: its kernel has the names',
      next: './lab policy symbols --script | ssh NODE sh > FILE',
    })
  return `${(await execa('sh', ['-s'], { input: kernelFileScript() })).stdout}\n`
}

/**
 * Reads a kernel file.
 * @throws LabError when it does not exist, or is something else.
 */
export function readKernelFile(file: string): Kernel {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new LabError({
      found: `The kernel file ${file} does not exist`,
      next: `./lab policy symbols > ${shellQuote(file)}`,
    })
  }
  const kernel = parseKernelFile(text)
  if (!kernel)
    throw new LabError({
      found: `${file} is not a kernel file`,
      expected: `a file that starts with "${firstLine}" and ends with the section [probe]`,
      next: './lab policy symbols > kernel.txt',
    })
  return kernel
}

/** Parses a kernel file. Unknown sections and facts are left out. Returns undefined if it is something else. */
export function parseKernelFile(text: string): Kernel | undefined {
  if (text.slice(0, text.indexOf('\n')).trimEnd() !== firstLine) return undefined
  const sections = new Map(
    text
      .split(/^(?=\[)/m)
      .slice(1)
      .map(part => part.split(/\r?\n/).filter(line => line !== ''))
      .map(([name, ...lines]) => [name!, lines[0]?.startsWith('unknown: ') ? undefined : lines]),
  )
  const probe = sections.get('[probe]')
  // A copy that was cut off has no probe, and would make every later name look missing.
  if (!probe) return undefined
  const facts = parseProbe(probe.join('\n'))
  const [syscalls, lsm, functions, tracepoints] = ['syscalls', 'lsm', 'functions', 'tracepoints'].map(name =>
    sections.get(`[${name}]`),
  )
  const prefix = prefixes[facts.arch] ?? ''
  return {
    ...knownFeatures(facts),
    release: facts.release,
    arch: facts.arch,
    ...(functions &&
      syscalls && {
        symbols: new Set([
          ...functions,
          ...syscalls.flatMap(name => [`sys_${name}`, `${prefix}sys_${name}`]),
          ...(lsm ?? []).map(name => `bpf_lsm_${name}`),
        ]),
      }),
    ...(tracepoints && { tracepoints: new Set(tracepoints) }),
  }
}

/** Returns the features that the facts decide. A rule about any other is skipped rather than wrong. */
function knownFeatures(facts: KernelFacts): Kernel {
  const { btf, kprobes, kprobeMulti, sigkill, override, overrideSecurity, lsm, uprobes } = supportedFeatures(facts)
  const { symbols, errorInjection, config } = facts
  const isOverrideKnown = config.has('CONFIG_BPF_KPROBE_OVERRIDE') || errorInjection === false || symbols !== undefined
  return {
    btf,
    ...(facts.kprobes !== undefined && { kprobes }),
    // Without kprobes, the actions on them need no errors of their own.
    ...(kprobes && {
      sigkill,
      ...(symbols && { kprobeMulti, overrideSecurity }),
      ...(isOverrideKnown && { override }),
    }),
    ...(facts.uprobes !== undefined && { uprobes }),
    ...(facts.lsm && symbols && { lsm }),
  }
}
