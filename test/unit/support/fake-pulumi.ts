import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runVariable } from '../../../scripts/pulumi/processes.ts'
import { labPath } from '../../../shared/paths.ts'

/** Starts a process with the command line of Pulumi, which runs `source`: by default it waits for a minute. */
export function fakePulumi(action: string, source = 'setTimeout(() => {}, 60_000)') {
  const folder = mkdtempSync(labPath('fake-pulumi-'))
  symlinkSync(process.execPath, join(folder, 'pulumi'))
  writeFileSync(join(folder, action), source)
  const run = randomUUID()
  const env = { ...process.env, [runVariable]: run }
  const fake = spawn(join(folder, 'pulumi'), [action], { cwd: folder, detached: true, stdio: 'ignore', env })
  return {
    started: { pulumi: fake.pid!, run },
    pid: fake.pid!,
    /** Resolves with the signal that ended it. */
    exit: once(fake, 'exit').then(([, signal]) => signal as NodeJS.Signals | null),
    end: () => void fake.kill(),
  }
}
