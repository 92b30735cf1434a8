import { type ParseArgsConfig, parseArgs } from 'node:util';
import { parseQuantity } from '../domain/quantity.ts';
import { systemError } from './errno.ts';
import { UsageError } from './errors.ts';

type Options = NonNullable<ParseArgsConfig['options']>;

/** Reads a command's arguments. @throws UsageError with the command's usage for anything it does not know */
export function readArguments<T extends Options>(
  args: readonly string[],
  options: T,
  positionals: number,
  usage: string,
) {
  try {
    const parsed = parseArgs({ args: [...args], options, allowPositionals: positionals > 0, strict: true });
    if (parsed.positionals.length === positionals) return parsed;
  } catch (cause) {
    throw new UsageError('UsageError', `${systemError(cause).message}\n\nusage: tidemark-mover ${usage}`, {
      cause,
    });
  }
  throw new UsageError('UsageError', `usage: tidemark-mover ${usage}`);
}

/** An option that must be there. */
export function required(value: string | undefined, name: string, usage: string): string {
  if (value) return value;
  throw new UsageError('UsageError', `--${name} is missing\n\nusage: tidemark-mover ${usage}`);
}

/** `200Mi` → 209715200, as Kubernetes writes quantities. */
export function parseBytes(text: string, name: string): number {
  const bytes = parseQuantity(text);
  if (bytes !== undefined) return bytes;
  throw new UsageError('UsageError', `--${name} must be a number of bytes such as 200Mi, not "${text}"`);
}

/** `zstd`, `zstd:9` or `none`. */
export function parseCompression(text: string | undefined): {
  readonly compression?: string;
  readonly compressionLevel?: number;
} {
  if (text === undefined) return {};
  const [, compression, level] = /^(none|zstd)(?::(\d{1,2}))?$/.exec(text) ?? [];
  const isLawful = compression === 'zstd' || (compression !== undefined && level === undefined);
  if (isLawful && level === undefined) return { compression };
  if (isLawful && Number(level) >= 1 && Number(level) <= 19)
    return { compression, compressionLevel: Number(level) };
  throw new UsageError('UsageError', `--compress must be none, zstd, or zstd:1 to zstd:19, not "${text}"`);
}
