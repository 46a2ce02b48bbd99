import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type AgentPolicy, parsePolicyList } from '../../scripts/tetragon/agent-policies.ts'
import { projectDir } from '../../shared/paths.ts'

/** Returns the policies that a real agent listed, from a file of the recording. */
export const recordedAgentPolicies = (file: string): AgentPolicy[] =>
  parsePolicyList(
    readFileSync(join(projectDir, 'stacks', 'monitoring', 'replay', 'recordings', 'guestbook', file), 'utf8'),
    'lab-control-plane',
  )
