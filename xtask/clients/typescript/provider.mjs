// @ts-check
import { randomUUID } from 'node:crypto';

/** Nothing listens here: the script reads the redirect off the consent page's answer itself. */
export const REDIRECT_URI = 'http://127.0.0.1:33418/callback';

/** What the client says about itself, when it registers and in its metadata document. */
export const CLIENT_METADATA = {
  client_name: 'mcp-auth real-client test',
  redirect_uris: [REDIRECT_URI],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
};

/**
 * The storage half of an `OAuthClientProvider`, of either SDK generation: it keeps what the SDK
 * hands over and gives it back. Every step of the protocol is the SDK's.
 */
export class StoringProvider {
  /** @type {any} */ #tokens;
  /** @type {any} */ #client;
  /** @type {string | undefined} */ #knownClientId;
  /** @type {any} */ #discovery;
  #keepsRefreshToken;
  #verifier = '';
  #state = '';
  /** @type {URL[]} where the SDK sent the person, one per sign-in */
  authorizationUrls = [];

  /**
   * @param {string} [clientId] a client id that is already known. With a metadata document the
   * SDKs take `clientMetadataUrl`, but only an https one: a document on loopback comes in here.
   * @param {boolean} [keepsRefreshToken]
   */
  constructor(clientId, keepsRefreshToken = true) {
    this.#knownClientId = clientId;
    this.#keepsRefreshToken = keepsRefreshToken;
  }

  get redirectUrl() {
    return REDIRECT_URI;
  }
  get clientMetadata() {
    return CLIENT_METADATA;
  }
  state() {
    return (this.#state = randomUUID());
  }
  /** @param {{ issuer?: string }} [context] */
  clientInformation(context) {
    return this.#client ?? (this.#knownClientId && { client_id: this.#knownClientId, issuer: context?.issuer });
  }
  /** @param {any} information */
  saveClientInformation(information) {
    this.#client = information;
  }
  tokens() {
    return this.#tokens;
  }
  /** @param {any} tokens */
  saveTokens(tokens) {
    this.#tokens = this.#keepsRefreshToken ? tokens : { ...tokens, refresh_token: undefined };
  }
  /** @param {URL} url */
  redirectToAuthorization(url) {
    this.authorizationUrls.push(url);
  }
  /** @param {string} verifier */
  saveCodeVerifier(verifier) {
    this.#verifier = verifier;
  }
  codeVerifier() {
    return this.#verifier;
  }
  discoveryState() {
    return this.#discovery;
  }
  /** @param {any} state */
  saveDiscoveryState(state) {
    this.#discovery = state;
  }
  /** The `state` of the sign-in under way. */
  get expectedState() {
    return this.#state;
  }
}
