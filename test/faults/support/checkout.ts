import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { execa, execaSync } from 'execa'
import { stringify } from 'yaml'
import { projectDir } from '../../../shared/paths.ts'

/** Its cluster and ports are its own, so that a lab which is up on this machine is left alone. */
export const own = {
  cluster: 'lab-faults',
  ports: { guestbook: 18080, grafana: 13000, prometheus: 19090, loki: 13100, tetragon: 12112 },
} as const

/** What a command of the lab has come to. */
export interface Ran {
  exitCode: number | undefined
  stdout: string
  stderr: string
  seconds: number
}

/**
 * A copy of this checkout, in a folder with a space and letters beyond ASCII in its path, with a `.lab` of its own: what breaks it breaks nothing of
 * the user's, and the whole table of faults shows at the same time that such a path is none.
 */
export class Checkout {
  readonly folder: string
  readonly env: Record<string, string>

  constructor(env: Record<string, string> = {}) {
    this.folder = join(mkdtempSync(join(tmpdir(), 'lab ünder test ')), 'tetragon-lab')
    const { LAB_DIR: _, ...rest } = process.env as Record<string, string>
    // A lock is named from where the user stands.
    this.env = { ...rest, ...(rest.LAB_LOCK ? { LAB_LOCK: join(projectDir, rest.LAB_LOCK) } : {}), ...env }
    const { stdout } = execaSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: projectDir,
    })
    for (const file of stdout.split('\0').filter(file => file && existsSync(join(projectDir, file)))) {
      mkdirSync(dirname(join(this.folder, file)), { recursive: true })
      cpSync(join(projectDir, file), join(this.folder, file))
    }
    const settings = { 'tetragon-lab:cluster': { name: own.cluster }, 'tetragon-lab:ports': { ...own.ports } }
    writeFileSync(join(this.folder, 'Pulumi.dev.yaml'), stringify({ config: settings }))
    // What was fetched for this checkout is not fetched again for its copy.
    this.#copy('node_modules')
    for (const part of ['tools', 'charts', 'remembered.json']) this.#copy(join('.lab', part))
  }

  #copy(path: string): void {
    if (!existsSync(join(projectDir, path))) return
    mkdirSync(dirname(join(this.folder, path)), { recursive: true })
    execaSync('cp', ['-a', join(projectDir, path), join(this.folder, path)])
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts)
  }

  /** Starts `./lab ARGS`. */
  start(args: readonly string[], env: Record<string, string> = {}) {
    return execa('./lab', args, {
      cwd: this.folder,
      env: { ...this.env, ...env, NO_COLOR: '1' },
      extendEnv: false,
      reject: false,
      stdin: 'ignore',
    })
  }

  /** Runs `./lab ARGS` to its end. */
  async lab(args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
    const { exitCode, stdout, stderr, durationMs } = await this.start(args, env)
    return { exitCode, stdout, stderr, seconds: durationMs / 1000 }
  }

  remove(): void {
    rmSync(dirname(this.folder), { recursive: true, force: true })
  }
}
