import semver from 'semver'
import type { Lock } from '../../shared/lock.ts'
import { kubectlJson } from '../cluster/kubectl.ts'
import type { PolicyKind } from '../policy/model/crd-schema.ts'
import { shareContainers } from '../policy/model/label-selector.ts'
import { enforces, type Policy, readPolicyModel } from '../policy/model/policy-model.ts'
import { meet } from '../policy/model/value-match.ts'
import { findTool } from '../supplies/tools.ts'
import type { Grafana } from '../telemetry/grafana.ts'
import { fail, ok, proven, skip, type VerifyCheck } from './verify-check.ts'

// What an engineer learnt the hard way on a real cluster (docs/documents.md, "From Falco to Tetragon"), as checks. Each names the command
// that proves it.

interface Node {
  metadata: { name: string }
  status: { nodeInfo: { architecture: string; kernelVersion: string } }
}

/** 1. Tetragon's programs do not pass the verifier of older kernels on arm64. What else a policy needs of one is in its head. */
export function judgeKernel({ metadata, status: { nodeInfo } }: Node): VerifyCheck {
  const title = `kernel of ${metadata.name}`
  const { architecture, kernelVersion } = nodeInfo
  const found = `${architecture}, ${kernelVersion}`
  const version = semver.coerce(kernelVersion)
  return architecture !== 'arm64' || (version && semver.gte(version, '5.10.0'))
    ? ok('gotchas', title, found)
    : fail('gotchas', title, found, '5.10 or newer on arm64', './lab kubectl get nodes -o wide')
}

/**
 * 2. Where one policy refuses a call and another kills for it, the kill wins, whatever their order. Policies that cannot meet, because of their
 * pods or because of what they compare, are no such two.
 */
export function judgeOrder(policies: Policy[]): VerifyCheck {
  const title = 'no policy kills for what another refuses'
  const acting = policies.filter(enforces).flatMap(policy =>
    policy.hooks.flatMap(hook =>
      hook.selectors.flatMap(selector =>
        // A security_ function and the LSM hook of that name are one place.
        selector.actions.map(({ action }) => ({
          policy,
          place: hook.name.replace(/^security_/, ''),
          selector,
          action,
        })),
      ),
    ),
  )
  for (const kill of acting.filter(({ action }) => action === 'Sigkill')) {
    const refusal = acting.find(
      ({ policy, place, selector, action }) =>
        action === 'Override' &&
        place === kill.place &&
        policy !== kill.policy &&
        shareContainers(policy, kill.policy) &&
        meet(selector, kill.selector),
    )
    if (refusal)
      return fail(
        'gotchas',
        title,
        `on ${kill.place}, ${kill.policy.name} kills and ${refusal.policy.name} refuses: the kill wins`,
        'one of the two, or different pods for them',
        `./lab policy remove ${kill.policy.name}`,
      )
  }
  return ok('gotchas', title, `${policies.length} policies`)
}

const rateLimited = 'sum(increase(tetragon_export_ratelimit_events_dropped_total[15m]))'
const ofSystem = 'sum(count_over_time({service_name="tetragon", k8s_namespace_name="kube-system"}[15m]))'

/** Looks for all five. @param lock to find the tetra that it pins */
export async function verifyGotchas(grafana: Grafana, lock: Lock): Promise<VerifyCheck[]> {
  const [nodes, policies, dropped, fromSystem, tetra] = await Promise.all([
    kubectlJson<{ items: Node[] }>(['get', 'nodes']),
    kubectlJson<{ items: { kind: PolicyKind }[] }>(['get', 'tracingpolicies,tracingpoliciesnamespaced', '-A']),
    grafana.prometheus(rateLimited),
    grafana.loki(ofSystem),
    findTool(lock, 'tetra'),
  ])
  const lost = dropped[0]?.value ?? 0
  const noise = fromSystem[0]?.value ?? 0
  return [
    ...nodes.items.map(node => proven('./lab kubectl get nodes -o wide', judgeKernel(node))),
    proven('./lab policy list', judgeOrder(policies.items.map(item => readPolicyModel(item.kind, item)))),
    proven(
      `./lab query promql '${rateLimited}'`,
      lost === 0
        ? ok('gotchas', 'the export rate limit drops nothing', '0 events in 15 min')
        : fail(
            'gotchas',
            'the export rate limit drops nothing',
            `${Math.round(lost)} events in 15 min`,
            '0, or a higher tetragon.exportRateLimit',
            'docs/runbooks.md',
          ),
    ),
    proven(
      './lab tetra version',
      tetra
        ? ok('gotchas', 'tetra, to debug policies with', tetra)
        : skip('gotchas', 'tetra, to debug policies with', 'not fetched yet: `./lab tetra version` does'),
    ),
    proven(
      `./lab query logql '${ofSystem}'`,
      noise === 0
        ? ok('gotchas', 'kube-system is left out', 'none of its events in 15 min')
        : fail(
            'gotchas',
            'kube-system is left out',
            `${noise} events in 15 min`,
            'none: tetragon.exportDenyList names it',
            './lab query logql \'{k8s_namespace_name="kube-system"}\'',
          ),
    ),
  ]
}
