/**
 * Schemas of metadata, as the original exports them. There they are objects of `zod`; these have the members that read
 * a value, with the same results and the same words, and need no package.
 */

import { camelCased } from '../names.js';

/** Why a value is no metadata. */
export interface MetadataIssue {
  code: 'invalid_type';
  expected: string;
  received: string;
  path: (string | number)[];
  message: string;
}

/** A value is no metadata. It has the name that `zod` gives its error. */
export class MetadataSchemaError extends Error {
  override name = 'ZodError';
  readonly issues: MetadataIssue[];

  constructor(issues: MetadataIssue[]) {
    super(JSON.stringify(issues, null, 2));
    this.issues = issues;
  }

  /** The same as `issues`. */
  get errors(): MetadataIssue[] {
    return this.issues;
  }
}

export type MetadataParseResult<Metadata> =
  | { success: true; data: Metadata; error?: never }
  | { success: false; data?: never; error: MetadataSchemaError };

/** Reads values as metadata: members that it does not know are left out. */
export interface MetadataSchema<Metadata> {
  /** @throws {MetadataSchemaError} */
  readonly parse: (value: unknown) => Metadata;
  readonly safeParse: (value: unknown) => MetadataParseResult<Metadata>;
  readonly parseAsync: (value: unknown) => Promise<Metadata>;
  readonly safeParseAsync: (value: unknown) => Promise<MetadataParseResult<Metadata>>;
}

/** What a member holds, and whether it must be there. */
type Kind = 'text' | 'texts' | 'flag?' | 'text?' | 'texts?';

/** `jwks_uri` → `jwksUri`. */
type CamelCase<Name> = Name extends `${infer Before}_${infer After}` ? `${Before}${Capitalize<CamelCase<After>>}` : Name;

/** The same metadata with names in camelCase. */
type CamelCased<Metadata> = { [Name in keyof Metadata as CamelCase<Name>]: Metadata[Name] };

/** Metadata of an authorization server (RFC 8414), as it is on the wire. */
export interface AuthorizationServerMetadata {
  issuer: string;
  authorization_endpoint: string;
  token_endpoint: string;
  jwks_uri?: string;
  registration_endpoint?: string;
  scopes_supported?: string[];
  response_types_supported: string[];
  response_modes_supported?: string[];
  grant_types_supported?: string[];
  token_endpoint_auth_methods_supported?: string[];
  token_endpoint_auth_signing_alg_values_supported?: string[];
  service_documentation?: string;
  ui_locales_supported?: string[];
  op_policy_uri?: string;
  op_tos_uri?: string;
  revocation_endpoint?: string;
  revocation_endpoint_auth_methods_supported?: string[];
  revocation_endpoint_auth_signing_alg_values_supported?: string[];
  introspection_endpoint?: string;
  introspection_endpoint_auth_methods_supported?: string[];
  introspection_endpoint_auth_signing_alg_values_supported?: string[];
  code_challenge_methods_supported?: string[];
  userinfo_endpoint?: string;
}

/** The same in camelCase. */
export type CamelCaseAuthorizationServerMetadata = CamelCased<AuthorizationServerMetadata>;

const AUTHORIZATION_SERVER: Record<keyof AuthorizationServerMetadata, Kind> = {
  issuer: 'text',
  authorization_endpoint: 'text',
  token_endpoint: 'text',
  jwks_uri: 'text?',
  registration_endpoint: 'text?',
  scopes_supported: 'texts?',
  response_types_supported: 'texts',
  response_modes_supported: 'texts?',
  grant_types_supported: 'texts?',
  token_endpoint_auth_methods_supported: 'texts?',
  token_endpoint_auth_signing_alg_values_supported: 'texts?',
  service_documentation: 'text?',
  ui_locales_supported: 'texts?',
  op_policy_uri: 'text?',
  op_tos_uri: 'text?',
  revocation_endpoint: 'text?',
  revocation_endpoint_auth_methods_supported: 'texts?',
  revocation_endpoint_auth_signing_alg_values_supported: 'texts?',
  introspection_endpoint: 'text?',
  introspection_endpoint_auth_methods_supported: 'texts?',
  introspection_endpoint_auth_signing_alg_values_supported: 'texts?',
  code_challenge_methods_supported: 'texts?',
  userinfo_endpoint: 'text?',
};

/** Metadata of a protected resource (RFC 9728), as it is on the wire. */
export interface ProtectedResourceMetadata {
  resource: string;
  authorization_servers?: string[];
  jwks_uri?: string;
  scopes_supported?: string[];
  bearer_methods_supported?: string[];
  resource_signing_alg_values_supported?: string[];
  resource_name?: string;
  resource_documentation?: string;
  resource_policy_uri?: string;
  resource_tos_uri?: string;
  tls_client_certificate_bound_access_tokens?: boolean;
  authorization_details_types_supported?: string[];
  dpop_signing_alg_values_supported?: string[];
  dpop_bound_access_tokens_required?: boolean;
  signed_metadata?: string;
}

/** The same in camelCase. */
export type CamelCaseProtectedResourceMetadata = CamelCased<ProtectedResourceMetadata>;

const PROTECTED_RESOURCE: Record<keyof ProtectedResourceMetadata, Kind> = {
  resource: 'text',
  authorization_servers: 'texts?',
  jwks_uri: 'text?',
  scopes_supported: 'texts?',
  bearer_methods_supported: 'texts?',
  resource_signing_alg_values_supported: 'texts?',
  resource_name: 'text?',
  resource_documentation: 'text?',
  resource_policy_uri: 'text?',
  resource_tos_uri: 'text?',
  tls_client_certificate_bound_access_tokens: 'flag?',
  authorization_details_types_supported: 'texts?',
  dpop_signing_alg_values_supported: 'texts?',
  dpop_bound_access_tokens_required: 'flag?',
  signed_metadata: 'text?',
};

export const authorizationServerMetadataSchema = schema<AuthorizationServerMetadata>(AUTHORIZATION_SERVER);
export const camelCaseAuthorizationServerMetadataSchema = schema<CamelCaseAuthorizationServerMetadata>(camelCased(AUTHORIZATION_SERVER));
export const protectedResourceMetadataSchema = schema<ProtectedResourceMetadata>(PROTECTED_RESOURCE);
export const camelCaseProtectedResourceMetadataSchema = schema<CamelCaseProtectedResourceMetadata>(camelCased(PROTECTED_RESOURCE));

/** What holds for an authorization server that does not say (RFC 8414 §2). */
export const defaultValues: Readonly<Partial<CamelCaseAuthorizationServerMetadata>> = Object.freeze({
  grantTypesSupported: ['authorization_code', 'implicit'],
  responseModesSupported: ['query', 'fragment'],
});

function schema<Metadata>(kinds: Record<string, Kind>): MetadataSchema<Metadata> {
  const safeParse = (value: unknown): MetadataParseResult<Metadata> => {
    const issues: MetadataIssue[] = [];
    const data = read(value, kinds, issues);
    if (issues.length > 0) return { success: false, error: new MetadataSchemaError(issues) };
    return { success: true, data: data as Metadata };
  };
  const parse = (value: unknown): Metadata => {
    const result = safeParse(value);
    if (!result.success) throw result.error;
    return result.data;
  };
  return {
    safeParse,
    parse,
    safeParseAsync: async (value) => safeParse(value),
    parseAsync: async (value) => parse(value),
  };
}

function read(value: unknown, kinds: Record<string, Kind>, issues: MetadataIssue[]): Record<string, unknown> {
  if (typeOf(value) !== 'object') {
    issues.push(issue('object', value, []));
    return {};
  }
  const members = value as Record<string, unknown>;
  const known: Record<string, unknown> = {};
  for (const [name, kind] of Object.entries(kinds)) {
    const member = members[name];
    if (member !== undefined || name in members) known[name] = member;
    if (member === undefined && kind.endsWith('?')) continue;
    issues.push(...faultsOf(member, kind, name));
  }
  return known;
}

function faultsOf(member: unknown, kind: Kind, name: string): MetadataIssue[] {
  if (kind === 'flag?') return typeof member === 'boolean' ? [] : [issue('boolean', member, [name])];
  if (kind === 'text' || kind === 'text?') return typeof member === 'string' ? [] : [issue('string', member, [name])];
  if (!Array.isArray(member)) return [issue('array', member, [name])];
  return Array.from(member, (item: unknown, at) => (typeof item === 'string' ? [] : [issue('string', item, [name, at])])).flat();
}

function issue(expected: string, value: unknown, path: (string | number)[]): MetadataIssue {
  const received = typeOf(value);
  const message = received === 'undefined' ? 'Required' : `Expected ${expected}, received ${received}`;
  return { code: 'invalid_type', expected, received, path, message };
}

/** The kinds of objects that are told from plain ones. */
const CLASSES = { map: Map, set: Set, date: Date } as const;

function typeOf(value: unknown): string {
  if (typeof value === 'number') return Number.isNaN(value) ? 'nan' : 'number';
  if (typeof value !== 'object') return typeof value;
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  const { then, catch: rejected } = value as Record<string, unknown>;
  if (typeof then === 'function' && typeof rejected === 'function') return 'promise';
  const found = Object.entries(CLASSES).find(([, type]) => value instanceof type);
  return found ? found[0] : 'object';
}
