#!/usr/bin/env node
// A fake kubectl with a cluster and its Tetragon agent in a JSON file (FAKE_CLUSTER). The agent loads a policy at the
// second request for the list of policies, gives a changed policy a new number, and refuses the policies that the file
// names. A command in a pod triggers the policies. See fake-cluster.ts.
import { spawnSync } from 'node:child_process'
import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs'

const file = process.env.FAKE_CLUSTER
const cluster = JSON.parse(readFileSync(file, 'utf8'))
const args = process.argv.slice(2)
for (const flag of ['--kubeconfig', '--context']) {
  const at = args.indexOf(flag)
  if (at >= 0) args.splice(at, 2)
}
if (args[0] === '-n') args.push(...args.splice(0, 2))
// The script around a remote command has several lines.
appendFileSync(`${file}.log`, `${args.join(' ').replaceAll('\n', ' ')}\n`)

const answer = value => process.stdout.write(JSON.stringify(value))
const key = ({ name, namespace = '' }) => `${namespace}/${name}`
const [verb, what] = args

if (verb === 'get' && what === 'daemonsets') answer({ items: cluster.daemonsets.map(name => ({ metadata: { name } })) })
else if (verb === 'get' && what === 'pods')
  answer({ items: [{ metadata: { name: 'tetragon-1' }, spec: { nodeName: 'lab-control-plane' } }] })
else if (verb === 'get') answer({ items: Object.values(cluster.objects) })
else if (verb === 'apply') {
  // Loaded only here, because it takes longer than everything else.
  const { parseAllDocuments } = await import('yaml')
  const items = parseAllDocuments(readFileSync(args[2], 'utf8')).map(document => {
    const { kind, metadata, spec } = document.toJS()
    const known = cluster.objects[key(metadata)]
    const same = known && JSON.stringify(known.spec) === JSON.stringify(spec)
    const object = same ? known : { kind, metadata: { ...metadata, resourceVersion: String(++cluster.version) }, spec }
    if (!same) cluster.agent[key(metadata)] = { id: String(++cluster.version), requests: 0 }
    cluster.objects[key(metadata)] = object
    return object
  })
  answer(items.length === 1 ? items[0] : { kind: 'List', items })
} else if (verb === 'delete') {
  const at = args.indexOf('-n')
  const one = key({ name: args[2], namespace: at < 0 ? '' : args[at + 1] })
  delete cluster.objects[one]
  delete cluster.agent[one]
} else if (verb === 'exec' && cluster.breaks > 0) {
  cluster.breaks--
  process.stderr.write('error: websocket: close 1006 (abnormal closure): unexpected EOF\n')
  process.exitCode = 1
} else if (verb === 'exec' && args.includes('tetra') && !/ --stdin .* -- sh -c /.test(args.join(' '))) {
  process.stderr.write('error: tetra would run on in the pod after its connection ends\n')
  process.exitCode = 1
} else if (verb === 'exec' && args.includes('tetra')) {
  const { counters } = cluster
  const policies = Object.entries(cluster.agent).map(([one, { id, requests }]) => {
    const [namespace, name] = one.split('/')
    cluster.agent[one].requests++
    const error = requests > 0 && cluster.refuses[name]
    const state = requests === 0 ? 'LOADING' : error ? 'LOAD_ERROR' : 'ENABLED'
    return {
      id,
      name,
      ...(namespace && { namespace }),
      state: `TP_STATE_${state}`,
      ...(error && { error }),
      ...(state === 'ENABLED' && { mode: 'TP_MODE_ENFORCE', stats: { action_counters: counters } }),
    }
  })
  answer({ policies })
} else if (verb === 'exec' && what.startsWith('deploy/')) {
  const { exitCode = 0, prints = '', events = [], counters = {} } = cluster.trigger
  const lines = events.map(event => `${JSON.stringify(event)}\n`)
  appendFileSync(`${file}.logs/tetragon.log`, lines.join(''))
  Object.assign(cluster.counters, counters)
  process.stderr.write(prints.replace('$KUBECONFIG', process.env.KUBECONFIG))
  process.exitCode = exitCode
} else if (verb === 'exec') {
  // A script that reads the agent's files.
  const [program, ...rest] = args.slice(args.indexOf('--') + 1)
  const script = rest.map(word => word.replaceAll('/var/log/tetragon', `${file}.logs`))
  const { status, stdout } = spawnSync(program, script, { encoding: 'utf8' })
  process.stdout.write(stdout)
  process.exitCode = status
} else {
  process.stderr.write(`fake-kubectl does not support: ${args.join(' ')}\n`)
  process.exitCode = 1
}
// Another process may be reading the file.
if (verb !== 'get') {
  writeFileSync(`${file}.${process.pid}`, JSON.stringify(cluster))
  renameSync(`${file}.${process.pid}`, file)
}
