import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { expect, test } from 'vitest';
import { backupXml, checkpointXml } from '../../../src/node-agent/libvirt/backup-xml.ts';

test('lists every disk, each with its own mode', () => {
  expect(
    backupXml({
      socket: '/var/run/kubevirt/sockets/b.sock',
      disks: [
        {
          target: 'vda',
          mode: 'incremental',
          incremental: 'backup-1',
          exportBitmap: 'backup-1',
          exportName: 'root',
          scratch: '/s/root',
        },
        { target: 'vdb', mode: 'full', exportName: 'data', scratch: '/s/data' },
        { target: 'sda', mode: 'no' },
      ],
    }),
  ).toBe(
    "<domainbackup mode='pull'><server transport='unix' socket='/var/run/kubevirt/sockets/b.sock'/><disks>" +
      "<disk name='vda' backup='yes' type='file' backupmode='incremental' incremental='backup-1' exportbitmap='backup-1' exportname='root'><scratch file='/s/root'/></disk>" +
      "<disk name='vdb' backup='yes' type='file' backupmode='full' exportname='data'><scratch file='/s/data'/></disk>" +
      "<disk name='sda' backup='no'/></disks></domainbackup>",
  );
});

test('a checkpoint lists every disk, tracked or not', () => {
  const disks = [
    { target: 'vda', tracked: true },
    { target: 'vdb', tracked: false },
  ];
  const list = "<disks><disk name='vda' checkpoint='bitmap'/><disk name='vdb' checkpoint='no'/></disks>";
  expect(checkpointXml({ name: 'backup-7', disks })).toBe(
    `<domaincheckpoint><name>backup-7</name>${list}</domaincheckpoint>`,
  );
  expect(checkpointXml({ name: 'backup-7', disks, creationTimeSeconds: 7 })).toBe(
    `<domaincheckpoint><name>backup-7</name><creationTime>7</creationTime>${list}</domaincheckpoint>`,
  );
});

test('no name can break out of its place', () => {
  const evil = `x'/><disk name="&amp;`;
  const full = { target: evil, mode: 'full', exportName: evil, scratch: evil } as const;
  const backup = backupXml({
    socket: evil,
    disks: [{ ...full, mode: 'incremental', incremental: evil, exportBitmap: evil }],
  });
  const checkpoint = checkpointXml({ name: evil, disks: [{ target: evil, tracked: true }] });
  const parser = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: '' });
  expect(XMLValidator.validate(backup)).toBe(true);
  expect(parser.parse(backup)).toMatchObject({
    domainbackup: {
      server: { socket: evil },
      disks: {
        disk: {
          name: evil,
          exportname: evil,
          incremental: evil,
          exportbitmap: evil,
          scratch: { file: evil },
        },
      },
    },
  });
  expect(XMLValidator.validate(checkpoint)).toBe(true);
  expect(parser.parse(checkpoint)).toMatchObject({
    domaincheckpoint: { name: evil, disks: { disk: { name: evil } } },
  });
});
