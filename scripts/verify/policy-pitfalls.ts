import semver from 'semver'
import { kubectlJson } from '../cluster/kubectl.ts'
import type { Context } from '../context/context.ts'
import type { PolicyKind } from '../policy/model/crd-schema.ts'
import { canSelectSameContainer } from '../policy/model/label-selector.ts'
import { actionsOf, enforces, type Hook, type Policy, readPolicyModel } from '../policy/model/policy-model.ts'
import { canMatchSameCall } from '../policy/model/value-match.ts'
import { findTool } from '../supplies/tools.ts'
import type { GrafanaClient } from '../telemetry/grafana-client.ts'
import { checksOf, eachCheck, type VerifyCheck, withProof } from './verify-check.ts'

// Mistakes that an engineer made on a real cluster, as checks. See docs/reference/documents.md, "From Falco to
// Tetragon".

const { ok, fail, skip } = checksOf('gotchas')

/** Checks the cluster for five known pitfalls. */
export async function verifyPolicyPitfalls(context: Context, grafana: GrafanaClient): Promise<VerifyCheck[]> {
  return eachCheck('gotchas', [
    ['kernels of the nodes', () => verifyKernels(context)],
    [orderTitle, () => verifyOrder(context)],
    [rateTitle, () => verifyRateLimit(grafana)],
    [tetraTitle, async () => withProof('./lab tetra version', judgeTetra(await findTool(context.lock, 'tetra')))],
    [kubeSystemTitle, () => verifyKubeSystem(grafana)],
  ])
}

const orderTitle = 'no policy kills for what another refuses'
const rateTitle = 'the export rate limit drops nothing'
const tetraTitle = 'tetra, to debug policies with'
const kubeSystemTitle = 'kube-system is left out'

async function verifyKernels(context: Context): Promise<VerifyCheck[]> {
  const { items } = await kubectlJson<{ items: Node[] }>(context, ['get', 'nodes'])
  return items.map(node => withProof('./lab kubectl get nodes -o wide', judgeKernel(node)))
}

async function verifyOrder(context: Context): Promise<VerifyCheck> {
  const args = ['get', 'tracingpolicies,tracingpoliciesnamespaced', '-A']
  const { items } = await kubectlJson<{ items: { kind: PolicyKind }[] }>(context, args)
  return withProof('./lab policy list', judgeOrder(items.map(item => readPolicyModel(item.kind, item))))
}

interface Node {
  metadata: { name: string }
  status: { nodeInfo: { architecture: string; kernelVersion: string } }
}

/** Tetragon's programs do not pass the verifier of older kernels on arm64. */
export function judgeKernel({ metadata, status: { nodeInfo } }: Node): VerifyCheck {
  const title = `kernel of ${metadata.name}`
  const { architecture, kernelVersion } = nodeInfo
  const found = `${architecture}, ${kernelVersion}`
  const version = semver.coerce(kernelVersion)
  return architecture !== 'arm64' || (version && semver.gte(version, '5.10.0'))
    ? ok(title, found)
    : fail(title, { found, expected: '5.10 or newer on arm64', next: './lab kubectl get nodes -o wide' })
}

/** If one policy refuses a call and another kills for it, the kill wins, whatever their order. */
export function judgeOrder(policies: Policy[]): VerifyCheck {
  const title = orderTitle
  const actions = policies.filter(enforces).flatMap(policy => actionsOf(policy).map(each => ({ policy, ...each })))
  const refusals = actions.filter(({ action }) => action.action === 'Override')
  for (const kill of actions.filter(({ action }) => action.action === 'Sigkill')) {
    const refusal = refusals.find(
      ({ policy, hook, selector }) =>
        policy !== kill.policy &&
        hookedFunction(hook) === hookedFunction(kill.hook) &&
        canSelectSameContainer(policy, kill.policy) &&
        canMatchSameCall(selector, kill.selector),
    )
    if (refusal)
      return fail(title, {
        found: `on ${hookedFunction(kill.hook)}, ${kill.policy.name} kills and ${refusal.policy.name} refuses: the kill wins`,
        expected: 'only one of the two, or different pods for them',
        next: `./lab policy remove ${kill.policy.name}`,
      })
  }
  return ok(title, `${policies.length} policies`)
}

/** A function named security_… and the LSM hook of the same name are one hook. */
const hookedFunction = ({ name }: Hook): string => name.replace(/^security_/, '')

async function verifyRateLimit(grafana: GrafanaClient): Promise<VerifyCheck> {
  const title = rateTitle
  const query = 'sum(increase(tetragon_export_ratelimit_events_dropped_total[15m]))'
  const [sample] = await grafana.query('prometheus', query)
  const dropped = sample?.value ?? 0
  const found = `${Math.round(dropped)} events in 15 min`
  return withProof(
    `./lab query promql '${query}'`,
    dropped === 0
      ? ok(title, found)
      : fail(title, { found, expected: '0, or a higher tetragon.exportRateLimit', next: 'see docs/runbooks.md' }),
  )
}

async function verifyKubeSystem(grafana: GrafanaClient): Promise<VerifyCheck> {
  const title = kubeSystemTitle
  const query = 'sum(count_over_time({service_name="tetragon", k8s_namespace_name="kube-system"}[15m]))'
  const [sample] = await grafana.query('loki', query)
  const events = sample?.value ?? 0
  return withProof(
    `./lab query logql '${query}'`,
    events === 0
      ? ok(title, 'none of its events in 15 min')
      : fail(title, {
          found: `${events} events in 15 min`,
          expected: 'none: tetragon.exportDenyList names it',
          next: `./lab query logql '{k8s_namespace_name="kube-system"}'`,
        }),
  )
}

function judgeTetra(program: string | undefined): VerifyCheck {
  const title = tetraTitle
  return program ? ok(title, program) : skip(title, 'not downloaded yet: run ./lab tetra version')
}
