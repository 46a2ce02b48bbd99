import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { execa, execaSync } from 'execa'
import { stringify } from 'yaml'
import { projectDir } from '../../../shared/paths.ts'

/**
 * The cluster and ports of the tested lab, which differ from the defaults so that a lab on this machine stays
 * untouched.
 */
export const testLab = {
  cluster: 'lab-faults',
  ports: { guestbook: 18080, grafana: 13000, prometheus: 19090, loki: 13100, tetragon: 12112 },
} as const

export interface CommandResult {
  exitCode: number | undefined
  stdout: string
  stderr: string
  seconds: number
}

/** Copies the files of this checkout to a folder, except those that `skip` names. */
export function copyTrackedFiles(to: string, skip: (file: string) => boolean = () => false): void {
  const { stdout } = execaSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: projectDir,
  })
  for (const file of stdout.split('\0').filter(file => file && !skip(file) && existsSync(join(projectDir, file)))) {
    mkdirSync(dirname(join(to, file)), { recursive: true })
    cpSync(join(projectDir, file), join(to, file))
  }
}

/** Copies what this checkout has downloaded, which spares the copy the downloads. */
export function copyDownloads(to: string): void {
  for (const part of ['tools', 'charts', 'remembered.json']) copyPath(join('.lab', part), to)
}

function copyPath(path: string, to: string): void {
  if (!existsSync(join(projectDir, path))) return
  mkdirSync(dirname(join(to, path)), { recursive: true })
  execaSync('cp', ['-a', join(projectDir, path), join(to, path)])
}

/**
 * A copy of this checkout with a `.lab` of its own, so that no fault touches the user's lab. Its path has a space and a
 * letter beyond ASCII, which tests such paths too.
 */
export class Checkout {
  readonly folder: string
  readonly env: Record<string, string>

  constructor(env: Record<string, string> = {}) {
    this.folder = join(mkdtempSync(join(tmpdir(), 'lab ünder test ')), 'tetragon-lab')
    const { LAB_DIR: _, ...rest } = process.env as Record<string, string>
    // The path of a lock file is relative to the user's folder.
    this.env = { ...rest, ...(rest.LAB_LOCK ? { LAB_LOCK: join(projectDir, rest.LAB_LOCK) } : {}), ...env }
    copyTrackedFiles(this.folder)
    const settings = { 'tetragon-lab:cluster': { name: testLab.cluster }, 'tetragon-lab:ports': { ...testLab.ports } }
    writeFileSync(join(this.folder, 'Pulumi.dev.yaml'), stringify({ config: settings }))
    copyPath('node_modules', this.folder)
    copyDownloads(this.folder)
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

  /** Runs `./lab ARGS` and waits for it to end. */
  async lab(args: readonly string[], env: Record<string, string> = {}): Promise<CommandResult> {
    const { exitCode, stdout, stderr, durationMs } = await this.start(args, env)
    return { exitCode, stdout, stderr, seconds: durationMs / 1000 }
  }

  remove(): void {
    rmSync(dirname(this.folder), { recursive: true, force: true })
  }
}
