import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressKind, type AddressKind } from '../../workers/address-kind.ts';

const ADDRESSES: Readonly<Record<AddressKind, readonly string[]>> = {
  public: [
    ...['8.8.8.8', '1.1.1.1', '172.15.255.255', '172.32.0.0', '100.63.255.255', '100.128.0.0'],
    ...['169.253.255.255', '192.167.255.255', '198.17.255.255', '198.20.0.0', '223.255.255.255'],
    ...[
      '2606:4700:4700::1111',
      '2a00:1450:4001::1',
      '2400::1',
      '64:ff9b::8.8.8.8',
      '::ffff:8.8.8.8',
    ],
  ],
  private: [
    ...['10.0.0.1', '10.255.255.255', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1'],
    ...['fc00::1', 'fd12:3456::1', '::ffff:10.0.0.1', '64:ff9b::192.168.0.1', '::ffff:a00:1'],
  ],
  loopback: ['127.0.0.1', '127.255.255.254', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1'],
  forbidden: [
    // Metadata of clouds, in each way of writing it.
    ...['169.254.169.254', '::ffff:169.254.169.254', '::ffff:a9fe:a9fe', '64:ff9b::a9fe:a9fe'],
    ...['fd00:ec2::254', 'fd00:0ec2:0:0::254', 'fd20:ce::254', '168.63.129.16', '100.100.100.200'],
    ...['192.0.0.192', '::ffff:168.63.129.16'],
    ...['0.0.0.0', '0.1.2.3', '::', '::ffff:0.0.0.0', '169.254.0.1', 'fe80::1', 'fe80::1%eth0'],
    ...['224.0.0.1', '239.1.1.1', '240.0.0.1', '255.255.255.255', 'ff02::1', 'fec0::1'],
    ...['192.0.2.1', '198.18.0.1', '198.19.255.255', '198.51.100.1', '203.0.113.1', '192.88.99.1'],
    // Tunnels and translations that lead to IPv4, and what is not assigned.
    ...['2001::1', '2001:db8::1', '2002:a9fe:a9fe::1', '3fff::1', '64:ff9b:1::1', '::7f00:1'],
    ...['::127.0.0.1', '4000::1', '100::1', 'e000::1'],
    ...['', 'localhost', '1.2.3', '0x7f000001', '2130706433', '127.1', '1.2.3.4/8', 'not'],
  ],
};

for (const [kind, addresses] of Object.entries(ADDRESSES)) {
  test(`${kind} addresses`, () => {
    const other = addresses.filter((address) => addressKind(address) !== kind);
    assert.deepEqual(other, []);
  });
}
