import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { beforeAll, describe, expect, test } from 'vitest'
import { projectDir } from '../../../shared/paths.ts'
import { newFolder } from '../../unit/support/folders.ts'
import { runLab } from '../../unit/support/run-lab.ts'

// Types command lines with tab keys into real shells, each at its own terminal. Ctrl-A and `echo` then make the shell
// print the completed line instead of running it.

const tab = '\t'
const completed = {
  [`./lab pol${tab}sho${tab}deny-wget-m${tab}`]: './lab policy show deny-wget-monitor',
  [`./lab ex check 04${tab}`]: './lab ex check 04-find-the-reader',
  [`./lab policy apply --tim${tab}`]: './lab policy apply --timeout',
  [`./lab policy lint --format sa${tab}`]: './lab policy lint --format sarif',
  // Bash takes a colon and an equals sign for the start of a word.
  [`./lab pulumi conf${tab}set --pa${tab}tetragon-lab:traffic.r${tab}`]:
    './lab pulumi config set --path tetragon-lab:traffic.rate',
  [`./lab pulumi config set --path tetragon-lab:tetragon.source re${tab}`]:
    './lab pulumi config set --path tetragon-lab:tetragon.source replay',
  // No space follows the setting, so that its value can.
  [`./lab plan --set tetragon.sou${tab}rep${tab}`]: './lab plan --set tetragon.source=replay',
  [`./lab policy show ./docs/runbook${tab}`]: './lab policy show ./docs/runbooks.md',
  [`./lab bundle load docs/runbook${tab}`]: './lab bundle load docs/runbooks.md',
  [`./lab report --out=docs/runbook${tab}`]: './lab report --out=docs/runbooks.md',
  // Nothing fits, so nothing changes.
  [`./lab exercise answer po${tab}`]: './lab exercise answer po',
}

interface Shell {
  /** Starts the shell without the user's own settings. */
  command: string
  /** Typed before the script is sourced. */
  prepare?: string
}
const shells: Record<string, Shell> = {
  bash: { command: 'bash --noprofile --norc -i' },
  zsh: { command: 'zsh -f -i', prepare: 'autoload -Uz compinit; compinit -u -D; ' },
  fish: { command: 'fish --no-config -i' },
}
const scripts: Record<string, string> = {}

beforeAll(async () => {
  for (const name of Object.keys(shells)) scripts[name] = (await runLab('completion', name)).stdout
})

const isMissing = async (program: string): Promise<boolean> =>
  (await execa(program, ['--version'], { reject: false, stdin: 'ignore' })).failed

describe.concurrent.each(Object.entries(shells))('%s', (name, { command, prepare = '' }) => {
  test('completes command lines at a real terminal', { timeout: 60_000 }, async context => {
    const missing = (await isMissing(name)) ? name : (await isMissing('script')) ? 'script of util-linux' : undefined
    if (missing) {
      console.log(`Completion in ${name} is not tested: ${missing} is not installed`)
      return context.skip()
    }
    const folder = newFolder()
    const script = join(folder, name)
    writeFileSync(script, scripts[name]!)
    const lines = [
      `${prepare}source ${script}`,
      ...Object.keys(completed).map(line => `${line}\x01echo RESULT: `),
      'exit',
    ]
    writeFileSync(join(folder, 'typed'), `${lines.join('\n')}\n`)
    const { stdout } = await execa(
      'sh',
      ['-c', 'exec script -qec "$1" /dev/null < "$2"', 'sh', command, join(folder, 'typed')],
      {
        cwd: projectDir,
        // Nothing of the user's environment: with EDITOR=vi, which npm sets, zsh has other keys.
        extendEnv: false,
        env: { PATH: process.env.PATH, TERM: 'dumb', HOME: folder },
        reject: false,
        timeout: 50_000,
      },
    )
    const results = [...stdout.matchAll(/[\r\n]RESULT: (.*?) *\r?$/gm)].map(([, line]) => line)
    expect(results).toEqual(Object.values(completed))
  })
})
