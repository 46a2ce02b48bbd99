import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { stringify } from 'yaml'
import { docker } from '../../../scripts/engine/docker.ts'
import type { Lab } from '../../../shared/lab.ts'
import { imageRef, readLock } from '../../../shared/lock.ts'
import { dockerLabel, exportFile, services } from '../../../shared/names.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { fluentBitValues } from '../../../stacks/monitoring/fluent-bit.ts'
import { lokiValues } from '../../../stacks/monitoring/loki/loki.ts'
import { otelValues } from '../../../stacks/monitoring/otel.ts'
import { ExportFile } from '../../../stacks/monitoring/replay/export-file.ts'
import { LokiClient } from './loki-client.ts'
import { lokiConfig } from './loki-config.ts'

// The pipeline without a cluster: the real Loki and a real shipper in plain containers on their own network. They have
// the locked images, the configuration and memory limits from the chart values, and the names of the Services.

export type Shipper = 'otel' | 'fluent-bit'
export const shippers: Shipper[] = ['otel', 'fluent-bit']

interface Siem {
  protocol: 'otlp' | 'syslog'
  endpoint: string
}

/** A container to run. */
interface ContainerSpec {
  image: string
  args: string[]
  /** Memory limit, in Kubernetes' format. */
  memory: string
  environment?: Record<string, string>
  aliases?: string[]
  /** Files to mount, by their path in the container. */
  files: Record<string, string>
  /** Folders of this machine to mount read-only, by their path in the container. */
  folders?: Record<string, string>
  /** Path of a volume that survives the container. */
  storage?: string
  /** A port to publish on this machine. */
  port?: number
}

/** Loki and a shipper in containers. */
export class Pipeline {
  readonly lab: Lab
  readonly loki: LokiClient
  readonly #name = `tetragon-lab-test-${randomBytes(4).toString('hex')}`
  readonly #folder = mkdtempSync(join(tmpdir(), 'tetragon-lab-pipeline-'))
  readonly #ports = new Map<string, string>()
  readonly #volumes = new Set<string>()
  readonly #containers = new Set<string>()

  /** @param siem destination of a second copy */
  constructor(shipper: Shipper, siem?: Siem) {
    this.lab = {
      settings: parseSettings({ pipeline: { shipper, ...(siem && { siem }) } }),
      lock: readLock(),
      source: 'replay',
    }
    this.loki = new LokiClient(() => `http://${this.#ports.get('loki')}`)
    mkdirSync(this.events)
  }

  /** The folder of the export file. */
  get events(): string {
    return join(this.#folder, 'events')
  }

  /** Creates the export file, which rotates like Tetragon's. */
  exportFile(maxBytes?: number): ExportFile {
    return new ExportFile({ path: join(this.events, exportFile.name), ...(maxBytes && { maxBytes }) })
  }

  /** Starts Loki and, by default, the shipper. */
  async start({ shipper = true } = {}): Promise<this> {
    await docker(['network', 'create', '--label', `${dockerLabel}=test`, this.#name])
    await this.run('loki', this.#lokiService())
    await this.loki.waitUntilReady()
    if (shipper) await this.startShipper()
    return this
  }

  startShipper(): Promise<void> {
    return this.run('shipper', this.lab.settings.pipeline.shipper === 'otel' ? this.#otel() : this.#fluentBit())
  }

  /** Kills the shipper and removes its container. Its volume stays. */
  async killShipper(): Promise<void> {
    await docker(['kill', '--signal', 'KILL', this.#container('shipper')])
    await docker(['rm', '--force', this.#container('shipper')])
  }

  /** Stops the shipper as Kubernetes does. */
  async stopShipper(): Promise<void> {
    await docker(['stop', '--time', '30', this.#container('shipper')])
    await docker(['rm', '--force', this.#container('shipper')])
  }

  /** Returns a copy of the shipper's volume, with its checkpoint and its queue. */
  shipperStorage(): Promise<Uint8Array> {
    return this.#withStorage(async helper => {
      const { stdout } = await execa('docker', ['cp', `${helper}:/stored/.`, '-'], { encoding: 'buffer' })
      return stdout
    })
  }

  /** Restores the volume of the stopped shipper from a copy. */
  async rewindShipper(storage: Uint8Array): Promise<void> {
    await docker(['volume', 'rm', this.#volume('shipper')])
    await this.#withStorage(helper => execa('docker', ['cp', '-', `${helper}:/stored`], { input: storage }))
  }

  /** Runs an action with a container that is never started and has the shipper's volume at /stored. */
  async #withStorage<T>(action: (helper: string) => Promise<T>): Promise<T> {
    const helper = this.#container('helper')
    const image = imageRef(this.lab.lock.images.loki)
    await docker(['create', '--name', helper, '--volume', `${this.#volume('shipper')}:/stored`, image])
    try {
      return await action(helper)
    } finally {
      await docker(['rm', '--force', helper])
    }
  }

  async stopLoki(): Promise<void> {
    await docker(['stop', '--time', '30', this.#container('loki')])
  }

  async startLoki(): Promise<void> {
    await docker(['start', this.#container('loki')])
    await this.#findPort('loki', 3100)
    await this.loki.waitUntilReady()
  }

  /** Returns the shipper's log. */
  async shipperLog(): Promise<string> {
    const { stdout, stderr } = await execa('docker', ['logs', this.#container('shipper')])
    return stdout + stderr
  }

  /** Returns the address of a container on this machine, such as 127.0.0.1:32768. */
  address(name: string): string {
    return this.#ports.get(name)!
  }

  /** Runs a container on the network, under its name. */
  async run(name: string, service: ContainerSpec): Promise<void> {
    const { image, args, memory, environment = {}, aliases = [], files, folders = {}, storage, port } = service
    const mounts = Object.entries(folders).map(([inside, here]) => `${here}:${inside}:ro`)
    const written = join(this.#folder, name)
    const inside = new Set<string>()
    for (const [path, text] of Object.entries(files)) {
      const here = join(written, path)
      mkdirSync(dirname(here), { recursive: true })
      writeFileSync(here, text)
      inside.add(dirname(path))
    }
    for (const folder of inside) mounts.push(`${join(written, folder)}:${folder}:ro`)
    if (storage) {
      await docker(['volume', 'create', '--label', `${dockerLabel}=test`, this.#volume(name)])
      this.#volumes.add(this.#volume(name))
      mounts.push(`${this.#volume(name)}:${storage}`)
    }
    const [program, ...rest] = args
    await docker([
      'run',
      '--detach',
      ...['--name', this.#container(name)],
      ...['--label', `${dockerLabel}=test`],
      ...['--network', this.#name],
      ...[name, ...aliases].flatMap(alias => ['--network-alias', alias]),
      ...['--user', '0:0'],
      ...['--memory', memory.replace('Mi', 'm')],
      ...mounts.flatMap(mount => ['--volume', mount]),
      ...Object.entries(environment).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
      ...(port ? ['--publish', `127.0.0.1::${port}`] : []),
      ...(program?.startsWith('/') ? ['--entrypoint', program, image, ...rest] : [image, ...args]),
    ])
    this.#containers.add(name)
    if (port) await this.#findPort(name, port)
  }

  /** Removes all containers, volumes and files. */
  async remove(): Promise<void> {
    for (const name of this.#containers) await docker(['rm', '--force', '--volumes', this.#container(name)])
    for (const volume of this.#volumes) await docker(['volume', 'rm', '--force', volume])
    await docker(['network', 'rm', this.#name])
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #container(name: string): string {
    return `${this.#name}-${name}`
  }

  #volume(name: string): string {
    return `${this.#container(name)}-storage`
  }

  async #findPort(name: string, port: number): Promise<void> {
    const [address] = (await docker(['port', this.#container(name), `${port}/tcp`])).split('\n')
    this.#ports.set(name, address!)
  }

  #lokiService(): ContainerSpec {
    const { singleBinary } = lokiValues(this.lab) as { singleBinary: { resources: Resources } }
    const memory = singleBinary.resources.limits.memory
    return {
      image: imageRef(this.lab.lock.images.loki),
      args: ['-config.file=/etc/loki/config/config.yaml', '-config.expand-env=true', '-target=all'],
      memory,
      environment: { GOMEMLIMIT: goMemory(memory, 0.85), GOGC: '80' },
      aliases: [new URL(services.loki).hostname, 'loki-memberlist.monitoring.svc.cluster.local'],
      files: {
        '/etc/loki/config/config.yaml': stringify(lokiConfig(this.lab)),
        '/etc/loki/runtime-config/runtime-config.yaml': '{}',
      },
      storage: '/var/loki',
      port: 3100,
    }
  }

  #otel(): ContainerSpec {
    const values = otelValues(this.lab) as {
      command: { name: string; extraArgs: string[] }
      extraEnvs: { name: string; value: string }[]
      resources: Resources
      alternateConfig: object
    }
    const memory = values.resources.limits.memory
    return {
      image: imageRef(this.lab.lock.images['otel-collector']),
      args: [`/${values.command.name}`, '--config=/conf/relay.yaml', ...values.command.extraArgs],
      memory,
      environment: {
        MY_POD_IP: '0.0.0.0',
        GOMEMLIMIT: goMemory(memory, 0.8),
        ...Object.fromEntries(values.extraEnvs.map(({ name, value }) => [name, value])),
      },
      files: { '/conf/relay.yaml': stringify(values.alternateConfig) },
      folders: { [exportFile.directory]: this.events },
      storage: '/var/lib/otelcol',
      port: 8888,
    }
  }

  #fluentBit(): ContainerSpec {
    const { config, luaScripts, resources } = fluentBitValues(this.lab) as {
      config: Record<'service' | 'inputs' | 'filters' | 'outputs' | 'customParsers', string>
      luaScripts: Record<string, string>
      resources: Resources
    }
    return {
      image: imageRef(this.lab.lock.images['fluent-bit']),
      args: [
        '/fluent-bit/bin/fluent-bit',
        '--workdir=/fluent-bit/etc',
        '--config=/fluent-bit/etc/conf/fluent-bit.conf',
      ],
      memory: resources.limits.memory,
      files: {
        '/fluent-bit/etc/conf/fluent-bit.conf': [config.service, config.inputs, config.filters, config.outputs].join(
          '\n',
        ),
        '/fluent-bit/etc/conf/custom_parsers.conf': config.customParsers,
        ...Object.fromEntries(
          Object.entries(luaScripts).map(([name, script]) => [`/fluent-bit/scripts/${name}`, script]),
        ),
      },
      folders: { [exportFile.directory]: this.events },
      storage: '/var/lib/fluent-bit',
      port: 2020,
    }
  }
}

interface Resources {
  limits: { memory: string }
}

const goMemory = (memory: string, share: number): string => `${Math.floor(Number.parseInt(memory, 10) * share)}MiB`
