import { text } from 'node:stream/consumers'
import * as pulumi from '@pulumi/pulumi'
import { type Recording, startFakeEngine } from '../../../scripts/plan/fake-engine.ts'
import { configNamespace } from '../../../shared/settings/config-commands.ts'
import { stackName } from '../../../shared/stack.ts'

// Runs the program for several settings in one process, as Pulumi's Automation API does for inline programs: loading the SDK
// takes longer than a run. Reads a list of settings on standard input and prints a list of recordings.

async function record(sections: Record<string, unknown>, index: number): Promise<Recording> {
  const engine = await startFakeEngine()
  const { address, recording } = engine
  const config = Object.entries(sections).map(([name, value]) => [`${configNamespace}:${name}`, JSON.stringify(value)])
  pulumi.runtime.resetOptions(configNamespace, stackName(), 16, address, address, true, 'organization')
  pulumi.runtime.setAllConfig(Object.fromEntries(config))
  try {
    // The query makes Node evaluate the module again.
    await pulumi.runtime.runInPulumiStack(async () => ({ ...(await import(`../../../index.ts?${index}`)) }))
    await pulumi.runtime.disconnect()
    return recording
  } finally {
    engine.stop()
  }
}

const recordings: Recording[] = []
for (const [index, sections] of (JSON.parse(await text(process.stdin)) as Record<string, unknown>[]).entries())
  recordings.push(await record(sections, index))
process.stdout.write(JSON.stringify(recordings))
