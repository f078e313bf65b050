/** Clients for tests of one's own server: they have signed in and done the handshake. */
import { Answer, type Host } from './test-host.js';

const REVISION = '2025-06-18';

/** The app did not answer 200; `answer` is what it did. */
export class Refused extends Error {
  constructor(readonly answer: Answer) {
    super(`${answer.status}: ${answer.challenge ?? answer.body.toString().slice(0, 500)}`);
    this.name = 'Refused';
  }
}

/** An MCP client that has signed in and done the handshake. */
export class Client {
  readonly #host: Host;
  readonly #path: string;
  #headers: Record<string, string>;
  #number = 0;

  private constructor(
    host: Host,
    path: string,
    /** The identifier of the resource, as its metadata says. */
    readonly resource: string,
    /** What it sends. */
    readonly token: string,
  ) {
    this.#host = host;
    this.#path = path;
    const { hostname, port, protocol } = new URL(resource);
    this.#headers = {
      ...OF_A_MESSAGE,
      // With a port: the official SDK takes loopback hosts for such only with one.
      host: `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`,
      authorization: `Bearer ${token}`,
    };
  }

  /** @internal Finds the resource as clients do, gets a token for it, and does the handshake. */
  static async connect(host: Host, path: string, mint: (resource: string) => string): Promise<Client> {
    const resource = await discover(host, path);
    const client = new Client(host, path, resource, mint(resource));
    await client.#shakeHands();
    return client;
  }

  /** Posts a message, whatever comes back. */
  send(message: object): Promise<Answer> {
    return this.#host.send({ method: 'POST', target: this.#path, headers: this.#headers, body: JSON.stringify(message) });
  }

  /**
   * The result of a method.
   *
   * @throws {Refused} when the status is not 200
   */
  async request(method: string, params: object = {}): Promise<any> {
    this.#number += 1;
    const answer = await this.send({ jsonrpc: '2.0', id: this.#number, method, params });
    if (answer.status !== 200) throw new Refused(answer);
    const said = answer.message;
    if (!('result' in said)) throw new Error(JSON.stringify(said.error));
    return said.result;
  }

  /**
   * The result of a tool, which may be an error: see `isError`.
   *
   * @throws {Refused} when the status is not 200
   */
  callTool(name: string, given: object = {}): Promise<any> {
    return this.request('tools/call', { name, arguments: given });
  }

  /** The names of the tools that this caller is shown. */
  async tools(): Promise<string[]> {
    const { tools } = await this.request('tools/list');
    return tools.map((tool: { name: string }) => tool.name);
  }

  async #shakeHands(): Promise<void> {
    const clientInfo = { name: 'mcp-auth-test', version: '1' };
    const params = { protocolVersion: REVISION, capabilities: {}, clientInfo };
    const answer = await this.send({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
    if (answer.status !== 200) throw new Refused(answer);
    const { result, error } = answer.message;
    if (error) throw new Error(`initialize: ${JSON.stringify(error)}`);
    if (typeof result !== 'object' || result === null) {
      throw new Error(`initialize: the app answered 200 with neither a result nor an error: ${answer.body.toString().slice(0, 200)}. Is an MCP server behind it?`);
    }
    const session = answer.headers['mcp-session-id'];
    const agreed = { 'mcp-protocol-version': result.protocolVersion, ...(session && { 'mcp-session-id': session }) };
    this.#headers = { ...this.#headers, ...agreed };
    await this.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
  }
}

const OF_A_MESSAGE = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };

/** The resource that the challenge leads to. */
async function discover(host: Host, path: string): Promise<string> {
  const headers = { host: 'localhost' };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'ping' });
  const asked = await host.send({ method: 'POST', target: path, headers: { ...headers, ...OF_A_MESSAGE }, body });
  const [, metadataUrl] = /resource_metadata="([^"]+)"/.exec(asked.challenge ?? '') ?? [];
  if (!metadataUrl) {
    throw new Error(`no challenge at ${path}, but ${asked.status}: is \`protect(auth)\` before the handler, and is \`path\` right?`);
  }
  const metadata = await host.send({ method: 'GET', target: new URL(metadataUrl).pathname, headers });
  if (metadata.status !== 200) throw new Refused(metadata);
  return metadata.message.resource;
}
