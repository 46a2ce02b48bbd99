import { isUtf8 } from 'node:buffer'
import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative, resolve, sep } from 'node:path'
import { LabError } from '../../shared/lab-error.ts'
import { projectDir } from '../../shared/paths.ts'
import { shellQuote } from '../../shared/shell-quote.ts'
import { nearest } from '../../shared/validation/schema-errors.ts'
import { policyFile } from './catalog.ts'
import { kernelFileText, parseKernelFile } from './kernel-file.ts'
import { type Finding, lintPolicy, ruleReasons } from './lint/lint.ts'
import type { Kernel, LintOptions } from './lint/rule.ts'
import { policyKinds } from './model/crd-schema.ts'
import { sections } from './model/policy-model.ts'

export interface LintFilesOptions extends Omit<LintOptions, 'foreign'> {
  /** The content of standard input, for the path `-`. */
  input?: Buffer
  /** Skips files that are not about policies even if they are named, as a hook for all YAML files needs it. */
  onlyPolicies?: boolean
}

interface LintedFiles {
  findings: Finding[]
  /** Files that were linted. */
  count: number
  /** YAML files that are not about policies. */
  skipped: number
}

/**
 * Lints files, the policies in folders and their sub-folders, and standard input (`-`). Other YAML files in a folder,
 * such as those of workloads, are skipped.
 * @throws LabError when a file does not exist, or a folder has no policy.
 */
export function lintFiles(paths: string[], allOptions: LintFilesOptions = {}): LintedFiles {
  const { onlyPolicies = false, input = Buffer.alloc(0), ...options } = allOptions
  const seen = new Set<string>()
  const result: LintedFiles = { findings: [], count: 0, skipped: 0 }
  for (const path of paths) {
    const inFolder = path !== '-' && isFolder(path)
    const files = inFolder ? yamlFilesIn(path) : [path]
    const texts = files.map(file =>
      file === '-' ? { file: 'stdin', ...decode(input) } : { file, ...decode(readFileSync(file)) },
    )
    const policies = inFolder || onlyPolicies ? texts.filter(({ text }) => mentionsPolicy(text)) : texts
    if (inFolder && policies.length === 0) throw noPolicyError(path, files.length)
    for (const { file, text, badLine } of policies.filter(({ file }) => isFirst(seen, file))) {
      result.count += 1
      result.findings.push(
        ...(badLine
          ? [encodingFinding(file, badLine)]
          : lintPolicy(text, file, { ...options, foreign: isForeign(file) })),
      )
    }
    result.skipped += texts.length - policies.length
  }
  return result
}

/** Returns whether a file is not one of the lab's, so that its policies are not for the lab's pipeline. */
const isForeign = (file: string): boolean => relative(projectDir, resolve(file)).split(sep)[0] === '..'

/** Returns whether a file was not named before, in whatever way. */
function isFirst(seen: Set<string>, file: string): boolean {
  const path = resolve(file)
  if (seen.has(path)) return false
  seen.add(path)
  return true
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true })

/** Decodes the content of a file. `badLine` is the first line that is not UTF-8. */
function decode(bytes: Buffer): { text: string; badLine?: number } {
  try {
    return { text: strictUtf8.decode(bytes) }
  } catch {
    // Latin-1 has every byte, so the other lines stay readable.
    const text = bytes.toString('latin1')
    return { text, badLine: 1 + text.split('\n').findIndex(line => !isUtf8(Buffer.from(line, 'latin1'))) }
  }
}

const encodingFinding = (file: string, line: number): Finding => ({
  rule: 'yaml',
  level: 'error',
  file,
  line,
  message: 'The file is not UTF-8 text',
  why: ruleReasons.yaml!,
  fix: 'Save it as UTF-8',
})

const hooks = new RegExp(`^[\\s-]*["']?(${sections.join('|')})["']?\\s*:`, 'm')

/** Returns whether a YAML file may hold a policy, judging by its top-level kinds. A misspelt kind counts. */
function mentionsPolicy(text: string): boolean {
  const kinds = [...text.matchAll(/^["']?kind["']?\s*:\s*["']?([A-Za-z]+)/gm)].map(([, kind]) => kind!)
  // A template, JSON, or a file whose kind was forgotten.
  if (kinds.length === 0) return text.includes('TracingPolicy') || hooks.test(text)
  return kinds.some(kind =>
    kind.endsWith('List') ? text.includes('TracingPolicy') : /^tracing/i.test(kind) || nearest(kind, policyKinds),
  )
}

const noPolicyError = (folder: string, files: number): LabError =>
  new LabError({
    found: `The folder ${folder} has no policies`,
    expected: `a TracingPolicy in ${files === 1 ? 'its YAML file' : `one of its ${files} YAML files`}`,
    next: `grep -rl TracingPolicy ${shellQuote(folder)}`,
    exitCode: 2,
  })

function yamlFilesIn(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(({ name, parentPath }) => /\.ya?ml$/.test(name) && !isIgnored(relative(folder, parentPath)))
    .map(({ name, parentPath }) => join(parentPath, name))
    .filter(path => !isFolder(path))
    .sort()
  if (files.length === 0)
    throw new LabError({
      found: `The folder ${folder} has no YAML files`,
      next: `ls ${shellQuote(folder)}`,
      exitCode: 2,
    })
  return files
}

/** Returns whether a folder is left out. A mounted ConfigMap has a second copy of its files in a hidden folder. */
const isIgnored = (folder: string): boolean =>
  folder.split(sep).some(name => name.startsWith('.') || name === 'node_modules')

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
 * Returns the features of the kernel that the lab runs on, and its names if it is the kernel of this machine.
 * @throws LabError when no kernel could be probed.
 */
export async function readTargetKernel(): Promise<Kernel> {
  const { kernelDecision } = await import('../kernel/decision.ts')
  const { readClusterTarget } = await import('../../shared/settings/stack-file.ts')
  const { probed, features, kernel, why } = await kernelDecision({ cluster: readClusterTarget(), pull: false })
  if (probed === 'none') throw new LabError({ found: why, next: './lab doctor' })
  const isThisMachine = probed !== 'engine' && probed !== 'node'
  const { symbols, tracepoints, arch } = (isThisMachine && parseKernelFile(await kernelFileText())) || {}
  return {
    ...features,
    release: kernel?.release,
    ...(symbols && { symbols }),
    ...(tracepoints && { tracepoints }),
    ...(arch && { arch }),
  }
}
