import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { labDir, labPath } from './paths.ts'

/** The stack of the lab on a laptop. It is used where no other one is named. */
export const defaultStack = 'dev'

/**
 * Returns the name of the Pulumi stack: `LAB_STACK`, which `--stack` sets, or `dev`. It reads the variable at each
 * call, because `--stack` and the program set it.
 */
export const stackName = (): string => process.env.LAB_STACK || defaultStack

/** Selects the stack for this process and the programs that it starts. */
export function selectStack(name: string): void {
  process.env.LAB_STACK = name
}

/**
 * Path of the stack's own files in `.lab`: state, passphrase, kubeconfig, run lock and logs. Those of `dev` are in
 * `.lab` itself, so that two stacks share only downloads.
 */
const stackFolder = (): string[] => (stackName() === defaultStack ? [] : ['stacks', stackName()])

/** Returns the folder of the stack's own files. */
export const stackDir = (): string => join(labDir(), ...stackFolder())

/**
 * Returns an id for this lab among others on the machine. The cluster's node carries it too, so it survives the loss of
 * the folder.
 */
export const labId = (): string => createHash('sha256').update(stackDir()).digest('hex').slice(0, 16)

/** Returns how messages name one of the stack's own files. */
export const shownStackPath = (file: string): string => ['.lab', ...stackFolder(), file].join('/')

/** Returns a path in the folder of the stack's own files, and creates its parent folder (mode 0700). */
export const stackPath = (...parts: string[]): string => labPath(...stackFolder(), ...parts)

/** Returns the stack's settings file in the checkout. */
export const settingsFileName = (stack = stackName()): string => `Pulumi.${stack}.yaml`

/** Returns how the command is started on this stack: `./lab`, with `--stack` for any other than `dev`. */
export const labCommand = (): string => (stackName() === defaultStack ? './lab' : `./lab --stack ${stackName()}`)
