import { $ } from 'zx'
import { projectDir } from '../shared/paths.ts'

// Measures the times in bench/README.md: two bare clusters and the whole lab in turn, several times.
//   node bench/time.ts [runs]
// The images must be on the host, and no lab may be running.

$.cwd = projectDir
$.verbose = false
const runs = Number(process.argv[2] ?? 3)

/** Returns the seconds that a command took. */
async function seconds(run: () => PromiseLike<unknown>): Promise<number> {
  const startedAt = performance.now()
  await run()
  return (performance.now() - startedAt) / 1000
}

const environment = $.sync`./lab env --json`.json<Record<string, string>>()
const bareCluster = $({ env: { ...process.env, ...environment, KUBECONFIG: '/dev/null' } })
const image = process.env.NODE_IMAGE ?? 'kindest/node:v1.36.1'

const createCluster = (...options: string[]) =>
  bareCluster`kind create cluster --name bare --image ${image} --kubeconfig .lab/bare-kubeconfig ${options}`
const deleteCluster = () => bareCluster`kind delete cluster --name bare --kubeconfig .lab/bare-kubeconfig`

const bare = ['kind create cluster', 'kind create cluster --wait 60s'] as const
const steps: Record<string, () => PromiseLike<unknown>> = {
  [bare[0]]: () => createCluster(),
  'kind delete cluster': deleteCluster,
  [bare[1]]: () => createCluster('--wait', '60s'),
  'kind delete cluster (after --wait)': deleteCluster,
  'lab plan': () => $`./lab plan`,
  'lab up': () => $`./lab up`,
  'lab up, nothing to do': () => $`./lab up`,
  'lab verify': () => $`./lab verify`,
  'lab down': () => $`./lab down --yes`,
}

const durations = new Map<string, number[]>(Object.keys(steps).map(name => [name, []]))
for (let run = 1; run <= runs; run++) {
  for (const [name, step] of Object.entries(steps)) {
    const time = await seconds(step)
    durations.get(name)!.push(time)
    console.error(`${run}/${runs}  ${name}: ${time.toFixed(1)} s`)
  }
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
console.log('| step | median | min | max |\n| --- | --- | --- | --- |')
for (const [name, times] of durations)
  console.log(
    `| ${name} | ${median(times).toFixed(1)} s | ${Math.min(...times).toFixed(1)} s | ${Math.max(...times).toFixed(1)} s |`,
  )
const ratios = bare.map(name => {
  const ratio = median(durations.get('lab up')!) / median(durations.get(name)!)
  return `${ratio.toFixed(2)} times as long as \`${name}\``
})
console.log(`\n\`lab up\` takes ${ratios.join(', and ')}.`)
