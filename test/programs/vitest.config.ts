import { nodeSuite } from '../node-suite.ts'

// What runs in processes of its own: the launcher and the installer, scripts of exercises and pods, bundles, kubectl,
// and the Pulumi program with a fake engine.
export default nodeSuite('test/{programs,plan}/**/*.test.ts')
