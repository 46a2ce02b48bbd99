// The layers, top first. A folder imports only from folders below its own. `./lab test` fails on an upward import, a cycle or an unused file.
export const layers = [
  'index.ts',
  'bench',
  'scripts/lab.ts',
  'scripts/commands',
  'scripts/docs',
  'scripts/verify',
  'scripts/lab',
  'scripts/doctor',
  'scripts/bundle',
  'scripts/plan',
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

/** Files that something other than an import starts: a person, Pulumi, a pod, or another file by its path. */
const started = [
  '^index\\.ts$',
  '^scripts/lab\\.ts$',
  '^scripts/commands/',
  '^scripts/docs/',
  '^scripts/cluster/resource-command\\.ts$',
  '^scripts/doctor/facts/ask-hosts\\.ts$',
  '^scripts/policy/model/vendor-schema\\.ts$',
  '^stacks/application/',
  '^stacks/monitoring/replay/',
  '^bench/[^/]+\\.ts$',
]

const inLayer = layer => `^${layer.replaceAll('.', '\\.')}${layer.endsWith('.ts') ? '$' : '/'}`

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...layers.slice(1).map((layer, index) => ({
      name: `${layer.replaceAll(/\W/g, '-')}-imports-upwards`,
      severity: 'error',
      from: { path: inLayer(layer) },
      to: { path: layers.slice(0, index + 1).map(inLayer) },
    })),
    { name: 'cycle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'unused-file',
      severity: 'error',
      from: { path: started },
      to: { path: '^(scripts|stacks|shared|dashboards)/.*\\.ts$', reachable: false },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^test/' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'types'] },
  },
}
