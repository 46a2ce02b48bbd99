import { join } from 'node:path'
import { execa } from 'execa'
import { projectDir } from '../../shared/paths.ts'
import { configNamespace } from '../../shared/settings/config-commands.ts'
import { stackName } from '../../shared/stack.ts'
import { type Recording, startFakeEngine } from './fake-engine.ts'

/** The resources that the program registers, its errors and its outputs. */
export interface Plan extends Recording {
  exitCode: number | undefined
}

const runner = join(projectDir, 'node_modules', '@pulumi', 'pulumi', 'cmd', 'run', 'index.js')

/**
 * Runs the real program under Pulumi's own runner with a fake engine, and returns what it would create.
 * @param sections settings by section, as `{tetragon: {source: 'replay'}}`.
 * @param env variables for the program, in addition to those of this process.
 */
export async function planLab(sections: Record<string, unknown> = {}, env: Record<string, string> = {}): Promise<Plan> {
  const engine = await startFakeEngine()
  const config = Object.entries(sections).map(([name, value]) => [`${configNamespace}:${name}`, JSON.stringify(value)])
  const args = [
    ...['--monitor', engine.address, '--engine', engine.address],
    ...['--project', configNamespace, '--stack', stackName(), '--organization', 'organization'],
    ...['--pwd', projectDir, '--parallel', '16', '--dry-run', 'true', '.'],
  ]
  try {
    const { exitCode, all } = await execa(process.execPath, [runner, ...args], {
      cwd: projectDir,
      env: { ...env, PULUMI_CONFIG: JSON.stringify(Object.fromEntries(config)) },
      reject: false,
      all: true,
    })
    const { errors } = engine.recording
    if (exitCode !== 0 && errors.length === 0) errors.push(all || `the program exited with ${exitCode}`)
    return { ...engine.recording, exitCode }
  } finally {
    engine.stop()
  }
}
