// A provider of logins (OpenID Connect) on this machine, for tests: users, clients and claims as its one argument says.
// It prints its addresses as one line of JSON, then does what each line on stdin asks, and ends with stdin.

import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import Provider from 'oidc-provider';

const { users, clients, audiences, life, grace } = JSON.parse(process.argv[2]);

const page = (title, body) => `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>${title}</title></head>
<body><h1>${title}</h1>${body}</body></html>`;
const escaped = (text) => String(text).replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);

let round = 0;
const jwk = (kid, kind, options) => ({
  ...generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }), kid: `${kid}-${round}`, use: 'sig',
});
function newKeys() {
  round += 1;
  return [
    jwk('rsa', 'rsa', { modulusLength: 2048 }), jwk('ec', 'ec', { namedCurve: 'P-256' }), jwk('ed', 'ed25519', {}),
  ];
}

function configured(keys, algorithm) {
  const told = (name) => Object.fromEntries(Object.entries(users[name] ?? {}).filter(([claim]) => claim !== 'password'));
  return {
    jwks: { keys },
    clients,
    cookies: { keys: ['a test signs its cookies'] },
    claims: { openid: ['sub', 'pets_project', 'pets_roles', 'pets_datasets'] },
    conformIdTokenClaims: false,
    scopes: ['openid', 'offline_access'],
    pkce: { required: () => true },
    ttl: { AccessToken: life, IdToken: life, DeviceCode: grace, AuthorizationCode: 60, RefreshToken: 3600, Session: 3600, Grant: 3600, Interaction: 600 },
    findAccount: (_, sub) => (sub in users ? { accountId: sub, claims: () => ({ sub, ...told(sub) }) } : undefined),
    extraTokenClaims: (_, token) => told(token.accountId),
    async loadExistingGrant(ctx) { // whoever logs in has agreed
      const { client, session, provider } = ctx.oidc;
      const known = session.grantIdFor(client.clientId);
      const grant = (known && await provider.Grant.find(known))
        || new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope('openid offline_access');
      for (const resource of Object.keys(ctx.oidc.resourceServers ?? {})) grant.addResourceScope(resource, 'ask');
      await grant.save();
      return grant;
    },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      deviceFlow: {
        enabled: true,
        userCodeInputSource: (ctx, form, out, error) => {
          ctx.body = page('Enter the code', `${error ? `<p>${escaped(error.name)}</p>` : ''}${form.replace('</form>', '<button>Continue</button></form>')}`);
        },
        userCodeConfirmSource: (ctx, form, client, device, code) => {
          ctx.body = page('Confirm', `<p>${escaped(client.clientId)}: <code>${escaped(code)}</code></p>
${form.replace('</form>', '<button>Continue</button><button name="abort" value="yes">Refuse</button></form>')}`);
        },
        successSource: (ctx) => { ctx.body = page('Done', '<p>Go back to where you came from.</p>'); },
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_, client, one) => (Array.isArray(one) ? one[0] : one) ?? Object.keys(audiences)[0],
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => ({
          scope: 'ask', audience: audiences[resource] ?? resource, accessTokenTTL: life, accessTokenFormat: 'jwt',
          jwt: { sign: { alg: algorithm } },
        }),
      },
    },
  };
}

const body = async (request) => {
  let text = '';
  for await (const piece of request) text += piece;
  return new URLSearchParams(text);
};

async function login(provider, request, response) {
  const details = await provider.interactionDetails(request, response);
  const given = request.method === 'POST' ? await body(request) : new URLSearchParams();
  const user = given.get('user');
  if (user !== null && Object.hasOwn(users, user) && given.get('password') === users[user].password) {
    await provider.interactionFinished(request, response, { login: { accountId: user } });
    return;
  }
  response.writeHead(user === null ? 200 : 401, { 'content-type': 'text/html; charset=utf-8' });
  response.end(page('Log in', `<p>for ${escaped(details.params.client_id)}</p><form method="post">
<label>User <input name="user" autocomplete="off"></label>
<label>Password <input name="password" type="password"></label><button>Log in</button></form>`));
}

async function start(keys) {
  const server = createServer();
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  const issuer = `http://127.0.0.1:${server.address().port}`;
  let provider;
  let answer;
  const use = (newest, algorithm = 'RS256') => {
    provider = new Provider(issuer, configured(newest, algorithm));
    provider.on('server_error', (_, error) => console.error(error));
    answer = provider.callback();
  };
  use(keys);
  server.on('request', (request, response) => {
    if (!request.url.startsWith('/interaction/')) { answer(request, response); return; }
    login(provider, request, response).catch((error) => { response.writeHead(500); response.end(String(error)); });
  });
  return { issuer, use };
}

let keys = newKeys();
const main = await start(keys);
const other = await start(keys); // another issuer, with the very same keys
const real = Date.now;
const commands = {
  rotate: () => { keys = newKeys(); main.use(keys); other.use(keys); },
  algorithm: ({ name }) => main.use(keys, name),
  clock: ({ seconds }) => { Date.now = () => real() + seconds * 1000; },
};

const say = (told) => process.stdout.write(`${JSON.stringify(told)}\n`);
say({ issuer: main.issuer, other: other.issuer });
for await (const line of createInterface({ input: process.stdin })) {
  const { does, ...rest } = JSON.parse(line);
  commands[does](rest);
  say({ done: does });
}
process.exit(0);
