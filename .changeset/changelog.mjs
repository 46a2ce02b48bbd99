// Writes a changeset into CHANGELOG.md as it is. The standard writer puts the hash of its commit in front.

/** @type {import('@changesets/types').ChangelogFunctions} */
export default {
  getReleaseLine: async ({ summary }) => `- ${summary}`,
  getDependencyReleaseLine: async () => '',
}
