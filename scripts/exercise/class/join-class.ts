import { execa } from 'execa'
import { LabError } from '../../../shared/lab-error.ts'
import { projectDir } from '../../../shared/paths.ts'
import { configNamespace } from '../../../shared/settings/config-commands.ts'
import { readSettings } from '../../../shared/settings/stack-file.ts'
import { loadContext } from '../../context/context.ts'
import { ensureStack } from '../../pulumi/stack.ts'
import { isNameTaken, studentName } from './progress-metrics.ts'

/**
 * Stores the address that receives the progress of exercises, and the student's name.
 * @throws LabError for an address that is not a URL, or a name that another student uses.
 */
export async function joinClass(address: string, name?: string): Promise<void> {
  if (!/^https?:\/\/[^\s/]+/.test(address))
    throw new LabError({
      found: `${address} is not an address`,
      expected: 'one like http://192.168.1.20:9099',
      next: './lab class join http://192.168.1.20:9099',
      exitCode: 2,
    })
  const settings = readSettings()
  const defaultName = studentName(settings)
  // Cloned machines have the same account and host name.
  if (name === undefined && settings.class.pushTo !== address && (await isNameTaken(defaultName, address)))
    throw new LabError({
      found: `Another student in this class is called ${defaultName}`,
      expected: 'a different name (or the same, if that was you)',
      next: `./lab class join ${address} --as ${settings.class.student || 'YOUR-NAME'}`,
    })
  await setClassSettings({ pushTo: address, ...(name && { student: name }) })
}

/** Stops sending progress. */
export const leaveClass = (): Promise<void> => setClassSettings({ pushTo: '' })

/** Changes settings of the section `class` in the stack's configuration; an empty value removes one. */
async function setClassSettings(values: Record<string, string>): Promise<void> {
  const { env } = await loadContext(['pulumi'])
  await ensureStack(env)
  for (const [name, value] of Object.entries(values)) {
    const path = `${configNamespace}:class.${name}`
    const args = value === '' ? ['config', 'rm', '--path', path] : ['config', 'set', '--path', path, value]
    const { failed, stderr } = await execa('pulumi', args, { cwd: projectDir, env, stdin: 'ignore', reject: false })
    if (failed && value !== '')
      throw new LabError({
        found: `class.${name} cannot be set: ${stderr.trim().split('\n').at(-1)}`,
        next: `./lab pulumi ${args.join(' ')}`,
      })
  }
}
