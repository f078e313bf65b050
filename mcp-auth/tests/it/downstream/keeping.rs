//! What is kept, for whom, and until when.

use std::collections::HashMap;

use dev_issuer::{Mode, TokenMode};
use futures_util::future::join_all;
use mcp_auth::revocation::Revocation;
use serde_json::{Value, json};

use super::{Calling, claims, config, reports};

#[tokio::test]
async fn a_token_is_asked_for_once_and_again_when_it_ends() {
    let calling = Calling::start().await;
    let alice = calling.caller_by(calling.mint("alice").expires_in(7_200)).await;
    let first = calling.token_for(&alice).await.unwrap();
    assert_eq!(calling.token_for(&alice).await.unwrap().expose(), first.expose());
    let at_once = calling.auth.downstream("reports").token_at_once(&alice).unwrap().unwrap();
    assert_eq!((at_once.expose(), calling.asked()), (first.expose(), 1));
    calling.clock.advance(3_594);
    assert_eq!(calling.token_for(&alice).await.unwrap().expose(), first.expose());
    // Its last seconds it would spend on the way.
    calling.clock.advance(1);
    assert_ne!(calling.token_for(&alice).await.unwrap().expose(), first.expose());
    assert_eq!(calling.asked(), 2);
}

#[tokio::test]
async fn it_is_kept_no_longer_than_the_token_that_it_was_had_with() {
    let calling = Calling::start().await;
    let alice = calling.caller_by(calling.mint("alice").expires_in(100)).await;
    let first = calling.token_for(&alice).await.unwrap();
    // A second less than 100 where the issuer took one.
    let lifetime = first.expires_at().unwrap() - calling.clock.started_at();
    assert!(lifetime <= 100);
    calling.clock.advance(lifetime - 6);
    assert_eq!(calling.token_for(&alice).await.unwrap().expose(), first.expose());
    // As long as they are let in, so long they get one: that of the API has ended by then.
    calling.clock.advance(100 + 59 - (lifetime - 6));
    assert!(calling.auth.authenticate(alice.dangerous_raw_token()).await.is_ok());
    assert_ne!(calling.token_for(&alice).await.unwrap().expose(), first.expose());
    calling.clock.advance(1);
    assert!(calling.auth.authenticate(alice.dangerous_raw_token()).await.is_err());
    // And a handler that still runs gets none any more.
    let error = calling.token_for(&alice).await.unwrap_err();
    assert_eq!((error.code(), calling.asked()), ("downstream_sign_in_again", 2));
    let refreshed = calling.caller_by(calling.mint("alice").expires_in(300)).await;
    assert_ne!(calling.token_for(&refreshed).await.unwrap().expose(), first.expose());
}

#[tokio::test]
async fn without_expires_in_it_is_used_and_not_kept() {
    let calling = Calling::start().await;
    calling.answer_wrongly(TokenMode::WithoutExpiresIn);
    let alice = calling.caller("alice").await;
    let first = calling.token_for(&alice).await.unwrap();
    assert_eq!(first.expires_at(), None);
    let second = calling.token_for(&alice).await.unwrap();
    assert_eq!((calling.asked(), first.expose() == second.expose()), (2, false));
}

#[tokio::test]
async fn a_refreshed_token_of_the_same_caller_finds_what_is_kept() {
    let calling = Calling::start().await;
    let one = calling.caller_by(calling.mint("alice").claim("jti", "1")).await;
    let another = calling.caller_by(calling.mint("alice").claim("jti", "2")).await;
    let first = calling.token_for(&one).await.unwrap();
    assert_eq!(calling.token_for(&another).await.unwrap().expose(), first.expose());
    // With other rights it is another caller.
    for mint in [
        calling.mint("alice").scope("mcp other"),
        calling.mint("alice").client_id("another-client"),
        calling.mint("alice").claim("sid", "s"),
        calling.mint("alice").claim("acr", "2"),
        calling.mint("alice").claim("org_id", "another"),
        calling.mint("alice").claim("roles", json!(["admin"])),
        calling.mint("alice").claim("authorization_details", json!([{ "type": "x" }])),
        calling.mint("alice").claim("act", json!({ "sub": "x" })),
        calling.mint("bob"),
    ] {
        let other = calling.caller_by(mint).await;
        assert_ne!(calling.token_for(&other).await.unwrap().expose(), first.expose());
    }
    assert_eq!(calling.asked(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_gets_the_token_of_another() {
    let calling = Calling::start().await;
    let mut callers = Vec::new();
    for number in 0..100 {
        callers.push(calling.caller(&format!("user-{number}")).await);
    }
    let mut waiting = Vec::new();
    for round in 0..10 {
        for (number, caller) in callers.iter().enumerate() {
            // In another order each time.
            let caller = if round % 2 == 0 { caller } else { &callers[99 - number] };
            let (auth, caller) = (calling.auth.clone(), caller.clone());
            waiting.push(tokio::spawn(async move {
                let token = auth.downstream("reports").token_for(&caller).await.unwrap();
                (caller.subject().unwrap().to_owned(), token)
            }));
        }
    }
    let mut by_user: HashMap<String, String> = HashMap::new();
    for one in join_all(waiting).await {
        let (subject, token) = one.unwrap();
        assert_eq!(claims(&token)["sub"], *subject);
        let kept = by_user.entry(subject).or_insert_with(|| token.expose().to_owned());
        assert_eq!(kept, token.expose());
    }
    assert_eq!((by_user.len(), calling.asked()), (100, 100));
}

#[tokio::test]
async fn a_hundred_at_once_cause_one_question() {
    let calling = Calling::start().await;
    let alice = calling.caller("alice").await;
    calling.answer_wrongly(TokenMode::Hold);
    let api = calling.auth.downstream("reports");
    let asking = join_all((0..100).map(|_| api.token_for(&alice)));
    let release = async {
        while calling.asked() == 0 {
            tokio::task::yield_now().await;
        }
        calling.issuer.set_mode(Mode::Online);
    };
    let (tokens, ()) = tokio::join!(asking, release);
    let first = tokens[0].as_ref().unwrap().expose().to_owned();
    assert!(tokens.iter().all(|token| token.as_ref().unwrap().expose() == first));
    assert_eq!(calling.asked(), 1);
}

#[tokio::test]
async fn what_is_said_of_the_token_of_one_who_waits_is_not_said_of_another() {
    let calling = Calling::start().await;
    let first = calling.caller_by(calling.mint("alice").claim("jti", "1")).await;
    let second = calling.caller_by(calling.mint("alice").claim("jti", "2")).await;
    let third = second.clone();
    calling.answer_wrongly(TokenMode::Hold);
    let api = calling.auth.downstream("reports");
    let mut asking = Box::pin(api.token_for(&first));
    while calling.asked() == 0 {
        assert!(futures_util::poll!(&mut asking).is_pending());
        tokio::task::yield_now().await;
    }
    let mut waiting = Box::pin(join_all([api.token_for(&second), api.token_for(&third)]));
    assert!(futures_util::poll!(&mut waiting).is_pending());
    // The token of whoever asked was taken back meanwhile; that of the others was not.
    let issuer = calling.issuer.issuer();
    calling.auth.revoke(Revocation::of_token(issuer, "1"));
    calling.issuer.set_mode(Mode::Online);
    let (refused, given) = tokio::join!(asking, waiting);
    assert_eq!(refused.unwrap_err().code(), "downstream_sign_in_again");
    let given: Vec<_> = given.into_iter().map(Result::unwrap).collect();
    assert_eq!(given[0].expose(), given[1].expose());
    // The others asked once for both.
    assert_eq!(calling.asked(), 2);
}

#[tokio::test]
async fn a_refusal_of_all_is_asked_about_once_for_each_token() {
    let calling = Calling::start().await;
    let mut callers = Vec::new();
    for number in 0..3 {
        callers
            .push(calling.caller_by(calling.mint("alice").claim("jti", number.to_string())).await);
    }
    calling.answer_wrongly(TokenMode::Error("invalid_grant"));
    let api = calling.auth.downstream("reports");
    for _ in 0..3 {
        let answers = join_all(callers.iter().chain(&callers).map(|one| api.token_for(one))).await;
        for answer in answers {
            assert_eq!(answer.unwrap_err().code(), "downstream_sign_in_again");
        }
        // Also when they take turns: the refusal of one does not push out that of another.
        assert_eq!(calling.asked(), 3);
    }
}

#[tokio::test]
async fn whoever_hangs_up_does_not_break_off_what_others_wait_for() {
    let calling = Calling::start().await;
    let alice = calling.caller("alice").await;
    calling.answer_wrongly(TokenMode::Hold);
    let api = calling.auth.downstream("reports");
    {
        let mut first = Box::pin(api.token_for(&alice));
        while calling.asked() == 0 {
            let _ = futures_util::poll!(&mut first);
            tokio::task::yield_now().await;
        }
    }
    let second = api.token_for(&alice);
    calling.issuer.set_mode(Mode::Online);
    assert!(second.await.is_ok());
    assert_eq!(calling.asked(), 1);
}

#[tokio::test]
async fn what_was_had_before_a_revocation_is_not_used_after_it() {
    for number in 0..4 {
        let calling = Calling::start().await;
        let now = calling.clock_seconds();
        let signed_in = |time: u64| {
            let mint = calling.mint("alice").claim("sid", "s1").claim("jti", "j1");
            mint.issued_at(time)
        };
        let before = calling.caller_by(signed_in(now - 10)).await;
        let bob = calling.caller("bob").await;
        let had = calling.token_for(&before).await.unwrap();
        let of_bob = calling.token_for(&bob).await.unwrap();
        let issuer = calling.issuer.issuer();
        let revocation = match number {
            0 => Revocation::of_subject(issuer, "alice"),
            1 => Revocation::of_session(issuer, "s1"),
            2 => Revocation::of_client(issuer, "a-client"),
            _ => Revocation::of_token(issuer, "j1"),
        };
        calling.auth.revoke(revocation.issued_until(now - 5));
        let error = calling.token_for(&before).await.unwrap_err();
        assert_eq!(error.code(), "downstream_sign_in_again", "{number}");
        // Whoever signs in again has the same key, and gets a new token.
        let mint = calling.mint("alice").claim("sid", "s1").claim("jti", "j2");
        let after = calling.caller_by(mint.issued_at(now)).await;
        let newer = calling.token_for(&after).await.unwrap();
        assert_ne!(newer.expose(), had.expose(), "{number}");
        let is_kept = calling.token_for(&bob).await.unwrap().expose() == of_bob.expose();
        assert!(is_kept || number == 2, "{number}");
    }
}

#[tokio::test]
async fn a_reload_keeps_the_tokens_of_what_did_not_change_and_no_others() {
    type Change = fn(&mut Value);
    let changes: [(Change, bool); 6] = [
        (|_| {}, true),
        (|whole| whole["body_timeout"] = json!(20), true),
        (|whole| whole["downstreams"]["reports"]["audience"] = json!(["reports", "x"]), false),
        (|whole| whole["downstreams"]["reports"]["scopes"] = json!(["reports:read"]), false),
        (|whole| whole["downstreams"]["reports"]["client_secret"] = json!("another"), false),
        (
            |whole| {
                let server = &mut whole["resources"][0]["authorization_servers"][0];
                *server = json!({ "issuer": server, "required_claims": { "sub": ["alice"] } });
            },
            false,
        ),
    ];
    for (index, (change, is_kept)) in changes.into_iter().enumerate() {
        let calling = Calling::start().await;
        let alice = calling.caller("alice").await;
        let api = calling.auth.downstream("reports");
        let had = api.token_for(&alice).await.unwrap();
        let issuer = calling.issuer.issuer();
        let mut whole = serde_json::to_value(config(issuer, reports(issuer))).unwrap();
        whole["downstreams"]["reports"]["client_secret"] = json!("a secret");
        whole["resources"][0]["authorization_servers"] = json!([issuer]);
        change(&mut whole);
        calling.auth.reload(serde_json::from_value(whole).unwrap()).unwrap();
        let found = api.token_at_once(&alice).unwrap();
        assert_eq!(found.is_some_and(|token| token.expose() == had.expose()), is_kept, "{index}");
    }
    let calling = Calling::start().await;
    let alice = calling.caller("alice").await;
    let api = calling.auth.downstream("reports");
    api.token_for(&alice).await.unwrap();
    let mut whole = config(calling.issuer.issuer(), reports(calling.issuer.issuer()));
    whole.downstreams.clear();
    calling.auth.reload(whole).unwrap();
    assert_eq!(api.token_for(&alice).await.unwrap_err().code(), "unknown_downstream");
}

#[tokio::test]
async fn a_refusal_is_asked_about_again_after_a_second_and_an_outage_at_once() {
    let calling = Calling::start().await;
    let alice = calling.caller("alice").await;
    calling.answer_wrongly(TokenMode::Error("invalid_target"));
    for _ in 0..5 {
        assert_eq!(calling.token_for(&alice).await.unwrap_err().code(), "downstream_refused");
    }
    assert_eq!(calling.asked(), 1);
    calling.issuer.set_mode(Mode::Online);
    // Another token of the same caller is asked about: it may be accepted.
    let newer = calling.caller_by(calling.mint("alice").claim("jti", "2")).await;
    assert!(calling.token_for(&newer).await.is_ok());
    calling.clock.advance(1);
    assert!(calling.token_for(&alice).await.is_ok());
    let outage = Calling::start().await;
    let bob = outage.caller("bob").await;
    outage.answer_wrongly(TokenMode::Status(500));
    assert_eq!(outage.token_for(&bob).await.unwrap_err().code(), "downstream_unavailable");
    outage.issuer.set_mode(Mode::Online);
    assert!(outage.token_for(&bob).await.is_ok());
}

#[tokio::test]
async fn memory_is_bounded_and_the_oldest_go() {
    let calling = Calling::start().await;
    let issuer = calling.issuer.issuer();
    let mut whole = config(issuer, reports(issuer));
    whole.downstream_cache_entries = 2;
    calling.auth.reload(whole).unwrap();
    let mut callers = Vec::new();
    for name in ["a", "b", "c"] {
        let caller = calling.caller(name).await;
        calling.token_for(&caller).await.unwrap();
        callers.push(caller);
    }
    let api = calling.auth.downstream("reports");
    let kept: Vec<bool> =
        callers.iter().map(|caller| api.token_at_once(caller).unwrap().is_some()).collect();
    assert_eq!(kept, [false, true, true]);
}
