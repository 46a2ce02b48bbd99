import { Command, type ErrorOptions } from 'commander'
import { LabError } from '../../shared/lab-error.ts'
import { nearest } from '../../shared/validation/schema-errors.ts'

/** A command whose wrong usage is told as everything else is: what was found, what was expected, the next command. */
export class LabCommand extends Command {
  /** On the outermost: what was typed after `./lab`. */
  typed: string[] = []

  override createCommand(name?: string): LabCommand {
    return new LabCommand(name)
  }

  override error(message: string, { code }: ErrorOptions = {}): never {
    throw new LabError({ ...this.#wrongUsage(message.replace(/^error: /, ''), code), exitCode: 2 })
  }

  #wrongUsage(message: string, code?: string): { found: string; expected: string; next: string } {
    const named = /'([^' ]*)/.exec(message)?.[1] ?? ''
    switch (code) {
      case 'commander.unknownCommand': {
        const names = this.commands.flatMap(command => [command.name(), ...command.aliases()])
        const near = nearest(named, names)
        return {
          found: `no command ${this.#full()} ${named}`,
          expected: near ? `a command; the nearest is ${near}` : `one of ${names.join(', ')}`,
          next: near ? this.#typedWith(named, near) : `${this.#full()} --help`,
        }
      }
      case 'commander.unknownOption': {
        const names = [...this.options, ...(this.parent?.options ?? [])].flatMap(({ long }) => long ?? [])
        // Of -yes, -y is known and left out.
        const whole = this.#root().typed.find(word => /^-[^-]/.test(word) && word.endsWith(named.slice(1))) ?? named
        const near = nearest(whole, [...names, '--help'])
        return {
          found: `no option ${whole} of ${this.#full()}`,
          expected: near ? `an option; the nearest is ${near}` : `one of ${[...names, '--help'].join(', ')}`,
          next: near ? this.#typedWith(whole, near) : `${this.#full()} --help`,
        }
      }
      case 'commander.missingArgument': {
        const argument = this.registeredArguments.find(one => one.name() === named)
        return {
          found: `${this.#full()} without its <${named}>`,
          expected: argument?.description ?? named,
          next: this.#example(),
        }
      }
      case 'commander.optionMissingArgument': {
        const option = [...this.options, ...(this.parent?.options ?? [])].find(({ flags }) => message.includes(flags))
        const value = /<(.+)>/.exec(option?.flags ?? '')?.[1] ?? 'value'
        return {
          found: `${option?.long ?? named} without its <${value}>`,
          expected: option?.description ?? 'a value',
          next: ['./lab', ...this.#root().typed, value.toUpperCase()].join(' '),
        }
      }
      case 'commander.excessArguments': {
        const most = this.registeredArguments.length
        const extra = this.args.slice(most)
        return {
          found: `"${extra.join(' ')}" after ${[this.#full(), ...this.args.slice(0, most)].join(' ')}`,
          expected: most === 0 ? 'nothing after it' : `no more than ${this.usage().replace('[options] ', '')}`,
          next: ['./lab', ...this.#root().typed.filter(word => !extra.includes(word))].join(' '),
        }
      }
      default:
        return { found: message, expected: `what ${this.#full()} --help says`, next: `${this.#full()} --help` }
    }
  }

  #root(): LabCommand {
    return this.parent instanceof LabCommand ? this.parent.#root() : this
  }

  /** As in `./lab policy lint`. */
  #full(): string {
    return this.parent instanceof LabCommand ? `${this.parent.#full()} ${this.name()}` : './lab'
  }

  /** What was typed, with the right word in the place of the wrong one. */
  #typedWith(wrong: string, right: string): string {
    return ['./lab', ...this.#root().typed.map(word => (word === wrong ? right : word))].join(' ')
  }

  /** The first example of its help. */
  #example(): string {
    let help = ''
    this.configureOutput({ writeOut: text => (help += text) }).outputHelp()
    return /^Examples?:\n {2}(.+)$/m.exec(help)?.[1] ?? `${this.#full()} --help`
  }
}

/**
 * Reads an option that is a whole number.
 * @param example what the error shows.
 */
export const wholeNumber =
  (option: string, example: number, { from = 1, to = Number.MAX_SAFE_INTEGER } = {}) =>
  (text: string): number => {
    const number = Number(text)
    if (/^\d+$/.test(text) && number >= from && number <= to) return number
    throw new LabError({
      found: `${option} ${text || '""'}`,
      expected: `a whole number from ${from}${to < Number.MAX_SAFE_INTEGER ? ` to ${to}` : ''}`,
      next: `repeat it with ${option} ${example}`,
      exitCode: 2,
    })
  }
