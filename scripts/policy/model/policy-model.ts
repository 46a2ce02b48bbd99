import { isMapping, type Path } from '../../../shared/validation/yaml-source.ts'
import type { PolicyKind } from './crd-schema.ts'
import { withoutArchPrefix } from './kernel-names.ts'

// A TracingPolicy for the lint, the catalog and the exercises: its hooks with their arguments, selectors and actions,
// each with its path in the document. It can be built from any input. Values of the wrong type are left out, because
// the schema check reports them.

type Dict = Record<string, unknown>

/** The keys of a spec that hold hooks. */
export const sections = ['kprobes', 'tracepoints', 'lsmhooks', 'uprobes', 'usdts', 'fentries'] as const
export type Section = (typeof sections)[number]

export interface Policy {
  kind: PolicyKind
  name?: string
  namespace?: string
  metadata: Dict
  spec: Dict
  hooks: Hook[]
  options: Option[]
}

interface Option {
  path: Path
  name: string
  value: string
}

/** One place in the kernel, or in a program, that a policy attaches to. */
export interface Hook {
  section: Section
  path: Path
  /** Function, tracepoint (`subsystem/event`), LSM hook or program. */
  name: string
  /** As in the file. The agent takes a missing value as true for kprobes. */
  syscall?: boolean
  spec: Dict
  args: Argument[]
  /** Values that are read from elsewhere than a parameter. Only kprobes, fentries and uprobes have them. */
  data: Argument[]
  selectors: Selector[]
}

export interface Argument {
  path: Path
  spec: Dict
  index: number
  type?: string
  resolve?: string
  source?: string
}

export interface Selector {
  path: Path
  spec: Dict
  /** Returns the entries of a list such as matchNamespaces, with those of the selector's macros. */
  entries(list: string): Item[]
  /** Whether it uses a macro that the policy does not define. */
  hasMissingMacro: boolean
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
  /** The argument that is compared. Undefined when the hook does not define it. */
  argument?: Argument
}

export interface Action {
  path: Path
  action: string
  spec: Dict
  /** Whether it is in matchReturnActions. */
  onReturn: boolean
}

/** Builds the model from a parsed document. */
export function readPolicyModel(kind: PolicyKind, value: unknown): Policy {
  const document = asObject(value)
  const metadata = asObject(document.metadata)
  const spec = asObject(document.spec)
  return {
    kind,
    name: asText(metadata.name),
    namespace: asText(metadata.namespace),
    metadata,
    spec,
    hooks: sections.flatMap(section =>
      itemsOf(spec[section], ['spec', section]).map(item => readHook(section, item, asObject(spec.selectorsMacros))),
    ),
    options: itemsOf(spec.options, ['spec', 'options']).map(({ path, spec: option }) => ({
      path,
      name: String(option.name ?? ''),
      value: String(option.value ?? ''),
    })),
  }
}

function readHook(section: Section, { path, spec }: Item, macros: Dict): Hook {
  const args = itemsOf(spec.args, [...path, 'args']).map(readArgument)
  const data = itemsOf(spec.data, [...path, 'data']).map(readArgument)
  const returned = spec.returnArg
    ? [readArgument({ path: [...path, 'returnArg'], spec: asObject(spec.returnArg) })]
    : []
  const name =
    section === 'tracepoints'
      ? `${asText(spec.subsystem) ?? ''}/${asText(spec.event) ?? ''}`
      : (asText(spec.call) ?? asText(spec.hook) ?? asText(spec.path) ?? '')
  return {
    section,
    path,
    name,
    ...(typeof spec.syscall === 'boolean' && { syscall: spec.syscall }),
    spec,
    args,
    data,
    selectors: itemsOf(spec.selectors, [...path, 'selectors']).map(item =>
      readSelector(item, { args, data, returned, section }, macros),
    ),
  }
}

function readArgument({ path, spec }: Item): Argument {
  return {
    path,
    spec,
    index: Number(spec.index ?? 0),
    type: asText(spec.type),
    resolve: asText(spec.resolve) || undefined,
    source: asText(spec.source) || undefined,
  }
}

interface HookArguments {
  args: Argument[]
  data: Argument[]
  returned: Argument[]
  section: Section
}

function readSelector(item: Item, { args, data, returned, section }: HookArguments, macros: Dict): Selector {
  const { path, spec } = item
  // The agent adds the lists of a macro to those of the selector before it reads them.
  const parts = [
    item,
    ...macroNamesOf(spec).flatMap(name =>
      Object.hasOwn(macros, name) ? [{ path: ['spec', 'selectorsMacros', name], spec: asObject(macros[name]) }] : [],
    ),
  ]
  // It refuses a list that is in more than one of them, as macro-conflict says.
  const entries = (list: string): Item[] =>
    parts.map(part => itemsOf(part.spec[list], [...part.path, list])).find(items => items.length > 0) ?? []
  const filters = (list: ArgumentFilter['list'], find: (filter: Dict) => Argument | undefined): ArgumentFilter[] =>
    entries(list).map(entry => ({ ...readFilter(entry), list, argument: find(entry.spec) }))
  const actions = (list: string, onReturn: boolean): Action[] =>
    entries(list).map(entry => ({
      path: entry.path,
      action: String(entry.spec.action ?? ''),
      spec: entry.spec,
      onReturn,
    }))
  const binaries = (list: string): Filter[] => entries(list).map(readFilter)
  return {
    path,
    spec,
    entries,
    hasMissingMacro: macroNamesOf(spec).some(name => !Object.hasOwn(macros, name)),
    args: [
      // The agent reads `args` as positions in the file, and `index` as the position of the function's parameter. For
      // tracepoints it falls back to positions when no argument has the index.
      ...filters('matchArgs', ({ args: positions, index = 0 }) =>
        Array.isArray(positions) && positions.length > 0
          ? args[positions[0] as number]
          : (args.find(argument => argument.index === index) ??
            (section === 'tracepoints' ? args[index as number] : undefined)),
      ),
      ...filters('matchData', ({ args: positions, index = 0 }) =>
        Array.isArray(positions) && positions.length > 0 ? data[positions[0] as number] : data[index as number],
      ),
      ...filters('matchReturnArgs', ({ args: positions, index = 0 }) =>
        Array.isArray(positions) && positions.length > 0
          ? returned[positions[0] as number]
          : returned.find(argument => argument.index === index),
      ),
    ],
    binaries: binaries('matchBinaries'),
    parentBinaries: binaries('matchParentBinaries'),
    actions: [...actions('matchActions', false), ...actions('matchReturnActions', true)],
  }
}

function readFilter({ path, spec }: Item): Filter {
  const values = Array.isArray(spec.values) ? spec.values.map(String) : []
  return { path, operator: String(spec.operator ?? ''), values, spec }
}

export interface Item {
  path: Path
  spec: Dict
}

/** Returns the objects of a list with their paths. Anything else in the list is left out. */
export function itemsOf(value: unknown, path: Path): Item[] {
  if (!Array.isArray(value)) return []
  return value.flatMap((spec, index) => (isMapping(spec) ? [{ path: [...path, index], spec }] : []))
}

const asObject = (value: unknown): Dict => (isMapping(value) ? value : {})
const asText = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

// --- walking the model

export const selectorsOf = (policy: Policy): { hook: Hook; selector: Selector }[] =>
  policy.hooks.flatMap(hook => hook.selectors.map(selector => ({ hook, selector })))

export const actionsOf = (policy: Policy): { hook: Hook; selector: Selector; action: Action }[] =>
  selectorsOf(policy).flatMap(({ hook, selector }) => selector.actions.map(action => ({ hook, selector, action })))

/** Returns all comparisons of arguments in a policy. */
export const argumentFiltersOf = (policy: Policy): { hook: Hook; selector: Selector; filter: ArgumentFilter }[] =>
  selectorsOf(policy).flatMap(({ hook, selector }) => selector.args.map(filter => ({ hook, selector, filter })))

/** Returns a hook's name as the agent reports it, without the architecture's prefix. */
export const bareName = ({ name }: Hook): string => withoutArchPrefix(name)

/** Returns the tags of a hook. */
export const tagsOf = ({ spec }: Hook): string[] => (Array.isArray(spec.tags) ? spec.tags.map(String) : [])

// --- enforcement

/** The suffix of a policy's twin in monitor mode. The pipeline uses it to tell a reported refusal from a real one. */
export const monitorSuffix = '-monitor'

const enforcingNames = new Set(['Sigkill', 'Signal', 'Override', 'NotifyEnforcer'])

/** Returns whether an action, given by its name, kills the process or refuses the call rather than reporting it. */
export const isEnforcingName = (action: string): boolean => enforcingNames.has(action)

/** Returns whether an action kills the process or refuses the call rather than reporting it. */
export const isEnforcing = ({ action }: Action): boolean => isEnforcingName(action)

/** Returns the enforcing actions of a policy, whatever its mode. */
export const enforcingActions = (policy: Policy): Action[] =>
  actionsOf(policy).flatMap(({ action }) => (isEnforcing(action) ? [action] : []))

/**
 * Returns whether a policy is in monitor mode, in which its enforcing actions only report. The last of duplicate
 * options counts.
 */
export const isMonitor = (policy: Policy): boolean =>
  policy.options.findLast(({ name }) => name === 'policy-mode')?.value === 'monitor'

/** Returns whether a policy kills or refuses when it is loaded as it is. */
export const enforces = (policy: Policy): boolean => policyMode(policy) === 'enforce'

/** Returns what a policy does when it is loaded as it is: `monitor` only for one that has enforcing actions. */
export function policyMode(policy: Policy): 'observe' | 'monitor' | 'enforce' {
  if (enforcingActions(policy).length === 0) return 'observe'
  return isMonitor(policy) ? 'monitor' : 'enforce'
}

// --- options

/** Returns whether the agent reads an option's value as true, as Go's strconv.ParseBool does. */
export const isTrueValue = (value: string): boolean => ['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value)

export const isKprobeMultiDisabled = ({ options }: Policy): boolean =>
  options.some(({ name, value }) => name === 'disable-kprobe-multi' && isTrueValue(value))

// --- filters

/** Returns the names of the macros that a selector uses. */
export const macroNamesOf = (spec: Dict): string[] => (Array.isArray(spec.macros) ? spec.macros.map(String) : [])

/** The lists of a selector that decide whether a call matches. */
export const filterLists = [
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
]

/** Returns whether a selector has any filter. The agent ignores those on binaries that have no values. */
export const isFiltered = (selector: Selector): boolean =>
  selector.hasMissingMacro ||
  filterLists.some(list =>
    selector
      .entries(list)
      .some(({ spec }) => !list.endsWith('Binaries') || (Array.isArray(spec.values) && spec.values.length > 0)),
  )
