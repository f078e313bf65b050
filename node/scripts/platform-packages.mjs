// @ts-check
// For a release: takes the binaries that CI built, one per platform, from the folder that is named, and
// writes what is published into build/, or a folder that is named second: a package per platform, and the main one, which names them.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PLATFORMS } from './platform.mjs';

const folder = fileURLToPath(new URL('..', import.meta.url));
const binaries = process.argv[2] ?? folder;
const build = process.argv[3] ?? join(folder, 'build');
const { devDependencies: _, scripts: __, ...main } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

/** npm takes a README with every package, and a licence of no such name. */
const LICENCES = 'LICENSE-*';

rmSync(build, { recursive: true, force: true });
const present = PLATFORMS.filter(({ name }) => existsSync(join(binaries, `mcp-auth-node.${name}.node`)));
for (const { name, os, cpu, libc } of present) {
  const binary = `mcp-auth-node.${name}.node`;
  write(`mcp-auth-node-${name}`, {
    name: `mcp-auth-node-${name}`,
    version: main.version,
    description: `The binary of mcp-auth-node for ${name}`,
    license: main.license,
    repository: main.repository,
    engines: main.engines,
    main: binary,
    files: [binary, LICENCES],
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] }),
  });
  cpSync(join(binaries, binary), join(build, `mcp-auth-node-${name}`, binary));
  const readme = `# mcp-auth-node-${name}\n\nThe binary of [mcp-auth-node](https://www.npmjs.com/package/mcp-auth-node) for ${name}. Install that package: npm\ntakes this one with it where it fits.\n`;
  writeFileSync(join(build, `mcp-auth-node-${name}`, 'README.md'), readme);
}
const optionalDependencies = Object.fromEntries(present.map(({ name }) => [`mcp-auth-node-${name}`, main.version]));
write('mcp-auth-node', { ...main, files: ['dist', LICENCES], optionalDependencies });
cpSync(join(folder, 'dist'), join(build, 'mcp-auth-node/dist'), { recursive: true });
cpSync(join(folder, 'README.md'), join(build, 'mcp-auth-node/README.md'));
const missing = PLATFORMS.filter((platform) => !present.includes(platform)).map(({ name }) => name);
console.log(`wrote ${present.length + 1} packages to ${build}; without a binary: ${missing.join(', ') || 'none'}`);

/** A package with its licences. @param {string} name @param {object} manifest */
function write(name, manifest) {
  mkdirSync(join(build, name), { recursive: true });
  writeFileSync(join(build, name, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  for (const licence of ['LICENSE-APACHE', 'LICENSE-MIT']) cpSync(join(folder, '..', licence), join(build, name, licence));
}
