import { types } from '@pulumi/command'
import { labDir, projectDir } from '../shared/paths.ts'
import { defaultStack, stackName } from '../shared/stack.ts'

/** Returns the arguments of a `Command` that runs a script of the lab, with this specification on standard input. */
export const scriptCommand = (spec: object) => ({
  dir: projectDir,
  stdin: JSON.stringify(spec),
  environment: { LAB_DIR: labDir(), ...(stackName() === defaultStack ? {} : { LAB_STACK: stackName() }) },
  // Standard error has only progress and errors. No script prints the kubeconfig.
  logging: types.enums.local.Logging.Stderr,
  addPreviousOutputInEnv: false,
})
