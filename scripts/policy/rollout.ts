import { type Document, isMap, parseAllDocuments, type YAMLMap } from 'yaml'
import { isMapping } from '../../shared/validation/yaml-source.ts'
import { enforces, monitorSuffix, readPolicyModel } from './model/policy-model.ts'
import { isPolicyKind } from './model/policy-source.ts'

/** How far a policy is rolled out. */
export interface Rollout {
  /** Report what the policy would block, and block nothing. */
  monitor?: boolean
  /** Apply the policy only to pods with this label. */
  pods?: { key: string; value: string }
}

/**
 * Returns the policies of a text at a stage of their roll-out. A policy in monitor mode has a name that ends in
 * `-monitor`: its events name the action although nothing was blocked, and only the name tells.
 */
export function atStage(text: string, { monitor, pods }: Rollout): string {
  if (!monitor && !pods) return text
  const documents = parseAllDocuments(text) as Document.Parsed[]
  for (const document of documents) {
    const { kind } = document.toJS() as { kind?: unknown }
    if (!isPolicyKind(kind)) continue
    const value: unknown = document.toJS()
    if (!isMapping(value)) continue
    if (monitor && enforces(readPolicyModel(kind, value))) setMonitorMode(document)
    if (pods) document.setIn(['spec', 'podSelector', 'matchLabels', pods.key], pods.value)
  }
  return documents
    .map(document => {
      // The separator comes from `join`, once.
      document.directives.docStart = null
      return document.toString({ lineWidth: 0 })
    })
    .join('---\n')
}

function setMonitorMode(document: Document.Parsed): void {
  const name = document.getIn(['metadata', 'name']) as string
  if (!name.endsWith(monitorSuffix)) document.setIn(['metadata', 'name'], `${name}${monitorSuffix}`)
  const options = document.getIn(['spec', 'options']) as { items?: unknown[] } | undefined
  const modes = (options?.items ?? []).filter(
    (item): item is YAMLMap => isMap(item) && item.get('name') === 'policy-mode',
  )
  for (const mode of modes) mode.set('value', 'monitor')
  if (modes.length > 0) return
  const mode = document.createNode({ name: 'policy-mode', value: 'monitor' }, { flow: true })
  if (options) document.addIn(['spec', 'options'], mode)
  else document.setIn(['spec', 'options'], document.createNode([mode]))
}
