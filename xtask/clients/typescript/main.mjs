// @ts-check
/**
 * Runs a flow with one generation of the SDK.
 *
 * @typedef {object} Sdk  what differs between the generations
 * @property {(url: URL, options: { authProvider: any, fetch: any }) => Connection} connection
 * @property {(error: unknown) => boolean} isUnauthorized
 * @property {StepUp} stepUp
 *
 * @typedef {object} Connection
 * @property {() => Promise<void>} open
 * @property {(redirect: URLSearchParams) => Promise<void>} finishAuth
 * @property {(name: string, toolArguments?: Record<string, unknown>) => Promise<ToolResult>} callTool
 * @property {() => Promise<void>} close
 *
 * @typedef {{ isError?: boolean, structuredContent?: any }} ToolResult
 *
 * @typedef {object} StepUp  what the SDK does when a token lacks a scope
 * @property {string[]} asksFor                what it asks the issuer for, one after the other
 * @property {boolean} triesRefreshTokenFirst  and gives up when that was not enough
 */
import { parseArgs } from 'node:util';
import { signInAndRefresh } from './flow.mjs';
import { stepUp } from './step-up.mjs';
import { Trace } from './trace.mjs';

const DEADLINE_MS = 120_000;
const FLOWS = { 'sign-in': signInAndRefresh, 'step-up': stepUp };

/** @param {Sdk} sdk */
export async function main(sdk) {
  const { flow, resource, registration } = options();
  const trace = new Trace();
  const deadline = setTimeout(() => {
    trace.report(new Error(`not finished after ${DEADLINE_MS} ms`));
    process.exit(1);
  }, DEADLINE_MS);
  try {
    console.log(`ok: ${await FLOWS[flow](sdk, resource, registration, trace)}`);
  } catch (error) {
    trace.report(error);
    process.exitCode = 1;
  } finally {
    clearTimeout(deadline);
  }
}

function options() {
  const { values } = parseArgs({
    options: {
      flow: { type: 'string', default: 'sign-in' },
      resource: { type: 'string' },
      registration: { type: 'string', default: 'dcr' },
    },
  });
  const { resource, registration } = values;
  const flow = /** @type {keyof typeof FLOWS} */ (values.flow);
  if (!resource || !(flow in FLOWS) || !['dcr', 'cimd'].includes(registration)) {
    console.error('usage: --resource URL [--flow sign-in|step-up] [--registration dcr|cimd]');
    process.exit(2);
  }
  return { flow, resource, registration };
}
