import * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import type { Lab } from '../../shared/lab.ts'
import { imageRef } from '../../shared/lock.ts'
import { namespaces, nodePorts } from '../../shared/names.ts'
import type { ComponentArgs } from '../component-args.ts'
import { notAwaited, restricted } from '../pods.ts'
import { deployment, mountFiles } from './deployment.ts'

const namespace = namespaces.application
const frontendLabels = { app: 'guestbook', tier: 'frontend' }

type Container = k8s.types.input.core.v1.Container
type RedisRole = 'leader' | 'follower'

/**
 * The Guestbook: frontends that write to a Redis leader and read from its followers. The lab's own frontend has the API
 * of the classic `guestbook.php` and runs on amd64 and arm64. With `guestbook.images: upstream`, it uses the images of
 * the original tutorial, for amd64 only.
 */
export class Guestbook extends pulumi.ComponentResource {
  constructor(name: string, { lab, namespace: created }: ComponentArgs, options: pulumi.ComponentResourceOptions) {
    super('lab:application:Guestbook', name, {}, options)
    const inside = { parent: this, dependsOn: created }
    const { images, followers, frontends } = lab.settings.guestbook
    const upstream = images === 'upstream'
    createRedis(name, 'leader', 1, leaderContainer(lab, upstream ? 'guestbook-redis-leader' : 'redis'), inside)
    createRedis(name, 'follower', followers, upstream ? upstreamFollower(lab) : followerContainer(lab), inside)

    const modules = ['server.mjs', 'redis.mjs', 'frontend-metrics.mjs', 'info-page.mjs']
    const program = mountFiles(`${name}-frontend-program`, 'frontend', [...modules, 'index.html'], inside)
    const container = upstream ? upstreamFrontend(lab) : frontendContainer(lab)
    const labels = { ...frontendLabels, 'app.kubernetes.io/name': 'frontend' }
    new k8s.apps.v1.Deployment(
      `${name}-frontend-pods`,
      deployment('frontend', labels, frontends, container, upstream ? {} : program),
      inside,
    )
    new k8s.core.v1.Service(
      `${name}-frontend`,
      {
        metadata: { name: 'frontend', namespace, labels: frontendLabels, annotations: notAwaited },
        spec: {
          type: 'NodePort',
          selector: frontendLabels,
          ports: [{ name: 'http', port: 80, targetPort: 'http', nodePort: nodePorts.guestbook }],
        },
      },
      inside,
    )
    this.registerOutputs({})
  }
}

/** Creates the Deployment and the Service of a Redis role. */
function createRedis(
  prefix: string,
  role: RedisRole,
  replicas: number,
  container: Container,
  options: pulumi.CustomResourceOptions,
): void {
  const name = `redis-${role}`
  const labels = { app: 'redis', role, tier: 'backend' }
  new k8s.core.v1.Service(
    `${prefix}-${name}`,
    {
      metadata: { name, namespace, labels, annotations: notAwaited },
      spec: { selector: labels, ports: [{ port: 6379 }] },
    },
    options,
  )
  new k8s.apps.v1.Deployment(
    `${prefix}-${name}-pods`,
    deployment(name, labels, replicas, container, { volumes: [{ name: 'data', emptyDir: {} }] }),
    options,
  )
}

const redisContainer = (role: RedisRole, image: string): Container => ({
  name: role,
  image,
  ports: [{ containerPort: 6379 }],
  resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '64Mi' } },
  volumeMounts: [{ name: 'data', mountPath: '/data' }],
  startupProbe: { exec: { command: ['redis-cli', 'ping'] }, periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 60 },
  // Runs a program every few seconds, so that even a quiet cluster has exec and exit events.
  readinessProbe: { exec: { command: ['redis-cli', 'ping'] }, periodSeconds: 10, timeoutSeconds: 5 },
})

/** @param image one that the followers can copy from: a follower cannot load the snapshot of a newer leader. */
const leaderContainer = (lab: Lab, image: 'redis' | 'guestbook-redis-leader'): Container => ({
  ...redisContainer('leader', imageRef(lab.lock.images[image])),
  securityContext: { ...restricted, runAsUser: 999 },
  // Nothing is saved, so a new lab starts with an empty page. A follower needs the folder while it copies from the
  // leader. Protected mode would only accept connections from loopback.
  command: [
    ...['redis-server', '--dir', '/data', '--save', '', '--appendonly', 'no'],
    ...['--repl-diskless-sync-delay', '0', '--protected-mode', 'no'],
  ],
})

function followerContainer(lab: Lab): Container {
  const leader = leaderContainer(lab, 'redis')
  const command = [...(leader.command as string[]), '--replicaof', 'redis-leader', '6379']
  return { ...leader, name: 'follower', command }
}

const upstreamFollower = (lab: Lab): Container => ({
  ...redisContainer('follower', imageRef(lab.lock.images['guestbook-redis-follower'])),
  securityContext: {},
})

const frontendResources = { requests: { cpu: '10m', memory: '48Mi' }, limits: { memory: '128Mi' } }

const frontendContainer = (lab: Lab): Container => ({
  name: 'guestbook',
  image: imageRef(lab.lock.images.node),
  command: ['node', '/guestbook/server.mjs'],
  env: [
    { name: 'PORT', value: '8080' },
    { name: 'REDIS_LEADER_HOST', value: 'redis-leader' },
    { name: 'REDIS_FOLLOWER_HOST', value: 'redis-follower' },
  ],
  ports: [
    { name: 'http', containerPort: 8080 },
    { name: 'metrics', containerPort: 9113 },
  ],
  readinessProbe: { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 2 },
  resources: frontendResources,
  securityContext: { ...restricted, runAsUser: 1000 },
  volumeMounts: [{ name: 'files', mountPath: '/guestbook', readOnly: true }],
})

const upstreamFrontend = (lab: Lab): Container => ({
  name: 'guestbook',
  image: imageRef(lab.lock.images['guestbook-frontend']),
  env: [{ name: 'GET_HOSTS_FROM', value: 'dns' }],
  ports: [{ name: 'http', containerPort: 80 }],
  resources: frontendResources,
})
