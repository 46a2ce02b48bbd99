import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { LabError } from '../../../shared/lab-error.ts'
import { projectDir } from '../../../shared/paths.ts'
import { type CastEvent, formatCast, parseCast, type TerminalSize } from './cast.ts'

/** The size of the recorded terminal. */
export const terminalSize: TerminalSize = { columns: 100, rows: 32 }

const folder = join(projectDir, 'node_modules', '.cache', 'terminal')
const program = (name: string): string => join(folder, 'bin', name)

/** A spinner turns ten times a second, and each frame of the picture is a copy of the changed lines. */
const shortestFrameMs = 250
const pauseAtEndMs = 4000

/** The colors of GitHub's own code blocks: foreground, background, and the 16 colors of a terminal. */
const colors = {
  light: {
    fg: '#1f2328',
    bg: '#f6f8fa',
    palette:
      '#24292f:#cf222e:#116329:#9a6700:#0969da:#8250df:#1b7c83:#6e7781:' +
      '#57606a:#a40e26:#1a7f37:#633c01:#218bff:#a475f9:#3192aa:#8c959f',
  },
  dark: {
    fg: '#e6edf3',
    bg: '#151b23',
    palette:
      '#484f58:#ff7b72:#3fb950:#d29922:#58a6ff:#bc8cff:#39c5cf:#b1bac4:' +
      '#6e7681:#ffa198:#56d364:#e3b341:#79c0ff:#d2a8ff:#56d4dd:#ffffff',
  },
} as const

/** Installs the recorder with Python, in a folder of its own. @throws LabError when that fails. */
export async function installRecorder(): Promise<void> {
  const requirements = join(import.meta.dirname, 'requirements.txt')
  try {
    await execa('python3', ['-m', 'venv', folder])
    await execa(program('pip'), ['install', '--quiet', '--disable-pip-version-check', '--requirement', requirements])
  } catch (cause) {
    throw new LabError({
      found: 'The terminal recorder cannot be installed',
      expected: 'Python 3.10 or newer with venv, and access to PyPI',
      next: `python3 -m venv ${folder} && ${program('pip')} install --requirement ${requirements}`,
      cause,
    })
  }
}

/**
 * Runs a command in a terminal of its own, and records what it writes.
 * @throws LabError when the command fails.
 */
export async function record(command: string): Promise<CastEvent[]> {
  const cast = join(folder, 'command.cast')
  const result = join(folder, 'exit-code')
  const shell = `sh -c '${command}; echo $? > ${result}'`
  const geometry = `${terminalSize.columns}x${terminalSize.rows}`
  // In CI, programs write no colors and no progress. Standard input stays open, or the recorder would end at once.
  const { CI: _, NO_COLOR: __, ...env } = process.env
  await execa(program('termtosvg'), ['record', cast, '--screen-geometry', geometry, '--command', shell], {
    cwd: projectDir,
    env: { ...env, TERM: 'xterm-256color' },
    extendEnv: false,
    stdin: 'pipe',
    stdout: 'inherit',
    stderr: 'ignore',
  })
  if (readFileSync(result, 'utf8').trim() !== '0')
    throw new LabError({ found: `${command} failed, so it is not recorded`, next: command })
  return parseCast(readFileSync(cast, 'utf8'))
}

/** Draws a recording as two animated SVG files, NAME-light.svg and NAME-dark.svg. @returns their paths. */
export async function draw(events: CastEvent[], name: string): Promise<string[]> {
  const cast = join(folder, 'session.cast')
  writeFileSync(cast, formatCast(events, terminalSize))
  const files: string[] = []
  for (const [theme, palette] of Object.entries(colors)) {
    const theseColors = join(folder, `${theme}.json`)
    writeFileSync(theseColors, JSON.stringify(palette))
    const file = `${name}-${theme}.svg`
    const frames = ['--min-frame-duration', String(shortestFrameMs), '--loop-delay', String(pauseAtEndMs)]
    const look = ['--template', 'window_frame', '--theme', theseColors]
    await execa(program('termtosvg'), ['render', cast, file, ...frames, ...look])
    files.push(file)
  }
  return files
}

/** Returns the size of a file in kB. */
export const kilobytes = (file: string): number => Math.ceil(statSync(file).size / 1000)
