import { afterAll } from 'vitest'
import { removeFolders } from './folders.ts'

// Runs before each test file. A hook in a module that the files share would belong to the first file alone.
afterAll(removeFolders)
