import { createRequire } from 'node:module'
import { join } from 'node:path'
import * as grpc from '@grpc/grpc-js'
import { execa } from 'execa'
import empty from 'google-protobuf/google/protobuf/empty_pb.js'
import struct from 'google-protobuf/google/protobuf/struct_pb.js'
import { projectDir } from '../../shared/paths.ts'
import { configNamespace } from '../../shared/settings/schema.ts'

// A fake engine: it runs the real program under Pulumi's own runner and takes down what the program asks for. Nothing is made, no provider is
// asked, and neither Docker nor a cluster is needed. It answers the same protocol as the engine of the pinned version.

const require = createRequire(import.meta.url)
const engineServices = require('@pulumi/pulumi/proto/engine_grpc_pb.js') as { EngineService: grpc.ServiceDefinition }
const monitorServices = require('@pulumi/pulumi/proto/resource_grpc_pb.js') as {
  ResourceMonitorService: grpc.ServiceDefinition
}
const engineMessages =
  require('@pulumi/pulumi/proto/engine_pb.js') as typeof import('@pulumi/pulumi/proto/engine_pb.js')
const monitorMessages =
  require('@pulumi/pulumi/proto/resource_pb.js') as typeof import('@pulumi/pulumi/proto/resource_pb.js')

/** A resource that the program asked for. */
export interface PlannedResource {
  urn: string
  type: string
  name: string
  parent: string
  /** A real resource, not only a component that holds some. */
  custom: boolean
  inputs: Record<string, unknown>
  /** URNs that it waits for. */
  dependencies: string[]
  /** With which resource it goes; inherited from its parent, as the real engine does. */
  deletedWith: string
  provider: string
  deleteBeforeReplace: boolean
  secretOutputs: string[]
  /** Seconds that its creation may take, where the program says so. */
  createTimeout: string
}

/** What the program asked for, and what it complained of. */
export interface Plan {
  resources: PlannedResource[]
  errors: string[]
  outputs: Record<string, unknown>
  exitCode: number | undefined
}

/** What stands in the place of a value that only a real run would know. */
const unknownValue = '04da6b54-80e4-46f7-96ec-b56ff0331ba9'
const signature = '4dabf18193072939515e22adb298388d'
const secret = '1b47061264138c4ac30d75fd1eb44270'
const outputValue = 'd0e6a833031e9bbcd3f4e8bde6ca49a4'
/** How a secret is shown. */
export const hidden = '[secret]'
/** How a value that is not known yet is shown. */
export const unknown = '[known after up]'

/**
 * Runs the program with these settings (by section, as in the stack's file) and returns what it would make.
 * @param config sections of settings, as `{tetragon: {source: 'replay'}}`
 * @param env variables for the program, on top of this process's own
 */
export async function plan(config: Record<string, unknown> = {}, env: Record<string, string> = {}): Promise<Plan> {
  const resources: PlannedResource[] = []
  const errors: string[] = []
  let outputs: Record<string, unknown> = {}
  let root = ''
  const server = new grpc.Server({ 'grpc.max_receive_message_length': 64 << 20 })
  type Call = grpc.ServerUnaryCall<never, unknown>
  type Done = grpc.sendUnaryData<unknown>
  const nothing = (_: Call, done: Done) => done(null, new empty.Empty())
  const unimplemented = (_: Call, done: Done) =>
    done({ code: grpc.status.UNIMPLEMENTED, message: 'a plan does not do that' })

  server.addService(engineServices.EngineService, {
    log: (call: grpc.ServerUnaryCall<import('@pulumi/pulumi/proto/engine_pb.js').LogRequest, unknown>, done: Done) => {
      if (call.request.getSeverity() >= engineMessages.LogSeverity.ERROR) errors.push(call.request.getMessage())
      done(null, new empty.Empty())
    },
    getRootResource: (_: Call, done: Done) => {
      const reply = new engineMessages.GetRootResourceResponse()
      reply.setUrn(root)
      done(null, reply)
    },
    setRootResource: (
      call: grpc.ServerUnaryCall<import('@pulumi/pulumi/proto/engine_pb.js').SetRootResourceRequest, unknown>,
      done: Done,
    ) => {
      root = call.request.getUrn()
      done(null, new engineMessages.SetRootResourceResponse())
    },
    startDebugging: nothing,
    requirePulumiVersion: unimplemented,
  } as unknown as grpc.UntypedServiceImplementation)

  server.addService(monitorServices.ResourceMonitorService, {
    getDeploymentInfo: unimplemented,
    supportsFeature: (
      call: grpc.ServerUnaryCall<import('@pulumi/pulumi/proto/resource_pb.js').SupportsFeatureRequest, unknown>,
      done: Done,
    ) => {
      const reply = new monitorMessages.SupportsFeatureResponse()
      reply.setHassupport(
        ['secrets', 'resourceReferences', 'outputValues', 'deletedWith'].includes(call.request.getId()),
      )
      done(null, reply)
    },
    registerResource: (
      call: grpc.ServerUnaryCall<import('@pulumi/pulumi/proto/resource_pb.js').RegisterResourceRequest, unknown>,
      done: Done,
    ) => {
      const request = call.request
      const parent = resources.find(resource => resource.urn === request.getParent())
      const urn = makeUrn(request.getType(), request.getName(), parent)
      const object = request.getObject()
      resources.push({
        urn,
        type: request.getType(),
        name: request.getName(),
        parent: request.getParent(),
        custom: request.getCustom(),
        inputs: object ? (plain(object.toJavaScript()) as Record<string, unknown>) : {},
        dependencies: request.getDependenciesList(),
        deletedWith: request.getDeletedwith() || parent?.deletedWith || '',
        provider: request.getProvider(),
        deleteBeforeReplace: request.getDeletebeforereplace(),
        secretOutputs: request.getAdditionalsecretoutputsList(),
        createTimeout: request.getCustomtimeouts()?.getCreate() ?? '',
      })
      const reply = new monitorMessages.RegisterResourceResponse()
      reply.setUrn(urn)
      // Inputs come back as outputs; what only the provider knows is unknown, as in a first preview.
      if (object) reply.setObject(object)
      if (request.getCustom()) reply.setId(unknownValue)
      done(null, reply)
    },
    registerResourceOutputs: (
      call: grpc.ServerUnaryCall<import('@pulumi/pulumi/proto/resource_pb.js').RegisterResourceOutputsRequest, unknown>,
      done: Done,
    ) => {
      const { request } = call
      if (request.getUrn().includes('pulumi:pulumi:Stack'))
        outputs = plain((request.getOutputs() ?? new struct.Struct()).toJavaScript()) as Record<string, unknown>
      done(null, new empty.Empty())
    },
    registerPackage: (_: Call, done: Done) => done(null, new monitorMessages.RegisterPackageResponse()),
    signalAndWaitForShutdown: nothing,
    registerStackTransform: nothing,
    registerStackInvokeTransform: nothing,
    registerResourceHook: nothing,
    registerErrorHook: nothing,
    invoke: unimplemented,
    call: unimplemented,
    readResource: unimplemented,
  } as unknown as grpc.UntypedServiceImplementation)

  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  )
  const address = `127.0.0.1:${port}`
  try {
    const run = await execa(
      process.execPath,
      [
        join(projectDir, 'node_modules', '@pulumi', 'pulumi', 'cmd', 'run', 'index.js'),
        ...[
          '--monitor',
          address,
          '--engine',
          address,
          '--project',
          configNamespace,
          '--stack',
          'dev',
          '--organization',
          'organization',
        ],
        ...['--pwd', projectDir, '--parallel', '16', '--dry-run', 'true', '.'],
      ],
      {
        cwd: projectDir,
        env: {
          ...env,
          LAB_PLAN: 'true',
          PULUMI_CONFIG: JSON.stringify(
            Object.fromEntries(
              Object.entries(config).map(([section, value]) => [
                `${configNamespace}:${section}`,
                JSON.stringify(value),
              ]),
            ),
          ),
        },
        reject: false,
        all: true,
      },
    )
    if (run.exitCode !== 0 && errors.length === 0) errors.push(run.all || `the program ended with ${run.exitCode}`)
    return { resources, errors, outputs, exitCode: run.exitCode }
  } finally {
    server.forceShutdown()
  }
}

function makeUrn(type: string, name: string, parent: PlannedResource | undefined): string {
  const parentType = parent && parent.type !== 'pulumi:pulumi:Stack' ? `${parent.urn.split('::')[2]}$` : ''
  return `urn:pulumi:dev::${configNamespace}::${parentType}${type}::${name}`
}

/** Protocol values as plain ones: secrets hidden, unknowns named. */
function plain(value: unknown): unknown {
  if (value === unknownValue) return unknown
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const record = value as Record<string, unknown>
  if (record[signature] === secret) return hidden
  if (record[signature] === outputValue)
    return record.secret ? hidden : 'value' in record ? plain(record.value) : unknown
  return Object.fromEntries(Object.entries(record).map(([key, child]) => [key, plain(child)]))
}
