import type { Path } from '../../../shared/validation/yaml-source.ts'
import type { Feature } from '../../kernel/features.ts'
import type { PolicyKind } from './crd-schema.ts'

// A TracingPolicy as the lint and the catalog look at it: the hooks with their arguments, selectors and actions, each with its
// place in the document. Built from anything, sound or not: what has the wrong type is left out, for the schema to complain about.

type Dict = Record<string, unknown>

/** Parts of a spec that hold hooks. */
export const sections = ['kprobes', 'tracepoints', 'lsmhooks', 'uprobes', 'usdts', 'fentries'] as const
export type Section = (typeof sections)[number]

export interface Policy {
  kind: PolicyKind
  name?: string
  namespace?: string
  spec: Dict
  hooks: Hook[]
  options: Option[]
}

export interface Option {
  path: Path
  name: string
  value: string
}

/** One place in the kernel (or a program) that a policy attaches to. */
export interface Hook {
  section: Section
  path: Path
  /** Function, tracepoint (`subsystem/event`), LSM hook or program. */
  name: string
  /** As it stands in the file: undefined counts as true with kprobes. */
  syscall?: boolean
  spec: Dict
  args: Argument[]
  selectors: Selector[]
}

export interface Argument {
  path: Path
  index: number
  type?: string
  resolve?: string
}

export interface Selector {
  path: Path
  spec: Dict
  args: ArgumentFilter[]
  binaries: Filter[]
  parentBinaries: Filter[]
  actions: Action[]
}

export interface Filter {
  path: Path
  operator: string
  values: string[]
  spec: Dict
}

export interface ArgumentFilter extends Filter {
  list: 'matchArgs' | 'matchData' | 'matchReturnArgs'
  /** The argument that is compared, when there is one. */
  argument?: Argument
}

export interface Action {
  path: Path
  action: string
  spec: Dict
  /** Whether it stands in matchReturnActions. */
  onReturn: boolean
}

/** What a policy's document says, as far as it can be made out. */
export function readPolicyModel(kind: PolicyKind, value: unknown): Policy {
  const document = dict(value)
  const metadata = dict(document.metadata)
  const spec = dict(document.spec)
  return {
    kind,
    name: text(metadata.name),
    namespace: text(metadata.namespace),
    spec,
    hooks: sections.flatMap(section => items(spec[section], ['spec', section]).map(item => hook(section, item))),
    options: items(spec.options, ['spec', 'options']).map(({ path, spec: option }) => ({
      path,
      name: String(option.name ?? ''),
      value: String(option.value ?? ''),
    })),
  }
}

function hook(section: Section, { path, spec }: Item): Hook {
  const args = items(spec.args, [...path, 'args']).map(argument)
  const data = items(spec.data, [...path, 'data']).map(argument)
  const returned = spec.returnArg ? [argument({ path: [...path, 'returnArg'], spec: dict(spec.returnArg) })] : []
  const name =
    section === 'tracepoints'
      ? `${text(spec.subsystem) ?? ''}/${text(spec.event) ?? ''}`
      : (text(spec.call) ?? text(spec.hook) ?? text(spec.path) ?? '')
  return {
    section,
    path,
    name,
    ...(typeof spec.syscall === 'boolean' && { syscall: spec.syscall }),
    spec,
    args,
    selectors: items(spec.selectors, [...path, 'selectors']).map(item =>
      // With tracepoints an index that is no field's counts positions in the file.
      selector(item, args, data, returned, section === 'tracepoints'),
    ),
  }
}

function argument({ path, spec }: Item): Argument {
  return { path, index: Number(spec.index ?? 0), type: text(spec.type), resolve: text(spec.resolve) || undefined }
}

function selector(
  { path, spec }: Item,
  args: Argument[],
  data: Argument[],
  returned: Argument[],
  positional: boolean,
): Selector {
  const filters = (list: ArgumentFilter['list'], find: (filter: Dict) => Argument | undefined): ArgumentFilter[] =>
    items(spec[list], [...path, list]).map(item => ({ ...filter(item), list, argument: find(item.spec) }))
  const actions = (list: string, onReturn: boolean): Action[] =>
    items(spec[list], [...path, list]).map(item => ({
      path: item.path,
      action: String(item.spec.action ?? ''),
      spec: item.spec,
      onReturn,
    }))
  const binaries = (list: string): Filter[] => items(spec[list], [...path, list]).map(filter)
  return {
    path,
    spec,
    args: [
      // As the agent looks it up: `args` counts positions in the file, `index` those of the function's parameters.
      ...filters('matchArgs', ({ args: positions, index = 0 }) =>
        Array.isArray(positions) && positions.length > 0
          ? args[positions[0] as number]
          : (args.find(argument => argument.index === index) ?? (positional ? args[index as number] : undefined)),
      ),
      ...filters('matchData', ({ args: positions, index = 0 }) =>
        Array.isArray(positions) && positions.length > 0 ? data[positions[0] as number] : data[index as number],
      ),
      ...filters('matchReturnArgs', () => returned[0]),
    ],
    binaries: binaries('matchBinaries'),
    parentBinaries: binaries('matchParentBinaries'),
    actions: [...actions('matchActions', false), ...actions('matchReturnActions', true)],
  }
}

function filter({ path, spec }: Item): Filter {
  const values = Array.isArray(spec.values) ? spec.values.map(String) : []
  return { path, operator: String(spec.operator ?? ''), values, spec }
}

interface Item {
  path: Path
  spec: Dict
}

/** The objects of a list with their places; whatever else is in it is left out. */
export function items(value: unknown, path: Path): Item[] {
  if (!Array.isArray(value)) return []
  return value.flatMap((spec, index) => (isDict(spec) ? [{ path: [...path, index], spec }] : []))
}

const isDict = (value: unknown): value is Dict => value !== null && typeof value === 'object' && !Array.isArray(value)
const dict = (value: unknown): Dict => (isDict(value) ? value : {})
const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/** What is appended to a policy's name for its twin in monitor mode; the pipeline tells by it that nothing was stopped. */
export const monitorSuffix = '-monitor'

const enforcing = new Set(['Sigkill', 'Signal', 'Override', 'NotifyEnforcer'])

/** Whether an action interferes with the process rather than reporting it. */
export const isEnforcing = (action: Action): boolean => enforcing.has(action.action)

/** The actions of a policy that interfere, whatever its mode. */
export const enforcingActions = (policy: Policy): Action[] =>
  policy.hooks.flatMap(hook => hook.selectors.flatMap(selector => selector.actions.filter(isEnforcing)))

/** Parts of a selector that leave something out. */
const filterKeys = [
  'matchArgs',
  'matchData',
  'matchReturnArgs',
  'matchPIDs',
  'matchBinaries',
  'matchParentBinaries',
  'matchNamespaces',
  'matchNamespaceChanges',
  'matchCapabilities',
  'matchCapabilityChanges',
  'macros',
]

/** Whether a selector leaves anything out. */
export const isFiltered = ({ spec }: Selector): boolean =>
  filterKeys.some(key => Array.isArray(spec[key]) && spec[key].length > 0)

/** Whether a policy is loaded in monitor mode: it reports what it would have done, and does nothing. Of an option given twice the last counts. */
export const isMonitor = (policy: Policy): boolean =>
  policy.options.findLast(({ name }) => name === 'policy-mode')?.value === 'monitor'

/** Whether a policy, loaded as it stands, kills or denies. */
export const enforces = (policy: Policy): boolean => enforcingActions(policy).length > 0 && !isMonitor(policy)

/** Something that a policy needs of the kernel, and the place that needs it. */
export interface Need {
  feature: Feature
  path: Path
  /** As in "Override on security_file_open". */
  what: string
}

/** What a policy, in whatever mode, needs of the kernel. */
export function needsOf(policy: Policy): Need[] {
  return policy.hooks.flatMap(hook => {
    const kprobe = hook.section === 'kprobes'
    const needs: Need[] = kprobe ? [{ feature: 'kprobes', path: hook.path, what: `a kprobe on ${hook.name}` }] : []
    if (hook.section === 'uprobes' || hook.section === 'usdts')
      needs.push({ feature: 'uprobes', path: hook.path, what: `a probe in ${hook.name}` })
    if (hook.section === 'lsmhooks')
      needs.push({ feature: 'lsm', path: [...hook.path, 'hook'], what: `the LSM hook ${hook.name}` })
    for (const { action, path } of hook.selectors.flatMap(selector => selector.actions)) {
      const need = (feature: Feature): number =>
        needs.push({ feature, path: [...path, 'action'], what: `${action} on ${hook.name}` })
      if (action === 'Sigkill' || action === 'Signal') need('sigkill')
      if (action === 'Override' && kprobe) {
        if (hook.name.startsWith('security_')) need('overrideSecurity')
        else if (isSyscallName(hook.name)) need('override')
      }
    }
    return needs
  })
}

/** Whether a function is a system call by its name, with or without what an architecture puts in front. */
export const isSyscallName = (name: string): boolean => /^(__x64_|__arm64_)?sys_/.test(name)
