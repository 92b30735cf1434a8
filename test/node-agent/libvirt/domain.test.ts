import { expect, test } from 'vitest';
import { domainName, parseState } from '../../../src/node-agent/libvirt/domain.ts';
import { type DomainDisk, parseDomain, trackable } from '../../../src/node-agent/libvirt/domain-xml.ts';

/** As KubeVirt v1.9.0 and libvirt show it: an overlay, a hot-plugged one on a block device, a raw disk, two CD-ROMs. */
const xml = `<domain type='qemu' id='1'>
  <name>vms_vm1</name>
  <uuid>5c251938-a3ce-4480-89cb-186e0fd3235d</uuid>
  <metadata><kubevirt xmlns="http://kubevirt.io"><uid/></kubevirt></metadata>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk' model='virtio-non-transitional'>
      <driver name='qemu' type='qcow2' cache='none' error_policy='stop' discard='unmap'/>
      <source file='/var/run/kubevirt-private/libvirt/qemu/cbt/root.qcow2' index='3'>
        <dataStore type='file'><format type='raw'/><source file='/var/run/kubevirt-private/vmi-disks/root/disk.img' index='4'/></dataStore>
      </source>
      <backingStore/>
      <target dev='vda' bus='virtio'/>
      <alias name='ua-root'/>
    </disk>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none'/>
      <source file='/var/run/kubevirt-private/libvirt/qemu/cbt/hot.qcow2' index='1'>
        <dataStore type='block'><format type='raw'/><source dev='/var/run/kubevirt/hotplug-disks/hot' index='2'/></dataStore>
      </source>
      <target dev='sda' bus='scsi'/>
      <alias name='ua-hot'/>
    </disk>
    <disk type='block' device='disk'>
      <driver name='qemu' type='raw' cache='none'/>
      <source dev='/dev/data' index='5'/>
      <target dev='vdb' bus='virtio'/>
      <alias name='ua-data'/>
    </disk>
    <disk type='file' device='cdrom'>
      <driver name='qemu' type='raw'/>
      <source file='/iso &amp; more.iso'/>
      <target dev='sdb' bus='sata'/>
      <readonly/>
      <alias name='ua-iso'/>
    </disk>
    <disk type='file' device='cdrom'>
      <target dev='sdc' bus='sata'/>
      <readonly/>
    </disk>
    <controller type='usb' index='0' model='none'><alias name='usb'/></controller>
  </devices>
</domain>`;

test('reads name, uuid and every disk', () => {
  expect(parseDomain(xml)).toMatchObject({
    name: 'vms_vm1',
    uuid: '5c251938-a3ce-4480-89cb-186e0fd3235d',
    disks: [
      {
        volume: 'root',
        alias: 'ua-root',
        target: 'vda',
        device: 'disk',
        format: 'qcow2',
        dataStore: true,
        readonly: false,
        sourcePath: '/var/run/kubevirt-private/libvirt/qemu/cbt/root.qcow2',
        sourceIndex: 3,
      },
      { volume: 'hot', target: 'sda', dataStore: true, sourceIndex: 1 },
      { volume: 'data', target: 'vdb', format: 'raw', dataStore: false, sourcePath: '/dev/data' },
      {
        volume: 'iso',
        device: 'cdrom',
        readonly: true,
        sourcePath: '/iso & more.iso',
        sourceIndex: undefined,
      },
      { volume: undefined, alias: undefined, device: 'cdrom', sourcePath: undefined },
    ],
  });
});

test.each([
  ['one disk', "<devices><disk device='disk'><target dev='vda'/></disk></devices>", ['vda']],
  ['no disk', '<devices><emulator>x</emulator></devices>', []],
  ['no device', '<devices/>', []],
  ['an empty source', "<devices><disk><source/><target dev='vda'/></disk></devices>", ['vda']],
])('a domain with %s', (_, devices, targets) => {
  const { disks } = parseDomain(`<domain><name>1</name><uuid>u</uuid>${devices}</domain>`);
  expect(disks.map((disk) => disk.target)).toEqual(targets);
});

test('a name of digits stays text', () => {
  expect(parseDomain('<domain><name>007</name><uuid>1e5</uuid></domain>')).toEqual({
    name: '007',
    uuid: '1e5',
    disks: [],
  });
});

test.each(['', 'not xml', '<domain/>', '<domain><name>n</name></domain>', '<other/>'])(
  'what is no domain is an unexpected answer: %j',
  (text) => {
    expect(() => parseDomain(text)).toThrow(expect.objectContaining({ reason: 'UnexpectedAnswer' }));
  },
);

const disk: DomainDisk = {
  volume: 'root',
  target: 'vda',
  device: 'disk',
  format: 'qcow2',
  dataStore: false,
  readonly: false,
  sourcePath: '/root.qcow2',
  alias: 'ua-root',
  sourceIndex: 1,
};

test.each<[string, boolean, Partial<DomainDisk>]>([
  ['a qcow2 disk', true, {}],
  ['an overlay', true, { dataStore: true }],
  ['a raw disk', false, { format: 'raw' }],
  ['a read-only disk', false, { readonly: true }],
  ['a CD-ROM', false, { device: 'cdrom' }],
  ['a LUN', false, { device: 'lun', format: 'raw' }],
  ['an empty drive', false, { sourcePath: undefined }],
])('%s: trackable is %s', (_, expected, change) => {
  expect(trackable({ ...disk, ...change })).toBe(expected);
});

test.each([
  ['running (booted)\n\n', 'running', undefined],
  ['running (unpaused)', 'running', undefined],
  ['paused (user)', 'paused', 'user'],
  ['paused (I/O error)', 'paused', 'ioError'],
  ['paused (migration)', 'paused', 'other'],
  ['shut off (crashed)', 'shut off', undefined],
  ['in shutdown (shutting down)', 'other', undefined],
  ['running', 'running', undefined],
  ['', 'other', undefined],
])('domstate says %j', (text, state, pausedReason) => {
  expect(parseState(text)).toEqual({ state, pausedReason });
});

test('the domain bears namespace and name', () => {
  expect(domainName('shop', 'db')).toBe('shop_db');
});
