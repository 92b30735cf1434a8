/** One instruction of a Containerfile, its lines joined. */
export interface Instruction {
  readonly name: string;
  readonly words: string;
}

/** Reads a Containerfile; comments and empty lines go. */
export function parseContainerfile(text: string): readonly Instruction[] {
  const lines = text.split('\n').filter((line) => !/^\s*(#|$)/.test(line));
  return lines
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, name = '', words = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
      return { name, words };
    });
}
