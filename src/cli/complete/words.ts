import type { CommandUnknownOpts } from '@commander-js/extra-typings';

type Option = Pick<CommandUnknownOpts['options'][number], 'short' | 'long' | 'required' | 'optional'>;

/** What could stand where the cursor is. */
export interface Candidates {
  readonly words: readonly string[];
  /** What the argument there is a name of: `backup`, `vm`; undefined if it is no name that a cluster knows. */
  readonly argument?: string | undefined;
}

/**
 * Finds what could stand where the cursor is, from the commands' own descriptions.
 * @param typed the words before it, and the one it is in (which may be empty) last
 */
export function candidatesFor(root: CommandUnknownOpts, typed: readonly string[]): Candidates {
  const current = typed.at(-1) ?? '';
  const before = typed.slice(0, -1);
  const previous = before.at(-1) ?? '';
  const positionals = positionalsOf(root, before);
  const { command, rest } = commandOf(root, positionals);
  const options = [...new Set([...command.options, ...root.options])].filter(({ hidden }) => !hidden);
  const asked = options.find((option) => takesValue(option, previous));
  if (asked !== undefined) return { words: starting(asked.argChoices ?? [], current) };
  if (current.startsWith('-')) {
    const flags = options.flatMap(({ long }) => (typeof long === 'string' ? [long] : []));
    return { words: starting([...flags, '--help'], current) };
  }
  if (command.commands.length > 0) {
    const names = visible(command).map((it) => it.name());
    return { words: starting(names, current) };
  }
  const argument = command.registeredArguments[rest.length] ?? command.registeredArguments.at(-1);
  const isFull = rest.length >= command.registeredArguments.length && argument?.variadic !== true;
  if (argument === undefined || isFull) return { words: [] };
  return argument.argChoices === undefined
    ? { words: [], argument: argument.name() }
    : { words: starting(argument.argChoices, current) };
}

/** The command that the words name, however deep, and the words after it. */
function commandOf(
  root: CommandUnknownOpts,
  words: readonly string[],
): { readonly command: CommandUnknownOpts; readonly rest: readonly string[] } {
  const child = root.commands.find((it) => it.name() === words[0]);
  return child === undefined ? { command: root, rest: words } : commandOf(child, words.slice(1));
}

/** A command and all beneath it. */
function withChildren(command: CommandUnknownOpts): readonly CommandUnknownOpts[] {
  return [command, ...command.commands.flatMap(withChildren)];
}

/** The words that are neither flags nor their values. */
function positionalsOf(root: CommandUnknownOpts, words: readonly string[]): readonly string[] {
  const options = withChildren(root).flatMap((command) => command.options);
  return words.filter((word, index) => {
    if (word.startsWith('-')) return false;
    const previous = words[index - 1] ?? '';
    return !options.some((option) => takesValue(option, previous));
  });
}

/** Whether a word is this option, and the next one its value. */
function takesValue({ short, long, required, optional }: Option, word: string): boolean {
  return (word === short || word === long) && (required || optional);
}

function visible(root: CommandUnknownOpts): readonly CommandUnknownOpts[] {
  return root.createHelp().visibleCommands(root);
}

function starting(words: readonly string[], prefix: string): readonly string[] {
  return words.filter((word) => word.startsWith(prefix));
}
