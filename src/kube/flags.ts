import { parseArgs } from 'node:util';
import { z } from 'zod';

/** The flags that each program has which serves the API. */
export const CommonFlags = z.object({
  kubeconfig: z.string().optional().describe('A kubeconfig; the service account of the pod when left out.'),
  namespace: z
    .string()
    .min(1)
    .max(63)
    .default('tidemark-system')
    .describe('Namespace of Tidemark itself, where the Leases are.'),
  'health-port': z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(8081)
    .describe('Port of /healthz, /readyz and /metrics; 0 = any.'),
  'log-level': z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('What is logged.'),
});

/** A command line that a program cannot run with; its message names each flag that is wrong, and what it must be. */
export class WrongFlags extends Error {
  readonly reason = 'WrongFlags';
}

/**
 * Parses a command line of flags, `--name value` or `--name=value`, by the schema of their values.
 *
 * @throws WrongFlags for flags that are unknown, wrong or missing.
 */
export function parseFlags<S extends z.ZodObject>(schema: S, args: readonly string[]): z.output<S> {
  const parsed = schema.safeParse(valuesOf(schema, args));
  if (parsed.success) return parsed.data;
  const wrong = parsed.error.issues.map(({ path, message }) => `--${path.join('.')}: ${message}`);
  throw new WrongFlags(wrong.join('\n'));
}

/** Every flag with its default and what it is for, as `--help` prints it. */
export function usageOf(program: string, schema: z.ZodObject): string {
  const flags = Object.entries(schema.shape).map(([name, flag]) => {
    const isNeeded = !z.safeParse(flag, undefined).success;
    const fallback = isNeeded ? undefined : z.parse(flag, undefined);
    const note = isNeeded ? ' (needed)' : fallback === undefined ? '' : ` (default: ${String(fallback)})`;
    return `  --${name}\n      ${flag.description ?? ''}${note}\n`;
  });
  return `Usage: ${program} [--flag=value …]\n\n${flags.join('')}`;
}

/** Reads a program's own command line; prints what it may be and ends the process if that is asked for, or if it is wrong. */
export function flagsOrExit<S extends z.ZodObject>(program: string, schema: S): z.output<S> {
  const args = process.argv.slice(2);
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(usageOf(program, schema));
    process.exit(0);
  }
  try {
    return parseFlags(schema, args);
  } catch (error) {
    if (!(error instanceof WrongFlags)) throw error;
    process.stderr.write(`${program}: ${error.message}\nEvery flag: ${program} --help\n`);
    process.exit(2);
  }
}

function valuesOf(schema: z.ZodObject, args: readonly string[]): Readonly<Record<string, unknown>> {
  const options = Object.fromEntries(
    Object.keys(schema.shape).map((name) => [name, { type: 'string' as const }]),
  );
  try {
    return parseArgs({ args: [...args], options, strict: true }).values;
  } catch (cause) {
    throw new WrongFlags(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}
