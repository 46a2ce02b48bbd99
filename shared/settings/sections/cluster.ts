import { z } from 'zod'
import { optionalName, patternText } from './values.ts'

/** The cluster, and what everything in it has in common. */
export const cluster = z.strictObject({
  mode: z
    .enum(['create', 'existing'])
    .default('create')
    .describe('`create` makes a KinD cluster; `existing` uses the context `cluster.context` of your kubeconfig.'),
  name: patternText(/^[a-z0-9][a-z0-9-]{0,30}$/, 'lower-case letters, digits and dashes, at most 31, as in lab-2')
    .default('lab')
    .describe('Name of the KinD cluster. Its node is called `<name>-control-plane`.'),
  context: z.string().default('').describe('Context of your kubeconfig, for `cluster.mode: existing`.'),
  namespaces: z
    .enum(['create', 'existing'])
    .default('create')
    .describe(
      '`create` makes the namespaces and `down` deletes them; `existing` uses namespaces that you have made, with your Secrets in them.',
    ),
  networkPolicies: z
    .boolean()
    .default(true)
    .describe(
      'Allow only the connections that the lab needs (NetworkPolicies). With `false`, any pod can reach any other pod and the internet.',
    )
    .meta({ examples: [false] }),
  cni: z
    .enum(['standard', 'cilium'])
    .default('standard')
    .describe(
      "The cluster's network: `cilium` adds CiliumNetworkPolicies for clients that NetworkPolicies cannot name there: the nodes and the API server.",
    )
    .meta({ examples: ['cilium'] }),
  clients: z
    .strictObject({
      namespaces: z
        .array(z.string())
        .default([])
        .describe(
          'In an existing cluster: namespaces whose pods can reach Grafana and the Guestbook, as the one of your ingress controller.',
        )
        .meta({ examples: [['ingress-nginx']] }),
      networks: z
        .array(z.string())
        .default([])
        .describe(
          'In an existing cluster: networks that can reach Grafana, the Guestbook, Prometheus and Loki, in CIDR notation, as that of the nodes. If both lists are empty, anyone can.',
        )
        .meta({ examples: [['10.0.0.0/16']] }),
    })
    .prefault({}),
  storageClass: optionalName().describe("StorageClass of all volumes. If it is empty, the cluster's default."),
  zoneSpread: z
    .enum(['preferred', 'required'])
    .default('preferred')
    .describe(
      'How the replicas of a component are spread over zones. `required`: one more than in another zone at most, otherwise a pod waits. They are always on different nodes.',
    )
    .meta({ examples: ['required'] }),
  priorityClasses: z
    .boolean()
    .default(false)
    .describe(
      'Create two priority classes, so that on a full node the agent and the shipper start before other pods, and storage before dashboards.',
    )
    .meta({ examples: [true] }),
  imageDigests: z
    .boolean()
    .default(false)
    .describe(
      'Name every image by its digest too, so that a tag that someone moves in a registry changes nothing. Digests come from lab.lock.yaml (`./lab pins update`). Not in a KinD cluster: images loaded into it have no registry digest.',
    ),
})

const port = (what: string, standard: number) =>
  z.int().min(1).max(65535).default(standard).describe(`Port on 127.0.0.1 for ${what}.`)

/** Ports on this machine. */
export const ports = z.strictObject({
  guestbook: port('the Guestbook', 8080),
  grafana: port('Grafana', 3000),
  prometheus: port('Prometheus', 9090),
  loki: port('Loki', 3100),
  tetragon: port("Tetragon's metrics", 2112),
})
