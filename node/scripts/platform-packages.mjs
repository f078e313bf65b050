// @ts-check
// For a release: takes the binaries that CI built, one per platform, from the folder that is named, and
// writes what is published into build/: a package per platform, and the main one, which names them.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PLATFORMS } from './platform.mjs';

const folder = fileURLToPath(new URL('..', import.meta.url));
const binaries = process.argv[2] ?? folder;
const build = join(folder, 'build');
const { devDependencies: _, scripts: __, ...main } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

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
    files: [binary],
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] }),
  });
  cpSync(join(binaries, binary), join(build, `mcp-auth-node-${name}`, binary));
}
const optionalDependencies = Object.fromEntries(present.map(({ name }) => [`mcp-auth-node-${name}`, main.version]));
write('mcp-auth-node', { ...main, files: ['dist'], optionalDependencies });
cpSync(join(folder, 'dist'), join(build, 'mcp-auth-node/dist'), { recursive: true });
const missing = PLATFORMS.filter((platform) => !present.includes(platform)).map(({ name }) => name);
console.log(`wrote ${present.length + 1} packages to ${build}; without a binary: ${missing.join(', ') || 'none'}`);

/** @param {string} name @param {object} manifest */
function write(name, manifest) {
  mkdirSync(join(build, name), { recursive: true });
  writeFileSync(join(build, name, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}
