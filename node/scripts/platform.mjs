// @ts-check
/** What platform packages are named after: `linux-x64-gnu`, `darwin-arm64`, `win32-x64-msvc`. */
export function platform() {
  const abi = process.platform === 'win32' ? '-msvc' : process.platform === 'linux' ? `-${libc()}` : '';
  return `${process.platform}-${process.arch}${abi}`;
}

function libc() {
  const report = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report.getReport());
  return report.header.glibcVersionRuntime ? 'gnu' : 'musl';
}

/** Every platform that a binary is published for, with what npm matches it by. */
export const PLATFORMS = [
  { name: 'darwin-arm64', os: 'darwin', cpu: 'arm64' },
  { name: 'darwin-x64', os: 'darwin', cpu: 'x64' },
  { name: 'linux-arm64-gnu', os: 'linux', cpu: 'arm64', libc: 'glibc' },
  { name: 'linux-arm64-musl', os: 'linux', cpu: 'arm64', libc: 'musl' },
  { name: 'linux-x64-gnu', os: 'linux', cpu: 'x64', libc: 'glibc' },
  { name: 'linux-x64-musl', os: 'linux', cpu: 'x64', libc: 'musl' },
  { name: 'win32-x64-msvc', os: 'win32', cpu: 'x64' },
];
