import { expect, it } from 'vitest'
import { configNamespace, projectName, setCommand } from '../../../../shared/settings/config-commands.ts'

it('names the settings of the project in this checkout', () => {
  expect(configNamespace).toBe('tetragon-lab')
  expect(setCommand('traffic.rate', 20)).toBe('./lab pulumi config set --path tetragon-lab:traffic.rate 20')
})

// Pulumi rewrites Pulumi.yaml in `pulumi new`, and quotes a name that YAML would read as a number.
it.each([
  ['name: tetragon-lab', 'tetragon-lab'],
  ['name: my_lab.2\ndescription: "name: other"', 'my_lab.2'],
  ['runtime:\n  name: nodejs\nname: "2026"', '2026'],
])('reads the name of the project from %j', (yaml, name) => {
  expect(projectName(yaml)).toBe(name)
})
