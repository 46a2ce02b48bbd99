import { createRequire } from 'node:module'
import * as grpc from '@grpc/grpc-js'
import type * as EngineMessages from '@pulumi/pulumi/proto/engine_pb.js'
import type * as MonitorMessages from '@pulumi/pulumi/proto/resource_pb.js'
import empty from 'google-protobuf/google/protobuf/empty_pb.js'
import struct from 'google-protobuf/google/protobuf/struct_pb.js'
import { configNamespace } from '../../shared/settings/config-commands.ts'
import { stackName } from '../../shared/stack.ts'
import { plainValue, unknownId } from './property-values.ts'

// A fake engine that records the resources a Pulumi program registers. It speaks the protocol of the pinned version,
// creates nothing and calls no provider.

const require = createRequire(import.meta.url)
const { EngineService } = require('@pulumi/pulumi/proto/engine_grpc_pb.js') as { EngineService: grpc.ServiceDefinition }
const { ResourceMonitorService } = require('@pulumi/pulumi/proto/resource_grpc_pb.js') as {
  ResourceMonitorService: grpc.ServiceDefinition
}
const engineMessages = require('@pulumi/pulumi/proto/engine_pb.js') as typeof EngineMessages
const monitorMessages = require('@pulumi/pulumi/proto/resource_pb.js') as typeof MonitorMessages

/** A resource that the program registers. */
export interface PlannedResource {
  urn: string
  type: string
  name: string
  parent: string
  /** True for a resource of a provider, false for a component. */
  custom: boolean
  inputs: Record<string, unknown>
  /** URNs of the resources it depends on. */
  dependencies: string[]
  /** URN of the resource whose deletion deletes this one too; inherited from the parent, as in the real engine. */
  deletedWith: string
  provider: string
  deleteBeforeReplace: boolean
  secretOutputs: string[]
  /** Timeout for its creation, if the program sets one. */
  createTimeout: string
}

/** What a program has registered. */
export interface Recording {
  resources: PlannedResource[]
  /** Errors that the program has logged. */
  errors: string[]
  outputs: Record<string, unknown>
}

type Call<Request> = grpc.ServerUnaryCall<Request, unknown>
type Done = grpc.sendUnaryData<unknown>

const replyEmpty = (_: Call<unknown>, done: Done) => done(null, new empty.Empty())
const unimplemented = (_: Call<unknown>, done: Done) =>
  done({ code: grpc.status.UNIMPLEMENTED, message: 'not implemented by the fake engine' })

/** Starts the engine on a free port. */
export async function startFakeEngine(): Promise<{ address: string; recording: Recording; stop: () => void }> {
  const recording: Recording = { resources: [], errors: [], outputs: {} }
  const server = new grpc.Server({ 'grpc.max_receive_message_length': 64 << 20 })
  server.addService(EngineService, engineService(recording))
  server.addService(ResourceMonitorService, monitorService(recording))
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  )
  return { address: `127.0.0.1:${port}`, recording, stop: () => server.forceShutdown() }
}

function engineService({ errors }: Recording): grpc.UntypedServiceImplementation {
  let rootUrn = ''
  return {
    log({ request }: Call<EngineMessages.LogRequest>, done: Done) {
      if (request.getSeverity() >= engineMessages.LogSeverity.ERROR) errors.push(request.getMessage())
      done(null, new empty.Empty())
    },
    getRootResource(_: Call<unknown>, done: Done) {
      const reply = new engineMessages.GetRootResourceResponse()
      reply.setUrn(rootUrn)
      done(null, reply)
    },
    setRootResource({ request }: Call<EngineMessages.SetRootResourceRequest>, done: Done) {
      rootUrn = request.getUrn()
      done(null, new engineMessages.SetRootResourceResponse())
    },
    startDebugging: replyEmpty,
    requirePulumiVersion: unimplemented,
  } as unknown as grpc.UntypedServiceImplementation
}

const supportedFeatures = ['secrets', 'resourceReferences', 'outputValues', 'deletedWith']

function monitorService(recording: Recording): grpc.UntypedServiceImplementation {
  return {
    supportsFeature({ request }: Call<MonitorMessages.SupportsFeatureRequest>, done: Done) {
      const reply = new monitorMessages.SupportsFeatureResponse()
      reply.setHassupport(supportedFeatures.includes(request.getId()))
      done(null, reply)
    },
    registerResource({ request }: Call<MonitorMessages.RegisterResourceRequest>, done: Done) {
      const resource = toResource(request, recording.resources)
      recording.resources.push(resource)
      const reply = new monitorMessages.RegisterResourceResponse()
      reply.setUrn(resource.urn)
      // As in a first preview: outputs equal inputs, and what the provider adds is unknown.
      const inputs = request.getObject()
      if (inputs) reply.setObject(inputs)
      if (resource.custom) reply.setId(unknownId)
      done(null, reply)
    },
    registerResourceOutputs({ request }: Call<MonitorMessages.RegisterResourceOutputsRequest>, done: Done) {
      if (request.getUrn().includes('pulumi:pulumi:Stack')) {
        const outputs = request.getOutputs() ?? new struct.Struct()
        recording.outputs = plainValue(outputs.toJavaScript()) as Record<string, unknown>
      }
      done(null, new empty.Empty())
    },
    registerPackage: (_: Call<unknown>, done: Done) => done(null, new monitorMessages.RegisterPackageResponse()),
    signalAndWaitForShutdown: replyEmpty,
    registerStackTransform: replyEmpty,
    registerStackInvokeTransform: replyEmpty,
    registerResourceHook: replyEmpty,
    registerErrorHook: replyEmpty,
    getDeploymentInfo: unimplemented,
    invoke: unimplemented,
    call: unimplemented,
    readResource({ request }: Call<MonitorMessages.ReadResourceRequest>, done: Done) {
      // What the user has made is not part of the plan. Nothing of it is known but its name.
      const parent = recording.resources.find(({ urn }) => urn === request.getParent())
      const reply = new monitorMessages.ReadResourceResponse()
      reply.setUrn(makeUrn(request.getType(), request.getName(), parent))
      reply.setProperties(request.getProperties() ?? new struct.Struct())
      done(null, reply)
    },
  } as unknown as grpc.UntypedServiceImplementation
}

function toResource(request: MonitorMessages.RegisterResourceRequest, resources: PlannedResource[]): PlannedResource {
  const parent = resources.find(({ urn }) => urn === request.getParent())
  const inputs = request.getObject()
  return {
    urn: makeUrn(request.getType(), request.getName(), parent),
    type: request.getType(),
    name: request.getName(),
    parent: request.getParent(),
    custom: request.getCustom(),
    inputs: inputs ? (plainValue(inputs.toJavaScript()) as Record<string, unknown>) : {},
    dependencies: request.getDependenciesList(),
    deletedWith: request.getDeletedwith() || parent?.deletedWith || '',
    provider: request.getProvider(),
    deleteBeforeReplace: request.getDeletebeforereplace(),
    secretOutputs: request.getAdditionalsecretoutputsList(),
    createTimeout: request.getCustomtimeouts()?.getCreate() ?? '',
  }
}

function makeUrn(type: string, name: string, parent?: PlannedResource): string {
  const parentType = parent && parent.type !== 'pulumi:pulumi:Stack' ? `${parent.urn.split('::')[2]}$` : ''
  return `urn:pulumi:${stackName()}::${configNamespace}::${parentType}${type}::${name}`
}
