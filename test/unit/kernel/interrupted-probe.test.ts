import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { projectDir } from '../../../shared/paths.ts'
import { newFolder } from '../support/folders.ts'

/** Starts a probe in a process of its own, with a kubectl whose pod never ends. */
function startProbe(onSignal: string) {
  const folder = newFolder()
  const nodeInfo = { kernelVersion: '6.1.0', architecture: 'amd64', bootID: 'a' }
  const nodes = { items: [{ metadata: { name: 'worker' }, spec: {}, status: { nodeInfo } }] }
  writeFileSync(
    join(folder, 'kubectl'),
    `#!/bin/sh
echo "$5 $6" >> '${folder}/calls'
case $5 in
  get) echo '${JSON.stringify(nodes)}' ;;
  run) exec sleep 60 ;;
esac
`,
    { mode: 0o755 },
  )
  writeFileSync(
    join(folder, 'probe.ts'),
    `import { kernelDecision } from '${join(projectDir, 'scripts/kernel/decision.ts')}'
${onSignal}
await kernelDecision({ cluster: { mode: 'existing', name: 'lab', context: 'mine' } })`,
  )
  const path = [folder, dirname(process.execPath), process.env.PATH].join(':')
  const env = { ...process.env, PATH: path, LAB_DIR: join(folder, '.lab') }
  const process_ = spawn(process.execPath, [join(folder, 'probe.ts')], { env, stdio: 'ignore' })
  const calls = (): string[] =>
    existsSync(join(folder, 'calls')) ? readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n') : []
  return { process: process_, calls }
}

it.each([
  ['in a command without a listener', 'SIGINT', ''],
  ['in a command without a listener', 'SIGTERM', ''],
  ['in `lab up`, which ends itself', 'SIGINT', "process.on('SIGINT', () => process.exit(1))"],
] as const)('removes the privileged pod when the probe is interrupted %s (%s)', async (_, signal, onSignal) => {
  const probe = startProbe(onSignal)
  await expect.poll(() => probe.calls(), { timeout: 15_000 }).toContain('run lab-kernel-probe')
  const ended = once(probe.process, 'exit')
  probe.process.kill(signal)
  await ended
  expect(probe.calls().at(-1)).toBe('delete pod')
})
