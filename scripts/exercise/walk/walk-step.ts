import { LabError } from '../../../shared/lab-error.ts'

/** One step of an exercise's test. */
export interface WalkStep {
  exercise: string
  what: string
  /** For `skip`, `found` says why. */
  result: 'ok' | 'fail' | 'skip'
  found: string
  seconds: number
}

/** Receives each step as soon as it is done. */
export type StepListener = (step: WalkStep) => void

/** Thrown by a step that finds something wrong in the exercise. */
export class StepFailure extends Error {}

/** Collects the steps of one exercise. */
export class StepRecorder {
  readonly steps: WalkStep[] = []
  readonly #exercise: string
  readonly #listener: StepListener

  constructor(exercise: string, listener: StepListener = () => {}) {
    this.#exercise = exercise
    this.#listener = listener
  }

  /**
   * Runs a step and records its result.
   * @param work returns what it found, and throws a StepFailure or LabError when the step fails.
   * @returns whether it succeeded.
   */
  async run(what: string, work: () => Promise<string | undefined> | string | undefined): Promise<boolean> {
    const startedAt = performance.now()
    const record = (result: WalkStep['result'], found: string): void =>
      this.#record(what, result, found, (performance.now() - startedAt) / 1000)
    try {
      record('ok', (await work()) ?? '')
      return true
    } catch (error) {
      if (!(error instanceof StepFailure || error instanceof LabError)) throw error
      record('fail', error instanceof LabError ? error.found : error.message)
      return false
    }
  }

  skip(what: string, why: string): void {
    this.#record(what, 'skip', why, 0)
  }

  #record(what: string, result: WalkStep['result'], found: string, seconds: number): void {
    const step = { exercise: this.#exercise, what, result, found, seconds }
    this.steps.push(step)
    this.#listener(step)
  }
}
