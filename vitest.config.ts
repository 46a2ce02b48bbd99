import { nodeSuite } from './test/node-suite.ts'

export default nodeSuite('test/unit/**/*.test.ts')
