import { type Argument, Command, type ErrorOptions, type Option } from 'commander'
import { LabError } from '../../shared/lab-error.ts'
import { nearest } from '../../shared/validation/schema-errors.ts'

/** A command that reports wrong usage as a LabError. */
export class LabCommand extends Command {
  /** On the root command: the words after `./lab`. */
  typed: string[] = []

  override createCommand(name?: string): LabCommand {
    return new LabCommand(name)
  }

  override error(message: string, { code }: ErrorOptions = {}): never {
    throw new LabError({ ...this.#wrongUsage(message.replace(/^error: /, ''), code), exitCode: 2 })
  }

  #wrongUsage(message: string, code?: string): { found: string; expected?: string; next: string } {
    const named = /'([^' ]*)/.exec(message)?.[1] ?? ''
    switch (code) {
      case 'commander.unknownCommand': {
        const names = this.commands.flatMap(command => [command.name(), ...command.aliases()])
        const near = nearest(named, names)
        return {
          found: `${this.#full()} ${named} is not a command`,
          expected: near ? `${near} (the nearest name)` : `one of ${names.join(', ')}`,
          next: near ? this.#typedWith(named, near) : `${this.#full()} --help`,
        }
      }
      case 'commander.unknownOption': {
        const names = [...this.options, ...(this.parent?.options ?? [])].flatMap(({ long }) => long ?? [])
        // For -yes, commander reports only the part after the known -y.
        const option = this.#root().typed.find(word => /^-[^-]/.test(word) && word.endsWith(named.slice(1))) ?? named
        const near = nearest(option, [...names, '--help'])
        return {
          found: `${this.#full()} has no option ${option}`,
          expected: near ? `${near} (the nearest name)` : `one of ${[...names, '--help'].join(', ')}`,
          next: near ? this.#typedWith(option, near) : `${this.#full()} --help`,
        }
      }
      case 'commander.missingArgument': {
        const argument = this.registeredArguments.find(one => one.name() === named)
        return {
          found: `<${named}> is missing after ${this.#full()}`,
          expected: argument && lowerFirst(argument.description),
          next: this.#example(),
        }
      }
      case 'commander.optionMissingArgument': {
        const option = [...this.options, ...(this.parent?.options ?? [])].find(({ flags }) => message.includes(flags))
        const value = /<(.+)>/.exec(option?.flags ?? '')?.[1] ?? 'value'
        return {
          found: `<${value}> is missing after ${option?.long ?? named}`,
          expected: option && lowerFirst(option.description),
          next: ['./lab', ...this.#root().typed, value.toUpperCase()].join(' '),
        }
      }
      case 'commander.excessArguments': {
        const count = this.registeredArguments.length
        const extra = this.args.slice(count)
        const limit = count === 0 ? 'no argument' : `only ${this.usage().replace('[options] ', '')}`
        return {
          found: `${this.#full()} takes ${limit}, but got "${extra.join(' ')}"`,
          next: ['./lab', ...this.#root().typed.filter(word => !extra.includes(word))].join(' '),
        }
      }
      default:
        return { found: message, next: `${this.#full()} --help` }
    }
  }

  #root(): LabCommand {
    return this.parent instanceof LabCommand ? this.parent.#root() : this
  }

  /** Returns the full name, as in `./lab policy lint`. */
  #full(): string {
    return this.parent instanceof LabCommand ? `${this.parent.#full()} ${this.name()}` : './lab'
  }

  /** Returns the command line with one word corrected. */
  #typedWith(wrong: string, right: string): string {
    return ['./lab', ...this.#root().typed.map(word => (word === wrong ? right : word))].join(' ')
  }

  /** Returns the first example of its help. */
  #example(): string {
    let help = ''
    this.configureOutput({ writeOut: text => (help += text) }).outputHelp()
    return /^Examples?:\n {2}(.+)$/m.exec(help)?.[1] ?? `${this.#full()} --help`
  }
}

/** Adds a command that only has subcommands. */
export const addGroup = (program: Command, name: string, description: string, help: string): Command =>
  program
    .command(name)
    .description(description)
    .helpCommand('help [command]', 'Show the help of a subcommand')
    .addHelpText('after', `\n${help}`)

/** Names the values that an argument or option takes, for completion in the shell. The command itself checks them. */
export function withValues<Input extends Argument | Option>(input: Input, values: readonly string[]): Input {
  valuesByInput.set(input, values)
  return input
}

/** Returns the values that `withValues` named; undefined for any other argument or option. */
export const valuesOf = (input: Argument | Option): readonly string[] | undefined => valuesByInput.get(input)

const valuesByInput = new WeakMap<Argument | Option, readonly string[]>()

/** Makes a description fit after `Expected`: "Name of a part" becomes "name of a part". */
const lowerFirst = (text: string): string => text.replace(/^[A-Z](?=[a-z ])/, letter => letter.toLowerCase())

/**
 * Returns a parser for an option that takes a whole number.
 * @param example the value that the error suggests.
 */
export const wholeNumber =
  (option: string, example: number, { from = 1, to = Number.MAX_SAFE_INTEGER } = {}) =>
  (text: string): number => {
    const number = Number(text)
    if (/^\d+$/.test(text) && number >= from && number <= to) return number
    throw new LabError({
      found: `${option} is ${text || '""'}`,
      expected: `a whole number from ${from}${to < Number.MAX_SAFE_INTEGER ? ` to ${to}` : ''}`,
      next: `repeat the command with ${option} ${example}`,
      exitCode: 2,
    })
  }
