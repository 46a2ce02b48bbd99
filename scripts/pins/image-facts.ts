import type { PublishedTag } from './image-registry.ts'
import type { YamlEdit } from './yaml-edit.ts'

// test/images/images.yaml describes what each image contains. A registry knows the user, the entrypoint and the platforms
// of a new tag. Programs and folders are in its Dockerfile, which a person has to read again.

interface Step {
  /** Name of the image in the lock file. */
  name: string
  repository: string
  from: string
  to: string
}

/** Returns the edits that describe a new tag of an image. */
export function imageFactEdits(
  { name, repository, from, to }: Step,
  { user, entrypoint, platforms }: PublishedTag,
  source: string,
): YamlEdit[] {
  const at = (key: string): string[] => ['images', name, key]
  const numbers = (tag: string): string => /\d+(\.\d+)*/.exec(tag)?.[0] ?? tag
  return [
    { path: at('image'), value: `${repository}:${to}` },
    { path: at('source'), value: source.replace(numbers(from), numbers(to)) },
    { path: at('unverified'), value: `programs and folders were read for ${from}`, after: 'source' },
    { path: at('user'), value: userOf(user) },
    { path: at('entrypoint'), value: entrypoint },
    { path: at('platforms'), value: platforms },
  ]
}

/** The group is left out. A number stays a number, because a name does not satisfy runAsNonRoot. */
function userOf(user: string): string | number {
  const [name] = user.split(':')
  if (!name) return 'root'
  return /^\d+$/.test(name) ? Number(name) : name
}
