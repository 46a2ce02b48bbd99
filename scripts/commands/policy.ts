import { readFileSync } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import type { Command } from 'commander'
import { LabError } from '../../shared/lab-error.ts'
import { readSettings } from '../../shared/settings/stack-file.ts'
import { nearest } from '../../shared/validation/schema-errors.ts'
import { readSource } from '../../shared/validation/yaml-source.ts'
import { loadRunningLab } from '../context/context.ts'
import { type AppliedPolicy, applyPolicy, findClusterPolicy, isSamePolicy, removePolicy } from '../policy/apply.ts'
import { type CatalogEntry, catalogEntry, policyFile, readCatalog } from '../policy/catalog.ts'
import {
  closingNote,
  type FindingsFormat,
  findingsFormats,
  formatFinding,
  formatFindings,
  plural,
} from '../policy/findings-format.ts'
import { kernelFileScript, kernelFileText, readKernelFile } from '../policy/kernel-file.ts'
import { type KustomizationOptions, writeKustomization } from '../policy/kustomize.ts'
import { type Finding, lintPolicy, ruleInfos } from '../policy/lint/lint.ts'
import { lintFiles, readTargetKernel } from '../policy/lint-files.ts'
import { type ClusterState, type PolicyState, readClusterState, stateOf } from '../policy/policy-state.ts'
import { explainRule, formatExplanation } from '../policy/rule-explanation.ts'
import { showTrial } from '../policy/trial/trial-report.ts'
import { tryPolicy } from '../policy/trial/try-policy.ts'
import { colors } from '../terminal/colors.ts'
import { addGroup, wholeNumber, withValues } from '../terminal/lab-command.ts'
import { note, print, printJson } from '../terminal/output.ts'
import { plainTable } from '../terminal/table.ts'
import { notLoadedError } from '../tetragon/agent-policies.ts'

interface Json {
  json?: boolean
}

export function register(program: Command): void {
  const policy = addGroup(
    program,
    'policy',
    'List, show, lint, load and unload TracingPolicies',
    'Example:\n  ./lab policy apply deny-shadow && ./lab policy check deny-shadow',
  )

  policy
    .command('list')
    .description('List the policies of the lab, and their state in the cluster')
    .option('--json', 'Print the result as JSON')
    .addHelpText('after', '\nExample:\n  ./lab policy list --json | jq -r ".[] | select(.enforces) | .name"')
    .action(async ({ json }: Json) => {
      const entries = readCatalog()
      const cluster = await clusterIfRunning()
      const rows = entries.map(entry => ({ ...entry, ...(cluster && { cluster: stateOf(entry, cluster) }) }))
      const foreign = (cluster?.objects ?? [])
        .filter(key => !entries.some(entry => isSamePolicy(entry, key)))
        .map(key => stateOf(key, cluster!))
      if (json) return printJson([...rows, ...foreign.map(state => ({ name: state.name, cluster: state }))])
      showList(rows, foreign, cluster)
    })

  policy
    .command('show')
    .argument('<policy>', 'A policy of the lab, or a file')
    .description('Show a policy: what it does, costs and needs, and how to trigger it')
    .option('--json', 'Print the result as JSON')
    .addHelpText('after', '\nExample:\n  ./lab policy show deny-wget')
    .action((name: string, { json }: Json) => {
      const file = policyFile(name)
      const text = readFileSync(file, 'utf8')
      const entry = readCatalog().find(each => each.name === name)
      if (json) return printJson({ ...entry, document: readSource(text)[0]?.value, findings: lintPolicy(text, file) })
      print(text.trimEnd())
      if (entry) note(`To try it: ./lab policy try ${entry.name}. It runs:\n  ${entry.trial.run}`)
      if (entry?.twin)
        note(
          `${entry.monitor ? 'The enforcing version' : 'The version in monitor mode'}: ./lab policy show ${entry.twin}`,
        )
    })

  policy
    .command('apply')
    .argument('<policy>', 'A policy of the lab, or a file')
    .description('Lint a policy, apply it to the cluster, and wait until the agent has loaded it')
    .option('--timeout <seconds>', 'Maximum time to wait for the agent', wholeNumber('--timeout', 60, { to: 3600 }), 60)
    .option('--json', 'Print the result as JSON')
    .addHelpText('after', '\nExample:\n  ./lab policy apply block-service-account-token')
    .action(async (name: string, { json, timeout: seconds }: Json & { timeout: number }) => {
      const context = await loadRunningLab()
      const applied = await applyPolicy(context, name, {
        timeoutMs: seconds * 1000,
        warn: finding => note(formatFinding(finding)),
      })
      if (json) printJson(applied)
      else for (const each of applied) print(formatApplied(each))
      const failed = applied.find(({ loading }) => loading && loading.outcome !== 'loaded')
      if (failed?.loading) throw notLoadedError(failed.name, failed.loading)
    })

  policy
    .command('remove')
    .argument('<policy>', 'A policy in the cluster')
    .description('Delete a policy from the cluster, and wait until the agent has unloaded it')
    .option('--json', 'Print the result as JSON')
    .addHelpText('after', '\nExample:\n  ./lab policy remove block-service-account-token')
    .action(async (name: string, { json }: Json) => {
      const context = await loadRunningLab()
      const removed = await removePolicy(context, name)
      if (json) printJson(removed)
      else print(`${qualifiedName(removed)} is removed from the cluster`)
      if (!removed.unloaded)
        throw new LabError({
          found: `The agent has not unloaded ${name} after ${removed.seconds} s`,
          next: './lab tetra tracingpolicy list',
        })
      if (context.settings.policies.apply.includes(name))
        note(`${name} is loaded with the lab by default. To restore it: ./lab policy apply ${name}`)
    })

  policy
    .command('check')
    .argument('<policy>', 'A policy')
    .description('Show whether a policy is in the cluster and loaded, and its counters')
    .option('--json', 'Print the result as JSON')
    .addHelpText('after', '\nExample:\n  ./lab policy check deny-shadow --json | jq .counts.enforced')
    .action(async (name: string, { json }: Json) => {
      const context = await loadRunningLab()
      const cluster = await readClusterState(context)
      const state = stateOf((await findClusterPolicy(context, name)) ?? { name }, cluster)
      if (json) printJson(state)
      else showState(state)
      if (state.state !== 'loaded' && state.state !== 'accepted') process.exitCode = 1
    })

  policy
    .command('try')
    .argument('<policy>', 'A policy of the lab')
    .description('Trigger a policy, show its events and what it does, and compare that with what it promises')
    .option('--timeout <seconds>', 'Maximum time to wait for the agent', wholeNumber('--timeout', 60, { to: 3600 }), 60)
    .option('--json', 'Print the result as JSON')
    .addHelpText(
      'after',
      `
Loads the policy if it is not loaded, and removes it afterwards. Exits with 1 if it does not do what it promises.

Example:
  ./lab policy try deny-shadow`,
    )
    .action(async (policy: string, { json, timeout: seconds }: Json & { timeout: number }) => {
      const { name } = catalogEntry(policy)
      const result = await tryPolicy(await loadRunningLab(), name, {
        timeoutMs: seconds * 1000,
        warn: finding => note(formatFinding(finding)),
        progress: note,
      })
      if (json) printJson(result)
      else showTrial(result)
      if (!result.passed) process.exitCode = 1
    })

  policy
    .command('lint')
    .argument('[files...]', 'Files, folders with their sub-folders, or - for standard input')
    .description('Find what the API server or the agent would refuse or misread; needs no cluster')
    .option('--kernel <file>', 'Check against the kernel of a file that lab policy symbols wrote')
    .option('--here', 'Check against the kernel that the lab runs on')
    .addOption(
      withValues(
        program
          .createOption('--format <format>', `How to print the findings: ${findingsFormats.join(', ')}`)
          .argParser(findingsFormat),
        findingsFormats,
      ),
    )
    .option('--json', 'Print the findings as JSON, like --format json')
    .option('--only-policies', 'Skip files that are not about policies')
    .addOption(
      withValues(
        program.createOption('--explain <rule>', 'Explain a rule, with its source and examples, instead of linting'),
        ruleInfos.map(({ id }) => id),
      ),
    )
    .addHelpText(
      'after',
      `
Exits with 1 if there are errors. To accept a finding, add a comment to the file:
  # lint: allow RULE, because REASON

Example:
  ./lab policy lint policies/*.yaml`,
    )
    .action(async (files: string[], options: LintCommandOptions) => {
      const { explain, kernel: kernelFile, here, json, onlyPolicies } = options
      const format = options.format ?? (json ? 'json' : 'text')
      if (json && format !== 'json') throw conflictError('--json', `--format ${format}`)
      if (here && kernelFile !== undefined) throw conflictError('--here', '--kernel')
      if (explain !== undefined) {
        if (files.length > 0) throw conflictError('--explain', 'files')
        const explanation = explainRule(explain)
        return format === 'json' ? printJson(explanation) : print(formatExplanation(explanation))
      }
      if (files.length === 0)
        throw new LabError({
          found: '<files> is missing after ./lab policy lint',
          expected: 'files, folders with their sub-folders, or - for standard input',
          next: './lab policy lint policies/*.yaml',
          exitCode: 2,
        })
      const kernel = kernelFile !== undefined ? readKernelFile(kernelFile) : here ? await readTargetKernel() : undefined
      // A synchronous read fails while the program at the other end of the pipe has not written yet.
      const input = files.includes('-') ? await buffer(process.stdin) : undefined
      const { findings, ...counts } = lintFiles(files, { kernel, onlyPolicies, input })
      const output = formatFindings(format, findings)
      if (output !== '') print(output)
      if (format === 'text' || format === 'github') note(summarizeLint(findings, counts))
      const closing = format === 'text' && closingNote(findings)
      if (closing) note(closing)
      if (findings.some(({ level }) => level === 'error')) process.exitCode = 1
    })

  policy
    .command('symbols')
    .description('Print the names in this kernel that policies can hook, for lab policy lint --kernel')
    .option('--script', 'Print the shell script that does it, for a machine without the lab')
    .addHelpText(
      'after',
      `
Changes nothing on the machine. Without root, the tracepoints and some features are unknown.

Example:
  ./lab policy symbols > kernel.txt && ./lab policy lint --kernel kernel.txt policies/*.yaml
  ./lab policy symbols --script | ssh NODE sudo sh > kernel.txt`,
    )
    .action(async ({ script }: { script?: boolean }) =>
      print((script ? kernelFileScript() : await kernelFileText()).trimEnd()),
    )

  policy
    .command('kustomize')
    // Its name before `lab bundle` existed.
    .alias('bundle')
    .argument('<folder>', 'Folder to write to; created if it does not exist')
    .argument('[policies...]', 'Policies (default: those that are loaded with the lab)')
    .description('Write policies as a kustomization for kubectl apply -k, Argo CD and Flux')
    .option('--namespace <name>', 'Namespace for namespaced policies, instead of application')
    .option('--monitor', 'Only report what the policies would block')
    .option('--pods <key=value>', 'Only pods with this label, as in topology.kubernetes.io/zone=eu-1a', podLabel)
    .option('--check', 'Add a Job that fails the sync when an agent could not load a policy')
    .option('--json', 'Print the file names as JSON')
    .addHelpText(
      'after',
      `
gitops/README.md shows how Argo CD and Flux use it, and how to roll a policy out.

Example:
  ./lab policy kustomize clusters/shop/policies --namespace shop --check tcp-connect deny-wget`,
    )
    .action(async (folder: string, names: string[], { json, ...options }: Json & KustomizationOptions) => {
      const chosen = names.length > 0 ? names : readSettings().policies.apply
      const files = writeKustomization(folder, chosen, { ...options, warn: finding => note(formatFinding(finding)) })
      if (json) return printJson(files)
      for (const file of files) print(file)
      note(`Try it: ./lab kubectl apply -k ${folder} --dry-run=server`)
    })
}

/** Returns the state of the policies in the cluster, if one is running. */
async function clusterIfRunning(): Promise<ClusterState | undefined> {
  try {
    return await readClusterState(await loadRunningLab())
  } catch (error) {
    if (!(error instanceof LabError)) throw error
    note(`${error.found}: the state in the cluster is not shown`)
    return undefined
  }
}

const qualifiedName = ({ name, namespace }: { name: string; namespace?: string }): string =>
  namespace ? `${namespace}/${name}` : name

interface LintCommandOptions extends Json {
  explain?: string
  format?: FindingsFormat
  here?: boolean
  kernel?: string
  onlyPolicies?: boolean
}

/** Parses the value of --pods. */
function podLabel(text: string): { key: string; value: string } {
  const [, key, value] = /^([\w./-]+)=([\w.-]*)$/.exec(text) ?? []
  if (key !== undefined && value !== undefined) return { key, value }
  throw new LabError({
    found: `--pods is ${text || '""'}`,
    expected: 'a label of the pods as key=value',
    next: 'repeat the command with --pods topology.kubernetes.io/zone=eu-1a',
    exitCode: 2,
  })
}

/** Parses the value of --format. */
function findingsFormat(text: string): FindingsFormat {
  const format = findingsFormats.find(name => name === text)
  if (format) return format
  throw new LabError({
    found: `--format is ${text || '""'}`,
    expected: `one of ${findingsFormats.join(', ')}`,
    next: `repeat the command with --format ${nearest(text, findingsFormats) ?? 'json'}`,
    exitCode: 2,
  })
}

const conflictError = (first: string, second: string): LabError =>
  new LabError({
    found: `${first} and ${second} cannot be used together`,
    next: `repeat the command without ${second}`,
    exitCode: 2,
  })

function summarizeLint(findings: Finding[], { count, skipped }: { count: number; skipped: number }): string {
  const number = (level: Finding['level']): number => findings.filter(finding => finding.level === level).length
  const skippedFiles = skipped > 0 ? ` (skipped ${plural(skipped, 'file')} without a policy)` : ''
  return `${[plural(count, 'file'), plural(number('error'), 'error'), plural(number('warn'), 'warning')].join(', ')}${skippedFiles}`
}

function showList(
  rows: (CatalogEntry & { cluster?: PolicyState })[],
  foreign: PolicyState[],
  cluster: ClusterState | undefined,
): void {
  const table = plainTable(['policy', 'scope', 'action', 'severity', ...(cluster ? ['cluster'] : [])])
  for (const row of rows)
    table.push([
      row.name,
      row.namespace ?? 'cluster',
      row.enforces ? colors.red(row.actions.join(', ')) : row.monitor ? `would ${row.actions.join(', ')}` : 'observe',
      row.severity ?? '',
      ...(row.cluster ? [formatState(row.cluster)] : []),
    ])
  for (const state of foreign)
    table.push([colors.dim(state.name), state.namespace ?? 'cluster', '', '', formatState(state)])
  print(table.toString())
  if (cluster && cluster.source !== 'live') note('No agent is running, so accepted policies are not loaded')
}

const formatState = ({ state, counts }: PolicyState): string => {
  if (state === 'absent') return ''
  if (state === 'refused') return colors.red('refused')
  return counts ? `${state}, ${counts.events} events` : state
}

function showState({ state, error, mode, counts, kernelBytes, ...key }: PolicyState): void {
  const stateText: Record<PolicyState['state'], string> = {
    loaded: colors.green('is loaded by the agent'),
    refused: colors.red('was refused by the agent'),
    loading: colors.yellow('is in the cluster but not loaded yet'),
    accepted: 'is in the cluster, but no agent is running to load it: the events are a replay',
    absent: colors.red('is not in the cluster'),
  }
  print(`${qualifiedName(key)} ${stateText[state]}`)
  if (error) print(`  ${error}`)
  if (mode) print(`  mode      ${mode}`)
  if (counts)
    print(`  counts    ${counts.events} events, ${counts.enforced} enforced, ${counts.would} would have been enforced`)
  if (kernelBytes) print(`  memory    ${Math.round(kernelBytes / 1000)} kB in the kernel`)
  if (state === 'absent') note(`To load it: ./lab policy apply ${key.name}`)
}

function formatApplied({ object, source, loading, ...key }: AppliedPolicy): string {
  if (!loading)
    return `${qualifiedName(key)} ${object}. No agent is running to load it${source === 'replay' ? ': the events are a replay' : ''}.`
  if (loading.outcome !== 'loaded') return `${qualifiedName(key)} ${object}`
  const agents = loading.agents.length === 1 ? 'the agent' : `${loading.agents.length} agents`
  return `${qualifiedName(key)} ${object}, and loaded by ${agents}`
}
