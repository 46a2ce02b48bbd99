import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from '../../stacks/error.ts'
import { type Finding, lintPolicy } from './lint.ts'
import type { Kernel, LintOptions } from './rules/rule.ts'

/**
 * Lints files, all YAML files of folders, and standard input (`-`).
 * @throws LabError when one of them is not there.
 */
export function lintFiles(paths: string[], options: LintOptions = {}): { count: number; findings: Finding[] } {
  const files = paths.flatMap(path => {
    if (path === '-') return [path]
    if (!existsSync(path))
      throw new LabError({
        found: `no file ${path}`,
        expected: 'YAML files, or folders with some',
        next: './lab policy lint policies/*.yaml',
      })
    if (!statSync(path).isDirectory()) return [path]
    return readdirSync(path)
      .filter(file => /\.ya?ml$/.test(file))
      .sort()
      .map(file => join(path, file))
  })
  const findings = files.flatMap(file =>
    lintPolicy(readFileSync(file === '-' ? 0 : file, 'utf8'), file === '-' ? 'stdin' : file, options),
  )
  return { count: files.length, findings }
}

/**
 * What is known about the kernel under the Docker engine: its features, and where it is this machine's own, its functions.
 * @throws LabError when no kernel could be asked.
 */
export async function kernelHere(): Promise<Kernel> {
  const { kernelDecision } = await import('../doctor/kernel.ts')
  const { asked, features, why } = await kernelDecision({ pull: false })
  if (asked === 'nobody') throw new LabError({ found: why, expected: 'a kernel to ask', next: './lab doctor' })
  return { ...features, ...(asked !== 'engine' && { symbols: kernelSymbols() }) }
}

/** Names of this machine's kernel functions; undefined where they may not be read. */
function kernelSymbols(): ReadonlySet<string> | undefined {
  try {
    const names = readFileSync('/proc/kallsyms', 'utf8')
      .split('\n')
      .map(line => line.split(' ')[2]?.split('\t')[0] ?? '')
    return names.length > 1000 ? new Set(names) : undefined
  } catch {
    return undefined
  }
}
