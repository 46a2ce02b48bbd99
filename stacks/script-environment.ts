import { labDir } from '../shared/paths.ts'
import { defaultStack, stackName } from '../shared/stack.ts'

/** Returns the variables by which a script that Pulumi runs finds the files of the lab. */
export const scriptEnvironment = (): Record<string, string> => ({
  LAB_DIR: labDir(),
  ...(stackName() === defaultStack ? {} : { LAB_STACK: stackName() }),
})
