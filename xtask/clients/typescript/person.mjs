// @ts-check
import assert from 'node:assert/strict';

/**
 * Plays the person at the consent page: signs in as `user`, ticks every scope, approves. Returns
 * the parameters that the authorization server sends back to the client's redirect URI.
 *
 * @param {typeof fetch} fetch
 * @param {URL} authorizationUrl
 * @param {string} user
 * @returns {Promise<URLSearchParams>}
 */
export async function approve(fetch, authorizationUrl, user) {
  const page = await fetch(authorizationUrl, { redirect: 'manual' });
  assert.equal(page.status, 200, 'the consent page');
  const { action, request, scopes } = readForm(await page.text(), authorizationUrl);

  const form = new URLSearchParams({ request, user, decision: 'approve' });
  for (const scope of scopes) form.append('scope', scope);
  const answer = await fetch(action, { method: 'POST', body: form, redirect: 'manual' });
  assert.equal(answer.status, 303, 'the answer to the approval');

  const redirect = new URL(answer.headers.get('location') ?? '', action);
  const redirectUri = authorizationUrl.searchParams.get('redirect_uri');
  assert.equal(redirect.origin + redirect.pathname, redirectUri, 'sent back to the redirect URI');
  return redirect.searchParams;
}

/** The consent page has exactly one POST form.
 * @param {string} html @param {URL} base */
function readForm(html, base) {
  const forms = tags(html, 'form').filter((form) => form.get('method')?.toLowerCase() === 'post');
  assert.equal(forms.length, 1, 'forms on the consent page');
  const inputs = tags(html, 'input');
  const request = inputs.find((input) => input.get('name') === 'request')?.get('value');
  assert.ok(request, 'the hidden input `request`');
  const scopes = inputs.filter((input) => input.get('name') === 'scope').map((input) => input.get('value') ?? '');
  return { action: new URL(forms[0].get('action') ?? '', base), request, scopes };
}

/** The attributes of every `<name ...>` in a page.
 * @param {string} html @param {string} name */
function tags(html, name) {
  const found = html.matchAll(new RegExp(`<${name}\\b([^>]*)>`, 'gi'));
  return [...found].map(([, attributes]) => {
    const pairs = attributes.matchAll(/([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/g);
    return new Map([...pairs].map(([, key, ...values]) => [key.toLowerCase(), unescape(values.find((v) => v !== undefined) ?? '')]));
  });
}

/** @param {string} text */
function unescape(text) {
  const named = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text.replace(/&(?:#x([\da-f]+)|#(\d+)|(amp|lt|gt|quot|apos));/gi, (_, hex, decimal, name) =>
    name ? named[/** @type {keyof typeof named} */ (name.toLowerCase())] : String.fromCodePoint(parseInt(hex ?? decimal, hex ? 16 : 10)));
}
