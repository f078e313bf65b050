// @ts-check
/**
 * More scopes in the middle of a session, told once for both generations of the SDK, with the todo
 * manager: alice has a todo; bob signs in with the least, creates a todo of his own, which the
 * server's policy wants a scope for, and deletes alice's, which its handler wants another one for.
 *
 * @typedef {import('./main.mjs').Sdk} Sdk
 * @typedef {import('./main.mjs').Connection} Connection
 * @typedef {import('./trace.mjs').Trace} Trace
 */
import assert from 'node:assert/strict';
import { mint } from './mint.mjs';
import { approve } from './person.mjs';
import { StoringProvider } from './provider.mjs';

/**
 * @param {Sdk} sdk
 * @param {string} resource
 * @param {string} _registration
 * @param {Trace} trace
 */
export async function stepUp(sdk, resource, _registration, trace) {
  const { asksFor, triesRefreshTokenFirst } = sdk.stepUp;
  if (triesRefreshTokenFirst) await aRefreshTokenIsTriedAndThenItGivesUp(sdk, resource, trace);
  await theSdkAsksForScopesAndTheApplicationCallsAgain(sdk, resource, trace);
  return `stepped up from ${asksFor.map((scopes) => `"${scopes}"`).join(' to ')}`;
}

/** @param {Sdk} sdk @param {string} resource @param {Trace} trace */
async function theSdkAsksForScopesAndTheApplicationCallsAgain(sdk, resource, trace) {
  const bob = new Person(sdk, resource, trace, 'bob', !sdk.stepUp.triesRefreshTokenFirst);
  await bob.signIn();
  const alice = await bob.other('alice', 'mcp create:todos');
  const { id } = await todo(alice.callTool('create-todo', { content: 'buy milk' }));

  trace.step = 'create-todo: the policy wants create:todos';
  const create = { content: 'call home' };
  await bob.refused('create-todo', create, 'mcp create:todos');
  assert.deepEqual(await contents(bob), [], 'it has not run');
  await bob.approve();
  await todo(bob.callTool('create-todo', create));
  assert.deepEqual(await contents(bob), ['call home'], 'it has run once');

  trace.step = 'delete-todo: the handler wants delete:todos';
  await bob.refused('delete-todo', { id }, 'mcp delete:todos');
  assert.deepEqual(await contents(alice), ['buy milk'], 'it has not run');
  await bob.approve();
  assert.equal((await todo(bob.callTool('delete-todo', { id }))).owner.subject, 'alice');
  assert.deepEqual(await contents(alice), [], 'it has run');

  assert.deepEqual(bob.askedFor(), sdk.stepUp.asksFor, 'scopes at the authorization endpoint');
  await alice.close();
  await bob.close();
}

/** @param {Sdk} sdk @param {string} resource @param {Trace} trace */
async function aRefreshTokenIsTriedAndThenItGivesUp(sdk, resource, trace) {
  const admin = new Person(sdk, resource, trace, 'admin', true);
  await admin.signIn();
  trace.step = 'create-todo, with a refresh token';
  const mark = trace.exchanges.length;
  await assert.rejects(admin.callTool('create-todo', { content: 'read' }), /403/);
  assert.deepEqual(posts(trace, resource, mark).map((e) => e.status), [403, 403]);
  assert.deepEqual(admin.askedFor(), ['mcp'], 'the person is not asked again');
  await admin.close();
}

/** Somebody with a client. */
class Person {
  #sdk;
  #resource;
  #trace;
  #name;
  #provider;
  /** @type {Connection} */ #connection;

  /** @param {Sdk} sdk @param {string} resource @param {Trace} trace @param {string} name
   * @param {boolean} keepsRefreshToken */
  constructor(sdk, resource, trace, name, keepsRefreshToken) {
    this.#sdk = sdk;
    this.#resource = resource;
    this.#trace = trace;
    this.#name = name;
    this.#provider = new StoringProvider(undefined, keepsRefreshToken);
    this.#connection = this.#connect();
  }

  /** Another person, who has such a token already.
   * @param {string} user @param {string} scope */
  async other(user, scope) {
    const { issuer } = this.#provider.discoveryState().authorizationServerMetadata;
    const other = new Person(this.#sdk, this.#resource, this.#trace, user, false);
    const token = await mint(this.#trace.fetch, issuer, { user, resource: this.#resource, scope });
    other.#provider.saveTokens({ access_token: token, token_type: 'Bearer' });
    await other.#connection.open();
    return other;
  }

  async signIn() {
    this.#trace.step = `${this.#name} signs in`;
    const refused = this.#connection;
    await assert.rejects(refused.open(), this.#sdk.isUnauthorized);
    await this.approve();
    await refused.close();
    this.#connection = this.#connect();
    await this.#connection.open();
  }

  /** A call that the server answers once, with a challenge for these scopes, and that makes the
   * SDK ask the person.
   * @param {string} tool @param {Record<string, unknown>} toolArguments @param {string} scope */
  async refused(tool, toolArguments, scope) {
    const mark = this.#trace.exchanges.length;
    await assert.rejects(this.callTool(tool, toolArguments), this.#sdk.isUnauthorized);
    const calls = posts(this.#trace, this.#resource, mark);
    assert.deepEqual(calls.map((e) => e.status), [403], tool);
    assert.match(calls[0].challenge, /error="insufficient_scope"/);
    assert.match(calls[0].challenge, new RegExp(`scope="${scope}"`));
  }

  async approve() {
    const redirect = await approve(this.#trace.fetch, this.#provider.authorizationUrls.at(-1), this.#name);
    assert.equal(redirect.get('state'), this.#provider.expectedState, 'state');
    await this.#connection.finishAuth(redirect);
  }

  /** @param {string} tool @param {Record<string, unknown>} [toolArguments] */
  callTool(tool, toolArguments) {
    return this.#connection.callTool(tool, toolArguments);
  }

  /** The scopes of every sign-in, as the issuer's authorization endpoint saw them. */
  askedFor() {
    const { client_id } = this.#provider.clientInformation();
    const { authorization_endpoint } = this.#provider.discoveryState().authorizationServerMetadata;
    const asked = this.#trace.to(authorization_endpoint).map((e) => e.url.searchParams);
    return asked.filter((query) => query.get('client_id') === client_id).map((query) => query.get('scope'));
  }

  close() {
    return this.#connection.close();
  }

  #connect() {
    const options = { authProvider: this.#provider, fetch: this.#trace.fetch };
    return this.#sdk.connection(new URL(this.#resource), options);
  }
}

/** What the client said to the server since `mark`; a stream of the server's may open at any time.
 * @param {Trace} trace @param {string} resource @param {number} mark */
function posts(trace, resource, mark) {
  return trace.to(resource, mark).filter((e) => e.method === 'POST');
}

/** @param {Promise<import('./main.mjs').ToolResult>} call */
async function todo(call) {
  const result = await call;
  assert.ok(!result.isError, JSON.stringify(result));
  return result.structuredContent;
}

/** @param {Person} person @returns {Promise<string[]>} */
async function contents(person) {
  const { todos } = await todo(person.callTool('get-todos'));
  return todos.map((/** @type {any} */ one) => one.content);
}
