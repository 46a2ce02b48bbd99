import * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import { imageRef } from '../../shared/lock.ts'
import { namespaces, nodePorts } from '../../shared/names.ts'
import type { ComponentArgs } from '../component-args.ts'
import { restricted } from '../pods.ts'
import { deployment, mountFiles } from './deployment.ts'

const namespace = namespaces.application
const frontendLabels = { app: 'guestbook', tier: 'frontend' }
const redisLabels = (role: 'leader' | 'follower') => ({ app: 'redis', role, tier: 'backend' })

/**
 * The Guestbook: frontends that write to a Redis leader and read from its followers. The lab's own frontend has the API
 * of the classic `guestbook.php` and runs on amd64 and arm64. With `guestbook.images: upstream`, it uses the images of
 * the original tutorial, for amd64 only.
 */
export class Guestbook extends pulumi.ComponentResource {
  constructor(name: string, { lab, namespace: created }: ComponentArgs, options: pulumi.ComponentResourceOptions) {
    super('lab:application:Guestbook', name, {}, options)
    const inside = { parent: this, dependsOn: created }
    const { guestbook } = lab.settings
    const upstream = guestbook.images === 'upstream'
    const redis = imageRef(lab.lock.images.redis)

    const store = (
      role: 'leader' | 'follower',
      replicas: number,
      container: Partial<k8s.types.input.core.v1.Container>,
    ) => {
      const labels = redisLabels(role)
      new k8s.core.v1.Service(
        `${name}-redis-${role}`,
        { metadata: { name: `redis-${role}`, namespace, labels }, spec: { selector: labels, ports: [{ port: 6379 }] } },
        inside,
      )
      new k8s.apps.v1.Deployment(
        `${name}-redis-${role}-pods`,
        deployment(
          `redis-${role}`,
          labels,
          replicas,
          {
            name: role,
            image: redis,
            ports: [{ containerPort: 6379 }],
            resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '64Mi' } },
            securityContext: { ...restricted, runAsUser: 999 },
            volumeMounts: [{ name: 'data', mountPath: '/data' }],
            // Runs a program every few seconds, so that even a quiet cluster has exec and exit events.
            readinessProbe: {
              exec: { command: ['redis-cli', 'ping'] },
              initialDelaySeconds: 1,
              periodSeconds: 10,
              timeoutSeconds: 5,
            },
            ...container,
          },
          { volumes: [{ name: 'data', emptyDir: {} }] },
        ),
        inside,
      )
    }
    // Nothing is saved, so a new lab starts with an empty page. A follower needs the folder while it copies from the
    // leader. Protected mode would only accept connections from loopback.
    const memoryOnly = [
      'redis-server',
      '--dir',
      '/data',
      '--save',
      '',
      '--appendonly',
      'no',
      '--repl-diskless-sync-delay',
      '0',
      '--protected-mode',
      'no',
    ]
    store('leader', 1, { command: memoryOnly })
    store(
      'follower',
      guestbook.followers,
      upstream
        ? { image: imageRef(lab.lock.images['guestbook-redis-follower']), securityContext: {} }
        : { command: [...memoryOnly, '--replicaof', 'redis-leader', '6379'] },
    )

    const modules = ['server.mjs', 'redis.mjs', 'frontend-metrics.mjs', 'info-page.mjs']
    const program = mountFiles(`${name}-frontend-program`, 'frontend', [...modules, 'index.html'], inside)
    const own: k8s.types.input.core.v1.Container = {
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
      securityContext: { ...restricted, runAsUser: 1000 },
      volumeMounts: [{ name: 'files', mountPath: '/guestbook', readOnly: true }],
    }
    const original: k8s.types.input.core.v1.Container = {
      name: 'guestbook',
      image: imageRef(lab.lock.images['guestbook-frontend']),
      env: [{ name: 'GET_HOSTS_FROM', value: 'dns' }],
      ports: [{ name: 'http', containerPort: 80 }],
    }
    new k8s.apps.v1.Deployment(
      `${name}-frontend-pods`,
      deployment(
        'frontend',
        { ...frontendLabels, 'app.kubernetes.io/name': 'frontend' },
        guestbook.frontends,
        {
          resources: { requests: { cpu: '10m', memory: '48Mi' }, limits: { memory: '128Mi' } },
          ...(upstream ? original : own),
        },
        upstream ? {} : program,
      ),
      inside,
    )
    new k8s.core.v1.Service(
      `${name}-frontend`,
      {
        metadata: { name: 'frontend', namespace, labels: frontendLabels },
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
