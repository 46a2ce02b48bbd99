import { existsSync, readFileSync } from 'node:fs'
import Table from 'cli-table3'
import type { Command } from 'commander'
import colors from 'picocolors'
import { LabError } from '../../shared/lab-error.ts'
import { labPath } from '../../shared/paths.ts'
import { readSettings } from '../../shared/settings/stack-file.ts'
import { readSource } from '../../shared/validation/yaml-source.ts'
import { loadContext } from '../context/context.ts'
import { type Applied, applyPolicy, findInCluster, removePolicy, sameKey } from '../policy/apply.ts'
import { type CatalogEntry, policyFile, readCatalog } from '../policy/catalog.ts'
import { bundlePolicies } from '../policy/kustomize.ts'
import { type Finding, lintPolicy } from '../policy/lint/lint.ts'
import { kernelHere, lintFiles } from '../policy/lint-files.ts'
import { type ClusterState, type PolicyState, readClusterState, stateOf } from '../policy/state.ts'
import { wholeNumber } from '../terminal/lab-command.ts'
import { note, print, printJson } from '../terminal/output.ts'
import { notLoaded } from '../tetragon/agent-policies.ts'

interface Json {
  json?: boolean
}

/** `lab policy`: TracingPolicies, on paper and in the cluster. */
export function register(program: Command): void {
  const policy = program
    .command('policy')
    .description('TracingPolicies: list, show, check on paper, load, watch and unload them')
    .addHelpText('after', '\nExample:\n  ./lab policy apply deny-shadow && ./lab policy check deny-shadow')

  policy
    .command('list')
    .description('what the lab brings, and how it stands in the cluster')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExample:\n  ./lab policy list --json | jq -r ".[] | select(.enforces) | .name"')
    .action(async ({ json }: Json) => {
      const entries = readCatalog()
      const cluster = await clusterIfRunning()
      const rows = entries.map(entry => ({ ...entry, ...(cluster && { cluster: stateOf(entry, cluster) }) }))
      const foreign = (cluster?.objects ?? [])
        .filter(key => !entries.some(entry => sameKey(entry, key)))
        .map(key => stateOf(key, cluster!))
      if (json) return printJson([...rows, ...foreign.map(state => ({ name: state.name, cluster: state }))])
      showList(rows, foreign, cluster)
    })

  policy
    .command('show')
    .argument('<name>', 'a policy of the lab, or a file')
    .description('what it shows, costs and needs, how to trigger it, and the policy itself')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExample:\n  ./lab policy show deny-wget')
    .action((name: string, { json }: Json) => {
      const file = policyFile(name)
      const text = readFileSync(file, 'utf8')
      const entry = readCatalog().find(one => one.name === name)
      if (json) return printJson({ ...entry, document: readSource(text)[0]?.value, findings: lintPolicy(text, file) })
      print(text.trimEnd())
      if (entry?.twin)
        note(`${entry.monitor ? 'the one that acts' : 'in monitor mode'}: ./lab policy show ${entry.twin}`)
    })

  policy
    .command('apply')
    .argument('<name>', 'a policy of the lab, or a file')
    .description('lint it, hand it to the cluster, and wait until the agent has loaded it')
    .option('--timeout <seconds>', 'most time to wait for the agent', wholeNumber('--timeout', 60, { to: 3600 }), 60)
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExample:\n  ./lab policy apply block-service-account-token')
    .action(async (name: string, { json, timeout: seconds }: Json & { timeout: number }) => {
      await loadContext()
      const applied = await applyPolicy(name, { limit: seconds * 1000, warn: finding => note(oneLine(finding)) })
      if (json) printJson(applied)
      else for (const one of applied) print(sayApplied(one))
      const failed = applied.find(({ loading }) => loading && loading.outcome !== 'loaded')
      if (failed) throw notLoaded(failed.name, failed.loading, seconds)
    })

  policy
    .command('remove')
    .argument('<name>', 'a policy that is in the cluster')
    .description('take it out of the cluster, and wait until the agent has let go of it')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExample:\n  ./lab policy remove block-service-account-token')
    .action(async (name: string, { json }: Json) => {
      const { settings } = await loadContext()
      const removed = await removePolicy(name)
      if (json) printJson(removed)
      else print(`${label(removed)} is out of the cluster`)
      if (!removed.unloaded)
        throw new LabError({
          found: `the agent still has ${name} after a minute`,
          expected: 'that it lets go',
          next: './lab tetra tracingpolicy list',
        })
      if (settings.policies.apply.includes(name))
        note(`it belongs to the lab: ./lab policy apply ${name} brings it back`)
    })

  policy
    .command('check')
    .argument('<name>', 'a policy')
    .description('whether it is in the cluster and loaded, and what it has counted')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExample:\n  ./lab policy check deny-shadow --json | jq .counts.enforced')
    .action(async (name: string, { json }: Json) => {
      await loadContext()
      const cluster = await readClusterState()
      const state = stateOf((await findInCluster(name)) ?? { name }, cluster)
      if (json) printJson(state)
      else showState(state)
      if (state.state !== 'loaded' && state.state !== 'accepted') process.exitCode = 1
    })

  policy
    .command('lint')
    .argument('<files...>', 'files, folders, or - for standard input')
    .description('what the API server or the agent would refuse, or take for something else; needs no cluster')
    .option('--here', 'hold them against the kernel under the Docker engine too')
    .option('--json', 'print the findings as JSON')
    .addHelpText(
      'after',
      `
Exits 1 when there are errors. A warning that is meant is waived by a comment in the file:
  # lint: allow RULE, because REASON

Example:
  ./lab policy lint policies/*.yaml`,
    )
    .action(async (files: string[], { json, here }: Json & { here?: boolean }) => {
      const kernel = here ? await kernelHere() : undefined
      const { count, findings } = lintFiles(files, { kernel })
      const errors = findings.filter(({ level }) => level === 'error').length
      if (json) printJson(findings)
      else {
        showFindings(findings)
        note([many(count, 'file'), many(errors, 'error'), many(findings.length - errors, 'warning')].join(', '))
      }
      if (errors > 0) process.exitCode = 1
    })

  policy
    .command('bundle')
    .argument('<folder>', 'where to write; made if it is not there')
    .argument('[names...]', 'policies; those that are loaded with the lab when none is named')
    .description('write policies as a folder that kubectl apply -k, Argo CD and Flux take')
    .option('--namespace <name>', 'put it into policies that are for one namespace, in place of application')
    .option('--json', 'print the names of the files as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  ./lab policy bundle clusters/shop/policies --namespace shop tcp-connect deny-wget',
    )
    .action(async (folder: string, names: string[], { json, namespace }: Json & { namespace?: string }) => {
      const chosen = names.length > 0 ? names : readSettings().policies.apply
      const files = bundlePolicies(folder, chosen, { namespace, warn: finding => note(oneLine(finding)) })
      if (json) return printJson(files)
      for (const file of files) print(file)
      note(`try it: ./lab kubectl apply -k ${folder} --dry-run=server`)
    })
}

/** What the cluster says, when there is one to ask. */
async function clusterIfRunning(): Promise<ClusterState | undefined> {
  if (readSettings().cluster.mode === 'create' && !existsSync(labPath('kubeconfig'))) {
    note('no lab is running: this is what there is on paper')
    return undefined
  }
  try {
    await loadContext()
    return await readClusterState()
  } catch (error) {
    if (!(error instanceof LabError)) throw error
    note(`this is what there is on paper, because of the cluster: ${error.found}`)
    return undefined
  }
}

const many = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

const label = ({ name, namespace }: { name: string; namespace?: string }): string =>
  namespace ? `${namespace}/${name}` : name

const oneLine = ({ file, line, level, rule, message }: Finding): string =>
  `${file}:${line}: ${level === 'error' ? colors.red('error') : colors.yellow('warning')} ${rule}: ${message}`

function showFindings(findings: Finding[]): void {
  const explained = new Set<string>()
  for (const finding of findings) {
    print(oneLine(finding))
    if (!explained.has(finding.rule)) print(colors.dim(`  ${finding.why}`))
    explained.add(finding.rule)
    print(`  ${finding.fix}`)
  }
}

function showList(
  rows: (CatalogEntry & { cluster?: PolicyState })[],
  foreign: PolicyState[],
  cluster: ClusterState | undefined,
): void {
  const head = ['policy', 'reaches', 'does', 'severity', ...(cluster ? ['cluster'] : [])]
  // No lines between rows: there are many.
  const table = new Table({ head, style: { head: [], border: [], compact: true } })
  for (const row of rows)
    table.push([
      row.name,
      row.namespace ?? 'cluster',
      row.enforces ? colors.red(row.actions.join(', ')) : row.monitor ? `would ${row.actions.join(', ')}` : 'watches',
      row.severity ?? '',
      ...(row.cluster ? [sayState(row.cluster)] : []),
    ])
  for (const state of foreign)
    table.push([colors.dim(state.name), state.namespace ?? 'cluster', '', '', sayState(state)])
  print(table.toString())
  if (cluster && cluster.source !== 'live') note('no agent runs here: policies are accepted, and nothing loads them')
}

const sayState = ({ state, counts }: PolicyState): string => {
  if (state === 'absent') return ''
  if (state === 'refused') return colors.red('refused')
  return counts ? `${state}, ${counts.events} events` : state
}

function showState({ state, error, mode, counts, kernelBytes, ...key }: PolicyState): void {
  const says: Record<PolicyState['state'], string> = {
    loaded: colors.green('is loaded by the agent'),
    refused: colors.red('was refused by the agent'),
    loading: colors.yellow('is in the cluster, and not loaded yet'),
    accepted: 'is in the cluster; no agent runs here to load it, because the events are a recording',
    absent: colors.red('is not in the cluster'),
  }
  print(`${label(key)} ${says[state]}`)
  if (error) print(`  ${error}`)
  if (mode) print(`  mode      ${mode}`)
  if (counts) print(`  counts    ${counts.events} events, ${counts.enforced} enforced, ${counts.would} would have been`)
  if (kernelBytes) print(`  memory    ${Math.round(kernelBytes / 1000)} kB in the kernel`)
  if (state === 'absent') note(`next: ./lab policy apply ${key.name}`)
}

function sayApplied({ object, source, loading, ...key }: Applied): string {
  if (!loading)
    return `${label(key)} ${object}: the API server accepted it. ${source === 'replay' ? 'No agent runs here to load it: the events are a recording.' : 'No agent runs here to load it.'}`
  return loading.outcome === 'loaded'
    ? `${label(key)} ${object}, and loaded by ${loading.agents.length === 1 ? 'the agent' : `${loading.agents.length} agents`}`
    : `${label(key)} ${object}`
}
