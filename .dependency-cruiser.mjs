// Imports point down. `./lab test` fails on an upward import, a cycle or a file that nothing uses; docs/architecture.md draws the layers.

/** Folders and files, top layer first. Each imports only from layers below its own. */
export const layers = [
  'index.ts',
  'bench',
  'scripts/docs',
  'scripts/lab.ts',
  'scripts/commands',
  'scripts/completion',
  'scripts/verify',
  'scripts/lab',
  'scripts/doctor',
  'scripts/bundle',
  'scripts/pins',
  'scripts/plan',
  'scripts/size',
  'scripts/exercise',
  'scripts/policy',
  'scripts/tetragon',
  'scripts/telemetry',
  'scripts/pulumi',
  'scripts/kernel',
  'scripts/cluster',
  'scripts/context',
  'scripts/supplies',
  'scripts/engine',
  'scripts/terminal',
  'stacks',
  'dashboards',
  'shared',
]

/** Files that something other than an import starts: a person, Pulumi, a Pod, or another file by its path. */
const started = [
  '^index[.]ts$',
  '^bench/[^/]+[.]ts$',
  '^scripts/lab[.]ts$',
  '^scripts/commands/',
  '^scripts/docs/',
  '^scripts/cluster/(apply-crds|print-credential|resource-command)[.]ts$',
  '^scripts/doctor/facts/probe-hosts[.]ts$',
  '^scripts/policy/model/vendor-schema[.]ts$',
  '^scripts/policy/model/vendor-kernel[.]ts$',
  '^stacks/application/traffic/',
  '^stacks/monitoring/loki/object-storage/',
  '^stacks/monitoring/replay/',
]

const inLayer = layer => (layer.endsWith('.ts') ? `^${layer.replace('.', '[.]')}$` : `^${layer}/`)

/** @type {import('dependency-cruiser').IForbiddenRuleType[]} */
export const rules = [
  ...layers.slice(1).map((layer, index) => ({
    name: `${layer} imports upwards`,
    severity: 'error',
    from: { path: inLayer(layer) },
    to: { path: layers.slice(0, index + 1).map(inLayer) },
  })),
  { name: 'cycle', severity: 'error', from: {}, to: { circular: true } },
  {
    name: 'unused file',
    severity: 'error',
    from: { path: started },
    to: { path: '^(scripts|stacks|shared|dashboards)/.*[.]ts$', pathNot: started, reachable: false },
  },
]

/** @type {import('dependency-cruiser').ICruiseOptions} */
export const options = { doNotFollow: { path: 'node_modules' }, tsPreCompilationDeps: true }

export default { forbidden: rules, options }
