import { $ } from 'zx'
import { projectDir } from '../shared/paths.ts'

// What the README's figures are made of: a bare cluster and a whole lab in the same run, each as often as asked.
//   node bench/time.ts [runs]
// Needs what `lab up` needs, with the images on the host; no lab may be up.

$.cwd = projectDir
$.verbose = false
const runs = Number(process.argv[2] ?? 3)

/** Seconds that a command took. @throws when it failed. */
async function seconds(run: () => PromiseLike<unknown>): Promise<number> {
  const began = performance.now()
  await run()
  return (performance.now() - began) / 1000
}

const environment = $.sync`./lab env --json`.json<Record<string, string>>()
const bare = $({ env: { ...process.env, ...environment, KUBECONFIG: '/dev/null' } })
const image = process.env.NODE_IMAGE ?? 'kindest/node:v1.36.1'

const steps: Record<string, () => PromiseLike<unknown>> = {
  'kind create cluster (bare)': () =>
    bare`kind create cluster --name bare --image ${image} --kubeconfig .lab/bare-kubeconfig --wait 60s`,
  'kind delete cluster (bare)': () => bare`kind delete cluster --name bare --kubeconfig .lab/bare-kubeconfig`,
  'lab plan': () => $`./lab plan`,
  'lab up': () => $`./lab up`,
  'lab up, nothing to do': () => $`./lab up`,
  'lab verify': () => $`./lab verify`,
  'lab down': () => $`./lab down --yes`,
}

const taken = new Map<string, number[]>(Object.keys(steps).map(name => [name, []]))
for (let run = 1; run <= runs; run++) {
  for (const [name, step] of Object.entries(steps)) {
    const time = await seconds(step)
    taken.get(name)!.push(time)
    console.error(`${run}/${runs}  ${name}: ${time.toFixed(1)} s`)
  }
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
console.log('| step | median | min | max |\n| --- | --- | --- | --- |')
for (const [name, times] of taken)
  console.log(
    `| ${name} | ${median(times).toFixed(1)} s | ${Math.min(...times).toFixed(1)} s | ${Math.max(...times).toFixed(1)} s |`,
  )
const ratio = median(taken.get('lab up')!) / median(taken.get('kind create cluster (bare)')!)
console.log(`\n\`lab up\` takes ${ratio.toFixed(1)} times a bare cluster.`)
