import { XMLParser } from 'fast-xml-parser';
import type { z } from 'zod';
import { LibvirtError } from './errors.ts';

/** Attributes appear as `@name`, text beside attributes as `#text`; every value stays a string; `disk` is always a list. */
const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  parseTagValue: false,
  isArray: (name) => name === 'disk',
});

/**
 * Parses a document that libvirt wrote, and keeps what the schema names.
 *
 * @throws LibvirtError `UnexpectedAnswer` when it has not the shape that libvirt documents.
 */
export function parseXml<T extends z.ZodType>(schema: T, xml: string): z.infer<T> {
  try {
    return schema.parse(parser.parse(xml));
  } catch (cause) {
    const start = xml.trimStart().slice(0, 60).replaceAll('\n', ' ');
    const message = `libvirt's answer that starts with "${start}" has not the expected shape`;
    throw new LibvirtError(message, { reason: 'UnexpectedAnswer' }, { cause });
  }
}

/** Text made safe inside an XML attribute in single quotes, or between tags. */
export function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll("'", '&apos;')
    .replaceAll('"', '&quot;');
}
