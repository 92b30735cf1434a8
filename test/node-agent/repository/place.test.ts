import { describe, expect, test } from 'vitest';
import { commandAt } from '../../../src/node-agent/repository/mount-command.ts';
import { placeOf } from '../../../src/node-agent/repository/place.ts';

const nfs = { server: 'nas.example.com', path: '/exports/vms', version: '4.2' as const };
const options = {};

describe('where a repository is', () => {
  test('a local path is there already, and its commands run as they are', () => {
    const place = placeOf('disk', { local: { path: '/backups' } }, options);
    expect(place).toEqual({ kind: 'Mounted', root: '/backups' });
    expect(commandAt(place, ['mover', 'list'])).toEqual(['mover', 'list']);
  });

  test('an export that the kubelet has mounted is found by the name of its repository', () => {
    const place = placeOf('nas', { nfs }, { mountedBelow: '/repositories' });
    expect(place).toEqual({ kind: 'Mounted', root: '/repositories/nas' });
  });

  test('an NFS export is mounted hard, without a long retry, and never with setuid programs or devices', () => {
    const place = placeOf('nas', { nfs }, options);
    expect(place).toEqual({
      kind: 'ToMount',
      root: '/mnt/tidemark/repository',
      fsType: 'nfs',
      source: 'nas.example.com:/exports/vms',
      options: 'nosuid,nodev,noexec,vers=4.2,hard,timeo=50,retrans=2,retry=0',
      needsCredentials: false,
    });
  });

  test('NFS 3 needs no lock service on the node', () => {
    const place = placeOf('nas', { nfs: { ...nfs, version: '3' } }, options);
    expect(place).toMatchObject({
      options: 'nosuid,nodev,noexec,vers=3,hard,timeo=50,retrans=2,retry=0,nolock',
    });
  });

  test.each([
    [['softerr', 'timeo=20'], 'nosuid,nodev,noexec,vers=4.2,retrans=2,retry=0,softerr,timeo=20'],
    [['hard'], 'nosuid,nodev,noexec,vers=4.2,timeo=50,retrans=2,retry=0,hard'],
  ])('the options %j replace our defaults', (mountOptions, expected) => {
    const place = placeOf('nas', { nfs: { ...nfs, mountOptions } }, options);
    expect(place).toMatchObject({ options: expected });
  });

  test('an SMB share is mounted with a credentials file, and what is in it stands nowhere else', () => {
    const cifs = { server: 'nas', share: 'vms', version: '3.1.1' as const, encrypt: true, secretName: 'nas' };
    expect(placeOf('nas', { cifs }, options)).toMatchObject({
      fsType: 'cifs',
      source: '//nas/vms',
      options: 'nosuid,nodev,noexec,vers=3.1.1,hard,cache=strict,seal,credentials=/mnt/tidemark/credentials',
      needsCredentials: true,
    });
    expect(placeOf('nas', { cifs: { ...cifs, path: '/a/b' } }, options)).toMatchObject({
      source: '//nas/vms/a/b',
    });
  });

  test('a directory of CephFS is mounted from its monitors, with a secret file', () => {
    const cephfs = {
      ...{ monitors: ['10.0.0.1', '2001:db8::7', 'mon:6789'], path: '/vms', user: 'tidemark' },
      ...{ fileSystem: 'archive', secretName: 'ceph' },
    };
    expect(placeOf('nas', { cephfs }, options)).toMatchObject({
      fsType: 'ceph',
      source: '10.0.0.1,[2001:db8::7],mon:6789:/vms',
      options: 'nosuid,nodev,noexec,name=tidemark,fs=archive,secretfile=/mnt/tidemark/credentials',
      needsCredentials: true,
    });
  });

  test('an IPv6 address is put in brackets', () => {
    const place = placeOf('nas', { nfs: { ...nfs, server: '2001:db8::7' } }, options);
    expect(place).toMatchObject({ source: '[2001:db8::7]:/exports/vms' });
  });

  test('what is mounted is an argument of the command, never a part of its script', () => {
    const path = '/exports/$(reboot); "x"';
    const command = commandAt(placeOf('nas', { nfs: { ...nfs, path } }, options), ['mover', 'probe']);
    expect(command.slice(0, 4)).toEqual(['unshare', '--mount', '--propagation', 'private']);
    expect(command).toContain(
      'nas.example.com:/exports/$(reboot);\\040"x" /mnt/tidemark/repository nfs ' +
        'noauto,users,nosuid,nodev,noexec,vers=4.2,hard,timeo=50,retrans=2,retry=0 0 0',
    );
    expect(command.find((word) => word.includes('exec setpriv'))).not.toContain('reboot');
    expect(command.slice(-2)).toEqual(['mover', 'probe']);
  });
});
