import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from '../../shared/lab-error.ts'
import { policyFile } from './catalog.ts'
import { type Finding, lintPolicy } from './lint/lint.ts'
import type { Kernel, LintOptions } from './lint/rule.ts'

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
 * Reads a policy that is to go to a cluster.
 * @param nameOrFile As the user called it.
 * @param warn Told of the lint's warnings.
 * @throws LabError when the lint finds an error.
 */
export function readSound(nameOrFile: string, warn?: (finding: Finding) => void): { file: string; text: string } {
  const file = policyFile(nameOrFile)
  const text = readFileSync(file, 'utf8')
  const findings = lintPolicy(text, file)
  const errors = findings.filter(({ level }) => level === 'error')
  if (errors[0])
    throw new LabError({
      found: `${file}:${errors[0].line}: ${errors[0].message}${errors.length > 1 ? `, and ${errors.length - 1} more` : ''}`,
      expected: errors[0].fix,
      next: `./lab policy lint ${file}`,
    })
  for (const finding of findings) warn?.(finding)
  return { file, text }
}

/**
 * What is known about the kernel that the lab is for: its features, and where it is this machine's own, its functions.
 * @throws LabError when no kernel could be asked.
 */
export async function kernelHere(): Promise<Kernel> {
  const { kernelDecision } = await import('../kernel/decision.ts')
  const { readTarget } = await import('../../shared/settings/stack-file.ts')
  const { asked, features, why } = await kernelDecision({ cluster: readTarget(), pull: false })
  if (asked === 'nobody') throw new LabError({ found: why, expected: 'a kernel to ask', next: './lab doctor' })
  return { ...features, ...(asked !== 'engine' && asked !== 'node' && { symbols: kernelSymbols() }) }
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
