import { BlockList, isIP, isIPv4 } from 'node:net';

/**
 * What a request may reach at an address: `public`, the machine itself, a network of the operator's own, or
 * nothing (`forbidden`: reserved, multicast, link-local, metadata services of clouds).
 */
export type AddressKind = 'public' | 'private' | 'loopback' | 'forbidden';

function blockList(...subnets: readonly string[]): BlockList {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [address, bits] = subnet.split('/') as [string, string];
    list.addSubnet(address, Number(bits), isIPv4(address) ? 'ipv4' : 'ipv6');
  }
  return list;
}

/** Metadata and host services that lie in ranges which are otherwise public or private. */
const METADATA = blockList(
  '168.63.129.16/32', // Azure
  '100.100.100.200/32', // Alibaba Cloud
  'fd00:ec2::254/128', // AWS
  'fd20:ce::254/128', // Google Cloud
);
const LOOPBACK = blockList('127.0.0.0/8', '::1/128');
const PRIVATE = blockList(
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10', // shared address space of carriers and overlay networks (RFC 6598)
  'fc00::/7',
);
/** Not globally reachable in IANA's special-purpose registries (RFC 6890), and multicast. */
const RESERVED = blockList(
  '0.0.0.0/8',
  '169.254.0.0/16', // link-local, with the metadata service of most clouds
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '2001::/23', // Teredo, ORCHID: tunnels that lead anywhere
  '2001:db8::/32',
  '2002::/16', // 6to4
  '3fff::/20',
);
/** All that is public in IPv6 lies here; every other range is refused, known or not. */
const GLOBAL_V6 = blockList('2000::/3');
/** The last 32 bits are an IPv4 address: mapped (RFC 4291) and NAT64 (RFC 6052). */
const EMBEDS_V4 = blockList('::ffff:0:0/96', '64:ff9b::/96');

/** The kind of an IPv4 or IPv6 address in text; what is not an address is `forbidden`. */
export function addressKind(text: string): AddressKind {
  const address = text.replace(/%.*$/, '');
  const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
  if (isIP(address) === 0) return 'forbidden';
  if (family === 'ipv6' && EMBEDS_V4.check(address, family)) return addressKind(lastV4(address));
  const inside = (list: BlockList): boolean => list.check(address, family);
  if (inside(METADATA) || inside(RESERVED)) return 'forbidden';
  if (inside(LOOPBACK)) return 'loopback';
  if (inside(PRIVATE)) return 'private';
  return family === 'ipv4' || inside(GLOBAL_V6) ? 'public' : 'forbidden';
}

/** The IPv4 address in the last 32 bits, whichever way the IPv6 one is written. */
function lastV4(address: string): string {
  const { hostname } = new URL(`http://[${address}]`);
  const groups = hostname.slice(1, -1).split(':');
  const [high = 0, low = 0] = groups.slice(-2).map((group) => Number.parseInt(group || '0', 16));
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
}
