import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { LabError } from '../../shared/lab-error.ts'
import { policyFile } from './catalog.ts'
import { type Finding, lintPolicy } from './lint/lint.ts'
import type { Kernel, LintOptions } from './lint/rule.ts'

/**
 * Lints files, the YAML files in folders and their sub-folders, and standard input (`-`).
 * @throws LabError when a file does not exist, or a folder has no YAML file.
 */
export function lintFiles(paths: string[], options: LintOptions = {}): { count: number; findings: Finding[] } {
  const files = paths.flatMap(path => (path !== '-' && isFolder(path) ? yamlFilesIn(path) : [path]))
  const findings = files.flatMap(file =>
    lintPolicy(readFileSync(file === '-' ? 0 : file, 'utf8'), file === '-' ? 'stdin' : file, options),
  )
  return { count: files.length, findings }
}

function yamlFilesIn(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(({ name, parentPath }) => /\.ya?ml$/.test(name) && !isHidden(relative(folder, parentPath)))
    .map(({ name, parentPath }) => join(parentPath, name))
    .filter(path => !isFolder(path))
    .sort()
  if (files.length === 0)
    throw new LabError({
      found: `The folder ${folder} has no YAML files`,
      next: './lab policy lint policies/*.yaml',
      exitCode: 2,
    })
  return files
}

/** A mounted ConfigMap has a second copy of its files in a hidden folder. */
const isHidden = (folder: string): boolean => folder.split(sep).some(name => name.startsWith('.'))

function isFolder(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats) return stats.isDirectory()
  const isLink = lstatSync(path, { throwIfNoEntry: false }) !== undefined
  throw new LabError({
    found: isLink ? `${path} is a link to a file that does not exist` : `The file ${path} does not exist`,
    expected: 'YAML files, or folders with YAML files',
    next: isLink ? `ls -l ${path}` : './lab policy lint policies/*.yaml',
  })
}

/**
 * Reads a policy that is about to be applied or published.
 * @param nameOrFile A policy of the lab, or a file.
 * @param warn Called with each warning.
 * @throws LabError when the lint finds an error.
 */
export function readLintedPolicy(
  nameOrFile: string,
  warn?: (finding: Finding) => void,
): { file: string; text: string } {
  const file = policyFile(nameOrFile)
  const text = readFileSync(file, 'utf8')
  const findings = lintPolicy(text, file)
  const [first, ...others] = findings.filter(({ level }) => level === 'error')
  if (first)
    throw new LabError({
      found: `${file}:${first.line}: ${first.message}${others.length > 0 ? `, and ${others.length} more` : ''}`,
      expected: first.fix,
      next: `./lab policy lint ${file}`,
    })
  for (const finding of findings) warn?.(finding)
  return { file, text }
}

/**
 * Returns the features of the kernel that the lab runs on, and its functions if it is the kernel of this machine.
 * @throws LabError when no kernel could be probed.
 */
export async function readTargetKernel(): Promise<Kernel> {
  const { kernelDecision } = await import('../kernel/decision.ts')
  const { readClusterTarget } = await import('../../shared/settings/stack-file.ts')
  const { probed, features, why } = await kernelDecision({ cluster: readClusterTarget(), pull: false })
  if (probed === 'none') throw new LabError({ found: why, next: './lab doctor' })
  return { ...features, ...(probed !== 'engine' && probed !== 'node' && { symbols: readKernelSymbols() }) }
}

/** Returns the names of this machine's kernel functions; undefined when the kernel hides them. */
function readKernelSymbols(): ReadonlySet<string> | undefined {
  try {
    const names = readFileSync('/proc/kallsyms', 'utf8')
      .split('\n')
      .map(line => line.split(' ')[2]?.split('\t')[0] ?? '')
    return names.length > 1000 ? new Set(names) : undefined
  } catch {
    return undefined
  }
}
