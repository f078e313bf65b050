#!/usr/bin/env node
/** The `mcp-auth` command: `npx mcp-auth-node dev`, `check`, `explain`. */
import { native } from './native.js';

// Ctrl-C is the command's. Node has a handler for it, which is put aside for a listener, and not put back.
const listener = (): void => {};
process.on('SIGINT', listener).off('SIGINT', listener);
process.exitCode = native.runCommand(process.argv.slice(2));
