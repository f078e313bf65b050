//! `notices.json`: logout tokens and security event tokens, and which access tokens they end.

use dev_issuer::{Broken, DevIssuer, Mint};
use serde_json::{Value, json};

use crate::notice_requests::{
    Case, FORM, LOGGED_OUT, RECEIVED, SECEVENT, event_request, form, logout_request, not_received,
    refused_event, refused_logout, request,
};
use crate::{ISSUER, NOW, RESOURCE};

/// How some access tokens name the issuer.
const OTHER_NAME: &str = "https://sts.example.com/other-name";
/// An issuer whose metadata cannot be had.
const AWAY: &str = "https://away.example.com";
/// What the transmitter must say, where that was agreed.
const AGREED: &str = "Bearer 4f1c9a";

const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";

/// The access tokens, by their names, that the end of the session `s-1` ends.
const OF_SESSION: [&str; 3] = ["alice s-1", "bob s-1", "alice s-1, other name"];
/// Those that end with alice.
const OF_ALICE: [&str; 5] =
    ["alice s-1", "alice s-2", "alice", "alice t-1", "alice s-1, other name"];
/// Those that end with the session `s-1` of alice: one that names no session may be of it.
const OF_BOTH: [&str; 4] = ["alice s-1", "bob s-1", "alice", "alice s-1, other name"];
const NOTHING: [&str; 0] = [];

const MALFORMED: &str = "it is not what is received here";
const UNKNOWN_ISSUER: &str = "nothing of this issuer is accepted";
const WRONG_AUDIENCE: &str = "it is for another audience";
const BAD_SIGNATURE: &str = "no known key of the issuer signed it";
const NOT_AUTHENTICATED: &str = "the Authorization header is not the agreed one";
const WRONG_TIME: &str = "it is too old or of the future";
const SEEN_BEFORE: &str = "it was received before";
const UNKNOWN_SUBJECT: &str = "its subject cannot be found in tokens";
const UNAVAILABLE: &str = "it cannot be verified right now";

/// The settings by their names; a case names one.
pub(crate) fn configurations() -> Value {
    let usual = json!({
        "issuer": ISSUER,
        "token_issuers": [OTHER_NAME],
        "back_channel_logout": { "audience": ["our-client"] },
        "shared_signals": { "audience": ["our-stream"] },
    });
    let agreed = json!({ "audience": ["our-stream"], "authorization": AGREED });
    let away = json!({ "issuer": AWAY, "back_channel_logout": { "audience": ["our-client"] } });
    let several = json!({ "audience": ["a", "our-client"] });
    let alone = configuration(std::slice::from_ref(&usual));
    let mut other_paths = alone.clone();
    other_paths["logout_path"] = json!("/ended");
    other_paths["shared_signals_path"] = json!("/told");
    let mut exact_time = alone.clone();
    exact_time["clock_tolerance"] = json!(0);
    json!({
        "usual": alone,
        "nothing is received": configuration(&[json!({ "issuer": ISSUER, "token_issuers": [OTHER_NAME] })]),
        "logout tokens alone": changed(&usual, "shared_signals", Value::Null),
        "security events alone": changed(&usual, "back_channel_logout", Value::Null),
        "an agreed header": changed(&usual, "shared_signals", agreed),
        "several audiences": changed(&usual, "back_channel_logout", several),
        "ES256 and RS256": changed(&usual, "algorithms", json!(["ES256", "RS256"])),
        "two issuers": configuration(&[usual, away]),
        "other paths": other_paths,
        "no tolerance": exact_time,
    })
}

/// A configuration whose server differs from the usual one in this member.
fn changed(usual: &Value, name: &str, value: Value) -> Value {
    let mut server = usual.clone();
    server[name] = value;
    configuration(&[server])
}

fn configuration(servers: &[Value]) -> Value {
    json!({ "resources": [{ "resource": RESOURCE, "authorization_servers": servers }] })
}

/// The access tokens that each case asks about, good at the time of every case.
pub(crate) fn access_tokens(issuer: &DevIssuer) -> Value {
    json!({
        "alice": access_token(issuer).sign(),
        "alice s-1": access_token(issuer).claim("sid", "s-1").sign(),
        "alice s-2": access_token(issuer).claim("sid", "s-2").sign(),
        "alice t-1": access_token(issuer).claim("sid", "s-4").claim("jti", "t-1").sign(),
        "alice s-1, other name": access_token(issuer).claim("sid", "s-1").issuer(OTHER_NAME).sign(),
        "alice later": access_token(issuer).issued_at(NOW + 1).expires_in(1_000_000).sign(),
        "bob s-1": access_token(issuer).subject("bob").claim("sid", "s-1").sign(),
    })
}

fn access_token(issuer: &DevIssuer) -> Mint {
    let mint = issuer.mint().issued_at(NOW).issuer(ISSUER).audience(RESOURCE);
    mint.subject("alice").client_id("app").expires_in(1_000_000)
}

pub(crate) fn cases(issuer: &DevIssuer) -> Vec<Value> {
    let mut all = Cases { issuer, all: Vec::new() };
    all.logout_tokens_that_end_something();
    all.logout_tokens_that_are_refused();
    all.security_events_that_end_something();
    all.subjects();
    all.security_events_that_are_refused();
    all.settings();
    all.repetitions();
    all.all
}

struct Cases<'i> {
    issuer: &'i DevIssuer,
    all: Vec<Value>,
}

impl Cases<'_> {
    /// A logout token of the session `s-1`, unless it is changed.
    fn logout(&self) -> Mint {
        self.logout_of_alice().without("sub")
    }

    /// The same, which names alice too.
    fn logout_of_alice(&self) -> Mint {
        let mint = self.issuer.mint().header("typ", "logout+jwt").audience("our-client");
        let mint = mint.issued_at(NOW).issuer(ISSUER).expires_in(120);
        let mint = mint.subject("alice").without("client_id").without("scope");
        let events = json!({ LOGOUT_EVENT: {} });
        mint.claim("jti", "notice-1").claim("sid", "s-1").claim("events", events)
    }

    /// A security event token with an event about alice, unless it is changed.
    fn told(&self, event_type: &str, event: Value) -> Mint {
        let mint = self.issuer.mint().header("typ", "secevent+jwt").audience("our-stream");
        let mint = mint.issued_at(NOW).issuer(ISSUER).without("exp").without("scope");
        let mint = mint.without("sub").without("client_id").claim("jti", "notice-1");
        let events = json!({ event_type: event });
        mint.claim("sub_id", alice()).claim("events", events)
    }

    /// The same: her sessions were ended.
    fn revoked(&self) -> Mint {
        self.told(&format!("{CAEP}session-revoked"), json!({ "event_timestamp": NOW }))
    }

    fn good_logout(&self) -> Value {
        logout_request(self.logout(), LOGGED_OUT)
    }

    fn good_event(&self) -> Value {
        event_request(self.revoked(), RECEIVED)
    }

    fn add(&mut self, name: &str, case: Case<'_>) {
        let Case { configuration, now, notices, revoked } = case;
        self.all.push(json!({
            "name": name,
            "configuration": configuration,
            "now": now,
            "notices": notices,
            "revoked": revoked,
        }));
    }

    fn usual(&mut self, name: &str, notice: Value, revoked: &[&str]) {
        self.add(name, Case::usual(vec![notice], revoked));
    }

    fn logout_tokens_that_end_something(&mut self) {
        let rows = [
            ("a session", self.logout(), &OF_SESSION[..]),
            ("a subject", self.logout_of_alice().without("sid"), &OF_ALICE),
            ("a session and its subject", self.logout_of_alice(), &OF_BOTH),
            ("a session that nobody has", self.logout().claim("sid", "s-9"), &NOTHING),
            (
                "a subject that nobody is",
                self.logout_of_alice().without("sid").subject("eve"),
                &NOTHING,
            ),
            ("a logout of the issuer's other name", self.logout().issuer(OTHER_NAME), &OF_SESSION),
            ("a logout, typ JWT", self.logout().header("typ", "JWT"), &OF_SESSION),
            ("a logout without typ", self.logout().without_header("typ"), &OF_SESSION),
            (
                "a logout, typ in full",
                self.logout().header("typ", "application/LOGOUT+jwt"),
                &OF_SESSION,
            ),
            (
                "a logout for several audiences",
                self.logout().audiences(["another-client", "our-client"]),
                &OF_SESSION,
            ),
            ("a logout that is over within tolerance", self.logout().expires_in(-59), &OF_SESSION),
        ];
        for (name, mint, revoked) in rows {
            self.usual(name, logout_request(mint, LOGGED_OUT), revoked);
        }
    }

    fn logout_tokens_that_are_refused(&mut self) {
        let mut rows = vec![
            ("events left out", self.logout().without("events"), MALFORMED),
            (
                "events of another kind",
                self.logout().claim("events", json!({ "x": {} })),
                MALFORMED,
            ),
            (
                "events that are a list",
                self.logout().claim("events", json!([LOGOUT_EVENT])),
                MALFORMED,
            ),
            (
                "an event that is no object",
                self.logout().claim("events", json!({ LOGOUT_EVENT: true })),
                MALFORMED,
            ),
            ("a nonce", self.logout().claim("nonce", "n"), MALFORMED),
            ("a nonce that is null", self.logout().claim("nonce", Value::Null), MALFORMED),
            ("neither sub nor sid", self.logout().without("sid"), MALFORMED),
            ("an empty sid", self.logout().claim("sid", ""), MALFORMED),
            ("a sid that is a number", self.logout().claim("sid", 7), MALFORMED),
            ("no jti", self.logout().without("jti"), MALFORMED),
            ("no aud", self.logout().without("aud"), MALFORMED),
            ("another audience", self.logout().audience("another-client"), WRONG_AUDIENCE),
            ("our resource as its audience", self.logout().audience(RESOURCE), WRONG_AUDIENCE),
            (
                "the audience of security events",
                self.logout().audience("our-stream"),
                WRONG_AUDIENCE,
            ),
            ("no iat", self.logout().without("iat"), MALFORMED),
            ("no exp", self.logout().without("exp"), MALFORMED),
            ("expired", self.logout().expires_in(-60), WRONG_TIME),
            ("of the future", self.logout().issued_at(NOW + 61).expires_in(120), WRONG_TIME),
            (
                "older than ten minutes",
                self.logout().issued_at(NOW - 660).expires_in(9_000),
                WRONG_TIME,
            ),
            ("another issuer", self.logout().issuer("https://other.example"), UNKNOWN_ISSUER),
            ("no iss", self.logout().without("iss"), MALFORMED),
            ("typ of an access token", self.logout().header("typ", "at+jwt"), MALFORMED),
            ("typ of a security event", self.logout().header("typ", "secevent+jwt"), MALFORMED),
            ("a security event in its place", self.revoked().audience("our-client"), MALFORMED),
        ];
        for (name, broken, reason) in [
            ("a broken signature", Broken::Signature, BAD_SIGNATURE),
            ("another key", Broken::ForeignKey, BAD_SIGNATURE),
            ("a key in the header", Broken::EmbeddedKey, BAD_SIGNATURE),
            ("no algorithm", Broken::AlgorithmNone, MALFORMED),
            ("the public key as a secret", Broken::HmacWithPublicKey, MALFORMED),
        ] {
            rows.push((name, self.logout().broken(broken), reason));
        }
        let rows: Vec<_> =
            rows.into_iter().map(|(name, mint, reason)| (name, mint.sign(), reason)).collect();
        for (name, token, reason) in rows {
            let expected = refused_logout(400, reason);
            let notice = request("/backchannel-logout", FORM, &form(&token), &[], expected);
            self.usual(&format!("a logout token: {name}"), notice, &NOTHING);
        }
        let token = self.logout().sign();
        let bodies = [
            ("two tokens in a form", FORM, format!("{}&{}", form(&token), form(&token))),
            ("an empty form", FORM, String::new()),
            ("a form under another name", FORM, format!("token={token}")),
            ("a form that is called JSON", "application/json", form(&token)),
        ];
        for (name, content_type, body) in bodies {
            let expected = refused_logout(400, MALFORMED);
            let notice = request("/backchannel-logout", content_type, &body, &[], expected);
            self.usual(name, notice, &NOTHING);
        }
    }

    fn security_events_that_end_something(&mut self) {
        let caep = [
            "session-revoked",
            "token-claims-change",
            "credential-change",
            "assurance-level-change",
        ];
        let risc =
            ["account-disabled", "account-purged", "credential-compromise", "sessions-revoked"];
        let types = caep.map(|name| (name, format!("{CAEP}{name}"))).into_iter();
        for (name, event_type) in types.chain(risc.map(|name| (name, format!("{RISC}{name}")))) {
            let mint = self.told(&event_type, json!({ "event_timestamp": NOW }));
            self.usual(name, event_request(mint, RECEIVED), &OF_ALICE);
        }
        let verification = "https://schemas.openid.net/secevent/ssf/event-type/verification";
        let of_stream = json!({ "format": "opaque", "id": "stream-1" });
        let verified = self.told(verification, json!({ "state": "x" })).claim("sub_id", of_stream);
        let other = self.told("https://schemas.example.com/other", json!({}));
        let late = self.told(&format!("{CAEP}session-revoked"), json!({}));
        let rows = [
            ("a verification", verified, &NOTHING[..]),
            ("an event of another type", other, &NOTHING),
            ("an event that does not say when", late, &OF_ALICE),
        ];
        for (name, mint, revoked) in rows {
            self.usual(name, event_request(mint, RECEIVED), revoked);
        }
        // It is refused by its age a day later, plus the tolerance.
        for (name, now, expected, revoked) in [
            ("an event of yesterday", NOW + 86_459, RECEIVED, &OF_ALICE[..]),
            (
                "an event that is too old",
                NOW + 86_460,
                refused_event("invalid_request", WRONG_TIME),
                &NOTHING,
            ),
        ] {
            let notices = vec![event_request(self.revoked(), expected)];
            self.add(name, Case { now, ..Case::usual(notices, revoked) });
        }
    }

    fn subjects(&mut self) {
        let session = json!({ "format": "opaque", "id": "s-1" });
        let all = json!({ "format": "opaque", "id": "ALL" });
        let email = json!({ "format": "email", "email": "alice@example.com" });
        let rows = [
            ("an opaque user", json!({ "format": "opaque", "id": "alice" }), &OF_ALICE[..]),
            ("an opaque session", session.clone(), &OF_SESSION),
            (
                "a session of a user",
                json!({ "format": "complex", "user": alice(), "session": session }),
                &OF_BOTH,
            ),
            (
                "a user at a device",
                json!({ "format": "complex", "user": alice(), "device": email }),
                &OF_ALICE,
            ),
            (
                "all sessions of a user, as Keycloak says it",
                json!({ "user": alice(), "session": all }),
                &OF_ALICE,
            ),
            ("all sessions of nobody", json!({ "session": all }), &NOTHING),
            ("aliases", json!({ "format": "aliases", "identifiers": [email, alice()] }), &OF_ALICE),
            ("a token", json!({ "format": "jwt_id", "iss": ISSUER, "jti": "t-1" }), &["alice t-1"]),
        ];
        for (name, sub_id, revoked) in rows {
            let mint = self.revoked().claim("sub_id", sub_id);
            self.usual(&format!("a subject: {name}"), event_request(mint, RECEIVED), revoked);
        }
        let other = json!({ "format": "iss_sub", "iss": "https://other.example", "sub": "alice" });
        let rows = [
            ("an address", email.clone(), UNKNOWN_SUBJECT),
            (
                "a user by an address",
                json!({ "format": "complex", "user": email }),
                UNKNOWN_SUBJECT,
            ),
            ("no alias", json!({ "format": "aliases", "identifiers": [] }), UNKNOWN_SUBJECT),
            ("another issuer's", other, UNKNOWN_SUBJECT),
            ("nothing", json!({}), UNKNOWN_SUBJECT),
            ("no issuer", json!({ "format": "iss_sub", "sub": "alice" }), MALFORMED),
            ("an empty name", json!({ "format": "iss_sub", "iss": ISSUER, "sub": "" }), MALFORMED),
            ("null", Value::Null, MALFORMED),
        ];
        for (name, sub_id, reason) in rows {
            let mint = self.revoked().claim("sub_id", sub_id);
            let expected = refused_event("invalid_request", reason);
            self.usual(&format!("a subject: {name}"), event_request(mint, expected), &NOTHING);
        }
    }

    fn security_events_that_are_refused(&mut self) {
        let revoked = format!("{CAEP}session-revoked");
        let rows = [
            ("no typ", self.revoked().without_header("typ"), "invalid_request", MALFORMED),
            ("typ JWT", self.revoked().header("typ", "JWT"), "invalid_request", MALFORMED),
            (
                "another audience",
                self.revoked().audience("other"),
                "invalid_audience",
                WRONG_AUDIENCE,
            ),
            (
                "the audience of logout tokens",
                self.revoked().audience("our-client"),
                "invalid_audience",
                WRONG_AUDIENCE,
            ),
            (
                "another issuer",
                self.revoked().issuer("https://other.example"),
                "invalid_issuer",
                UNKNOWN_ISSUER,
            ),
            (
                "a broken signature",
                self.revoked().broken(Broken::Signature),
                "invalid_key",
                BAD_SIGNATURE,
            ),
            (
                "another key",
                self.revoked().broken(Broken::ForeignKey),
                "invalid_key",
                BAD_SIGNATURE,
            ),
            ("no jti", self.revoked().without("jti"), "invalid_request", MALFORMED),
            ("no iat", self.revoked().without("iat"), "invalid_request", MALFORMED),
            ("no events", self.revoked().without("events"), "invalid_request", MALFORMED),
            (
                "empty events",
                self.revoked().claim("events", json!({})),
                "invalid_request",
                MALFORMED,
            ),
            ("no subject", self.revoked().without("sub_id"), "invalid_request", MALFORMED),
            (
                "a time in milliseconds",
                self.told(&revoked, json!({ "event_timestamp": NOW * 1000 })),
                "invalid_request",
                MALFORMED,
            ),
            (
                "a logout token in its place",
                self.logout().audience("our-stream"),
                "invalid_request",
                MALFORMED,
            ),
        ];
        let rows: Vec<_> = rows
            .into_iter()
            .map(|(name, mint, code, reason)| {
                (name, event_request(mint, refused_event(code, reason)))
            })
            .collect();
        for (name, notice) in rows {
            self.usual(&format!("a security event: {name}"), notice, &NOTHING);
        }
    }

    /// What the settings change.
    fn settings(&mut self) {
        let mut rows = vec![
            ("nothing is received", not_received(self.good_logout()), &NOTHING[..]),
            ("nothing is received", not_received(self.good_event()), &NOTHING),
            ("logout tokens alone", self.good_logout(), &OF_SESSION),
            ("logout tokens alone", not_received(self.good_event()), &NOTHING),
            ("security events alone", self.good_event(), &OF_ALICE),
            ("security events alone", not_received(self.good_logout()), &NOTHING),
            ("several audiences", self.good_logout(), &OF_SESSION),
            ("two issuers", self.good_logout(), &OF_SESSION),
            ("other paths", not_received(self.good_logout()), &NOTHING),
            ("other paths", not_received(self.good_event()), &NOTHING),
            ("ES256 and RS256", self.good_logout(), &OF_SESSION),
        ];
        let of_away = self.logout().issuer(AWAY);
        rows.push((
            "two issuers",
            logout_request(of_away, refused_logout(503, UNAVAILABLE)),
            &NOTHING,
        ));
        let of_another = self.logout().algorithm(dev_issuer::Algorithm::Es384);
        let refused = refused_logout(400, MALFORMED);
        rows.push(("ES256 and RS256", logout_request(of_another, refused), &NOTHING));
        let ended = request("/ended", FORM, &form(&self.logout().sign()), &[], LOGGED_OUT);
        rows.push(("other paths", ended, &OF_SESSION));
        let told = request("/told", SECEVENT, &self.revoked().sign(), &[], RECEIVED);
        rows.push(("other paths", told, &OF_ALICE));
        let headers: [(&[&str], bool); 5] = [
            (&[AGREED], true),
            (&[], false),
            (&["Bearer 4f1c9b"], false),
            (&["4f1c9a"], false),
            (&[AGREED, AGREED], false),
        ];
        for (authorization, is_agreed) in headers {
            let refused = refused_event("authentication_failed", NOT_AUTHENTICATED);
            let expected = if is_agreed { RECEIVED } else { refused };
            let body = self.revoked().sign();
            let notice = request("/shared-signals", SECEVENT, &body, authorization, expected);
            let revoked = if is_agreed { &OF_ALICE[..] } else { &NOTHING };
            rows.push(("an agreed header", notice, revoked));
        }
        for (number, (configuration, notice, revoked)) in rows.into_iter().enumerate() {
            let name = format!("settings, {number}: {configuration}");
            self.add(&name, Case { configuration, ..Case::usual(vec![notice], revoked) });
        }
        for (name, seconds, expected, revoked) in [
            ("the last second without tolerance", 2, LOGGED_OUT, &OF_SESSION[..]),
            ("over without tolerance", 1, refused_logout(400, WRONG_TIME), &NOTHING),
        ] {
            let notices = vec![logout_request(self.logout().expires_in(seconds), expected)];
            let usual = Case::usual(notices, revoked);
            self.add(name, Case { configuration: "no tolerance", now: NOW + 1, ..usual });
        }
    }

    fn repetitions(&mut self) {
        let logout = self.logout().sign();
        let again =
            [LOGGED_OUT, refused_logout(400, SEEN_BEFORE), refused_logout(400, SEEN_BEFORE)];
        let notices = again
            .map(|expected| request("/backchannel-logout", FORM, &form(&logout), &[], expected));
        self.add("a logout token again", Case::usual(notices.to_vec(), &OF_SESSION));
        let told = self.revoked().sign();
        let notices = [RECEIVED, RECEIVED]
            .map(|expected| request("/shared-signals", SECEVENT, &told, &[], expected));
        self.add("a security event again", Case::usual(notices.to_vec(), &OF_ALICE));
        // One that was refused was not received.
        let for_others = self.logout().audience("another-client");
        let notices = vec![
            logout_request(for_others, refused_logout(400, WRONG_AUDIENCE)),
            logout_request(self.logout(), LOGGED_OUT),
        ];
        self.add("a refused one, then a good one of its jti", Case::usual(notices, &OF_SESSION));
        let of_bob = json!({ "format": "iss_sub", "iss": ISSUER, "sub": "bob" });
        let notices = vec![
            event_request(self.revoked().claim("sub_id", of_bob), RECEIVED),
            event_request(self.revoked(), RECEIVED),
        ];
        // The second is taken for the first, which came before.
        self.add("two security events of one jti", Case::usual(notices, &["bob s-1"]));
    }
}

fn alice() -> Value {
    json!({ "format": "iss_sub", "iss": ISSUER, "sub": "alice" })
}
