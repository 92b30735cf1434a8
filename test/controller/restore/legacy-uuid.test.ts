import { expect, test } from 'vitest';
import { withFirmwareUuid } from '../../../src/controller/restore/legacy-uuid.ts';
import { inspection } from '../../domain/restore/builders.ts';

test('a VM that never ran with a UUID of its own had the one that KubeVirt made of its name', () => {
  const { definitions } = inspection({ identity: { macAddresses: {} } }, { firmware: {} });
  expect(withFirmwareUuid(definitions).identity).toEqual({
    macAddresses: {},
    // python3 -c "import uuid; print(uuid.uuid5(uuid.UUID('6a1a24a1-4061-4607-8bf4-a3963d0c5895'), 'db'))"
    firmware: { uuid: 'afbfbee4-e771-559c-b6d5-41f26cb027a0' },
  });
});

test.each([
  ['its instance', inspection({}, { firmware: {} })],
  ['its own definition', inspection({ identity: {} })],
])('a VM has the UUID that %s said', (_, { definitions }) => {
  expect(withFirmwareUuid(definitions)).toBe(definitions);
});
