//! What it needs to complete a template: what anything that it stands for needs.

use serde_json::{Value, json};

use super::rules::policy;
use super::{PolicyServer, message};

#[tokio::test]
async fn completing_a_template_needs_what_anything_behind_it_needs() {
    let rows = [
        ("n://{a}/{b}", json!({}), 403),
        ("n://{a}/{b}", json!({ "a": "open" }), 403),
        ("n://open/{b}", json!({}), 200),
        ("n://open/{b}", json!({ "b": "x" }), 200),
        ("n://{+a}", json!({}), 403),
        ("n://secret/1", json!({}), 403),
        ("n://secret{/b}", json!({}), 403),
        ("n://{#a}", json!({}), 403),
        ("n://open/{", json!({}), 403),
    ];
    let rules = json!({ "resources": { "n://open/{b}": [], "n://secret/*": ["s1"] } });
    let server = PolicyServer::start(policy(rules)).await;
    let token = server.mint("mcp").sign();
    for (uri, chosen, status) in rows {
        let params = json!({
            "ref": { "type": "ref/resource", "uri": uri },
            "argument": { "name": "b", "value": "" },
            "context": { "arguments": chosen },
        });
        let body = message("completion/complete", params).to_string();
        let (answer, _) = server.post(Some(&token), &[], body).await;
        assert_eq!(answer.status.as_u16(), status, "{uri} {chosen}");
    }
}

/// A server may put values into a template as they are, so that one of them brings another parameter with it.
#[tokio::test]
async fn a_chosen_value_of_a_query_brings_no_parameter_past_a_rule() {
    let public = json!({ "access": "public" });
    let one = json!({ "resources": { "n://a{?q}": public } });
    let below = json!({ "resources": { "n://a/{id}{?q}": public } });
    let two = json!({ "resources": { "n://a{?q,p}": public } });
    let broader = json!({ "resources": { "n://a*": ["s1"], "n://a{?q}": [] } });
    // What nobody is answered, and whoever has a token without `s1`.
    let rows = [
        (&one, "n://a{?q}", json!({}), 200, 200),
        (&one, "n://a{?q}", json!({ "q": "1" }), 200, 200),
        (&one, "n://a{?q}", json!({ "z": "2" }), 200, 200),
        (&one, "n://a{?q}", json!({ "q": "1&z=2" }), 401, 200),
        (&below, "n://a/{id}{?q}", json!({ "id": "1", "q": "2" }), 200, 200),
        (&below, "n://a/{id}{?q}", json!({ "id": "1", "q": "2&z" }), 401, 200),
        (&below, "n://a/{id}{?q}", json!({ "q": "2&z=3" }), 401, 200),
        (&two, "n://a{?q,p}", json!({ "p": "1" }), 200, 200),
        (&two, "n://a{?q,p}", json!({ "q": "1", "p": "2" }), 200, 200),
        (&two, "n://a{?q,p}", json!({ "q": "1", "p": "2&z=3" }), 401, 200),
        (&broader, "n://a{?q}", json!({ "q": "1" }), 401, 200),
        (&broader, "n://a{?q}", json!({ "q": "1&z=2" }), 401, 403),
    ];
    for (rules, uri, chosen, for_nobody, with_token) in rows {
        let server = PolicyServer::start(policy(rules.clone())).await;
        let token = server.mint("mcp").sign();
        let params = json!({
            "ref": { "type": "ref/resource", "uri": uri },
            "argument": { "name": "b", "value": "" },
            "context": { "arguments": chosen },
        });
        let body = message("completion/complete", params).to_string();
        for (token, status) in [(None, for_nobody), (Some(&*token), with_token)] {
            let (answer, _) = server.post(token, &[], body.clone()).await;
            assert_eq!(answer.status.as_u16(), status, "{uri} {chosen} {token:?} under {rules}");
        }
    }
}

/// What a template stands for may be without its last slash, and without its query.
#[tokio::test]
async fn completing_a_template_needs_what_is_asked_without_its_last_variable() {
    let rows = [
        (json!({ "n://a": ["s1"] }), "n://a/{+p}", 403),
        (json!({ "n://a": ["s1"] }), "n://a/{id}", 200),
        (json!({ "n://a": ["s1"] }), "n://a/b{+p}", 200),
        (json!({ "n://a/b": ["s1"] }), "n://a/b/{+p}{+q}", 403),
        (json!({ "n://a": ["s1"], "n://a{?q}": { "access": "public" } }), "n://a{?q}", 403),
        (json!({ "n://a": ["s1"], "n://a{?q}": [] }), "n://a{?q}", 403),
        (json!({ "n://a*": ["s1"], "n://a{?q}": [] }), "n://a{?q}", 200),
        (json!({ "n://a/x{?q}": ["s1"], "n://a/{+r}": [] }), "n://a/{+r}", 403),
        (json!({ "n://{h}/1": ["s1"], "n://a/1": [] }), "n://a/{id}/", 403),
        (json!({ "n://{+s}{?q}": ["s1"], "n://a/{+r}": [] }), "n://a/{+r}", 403),
        (json!({ "n://{+s}{?q}": ["s1"], "n://a/{id}": [] }), "n://a/{id}", 200),
        (json!({ "n://a": { "access": "public" }, "{s}://a": ["s1"] }), "n://a/{+p}", 200),
        (json!({ "n://a": { "access": "public" }, "{s}://a*": ["s1"] }), "n://a/{+p}", 403),
    ];
    for (rules, uri, status) in rows {
        let server = PolicyServer::start(policy(json!({ "resources": rules }))).await;
        let token = server.mint("mcp").sign();
        let params = json!({
            "ref": { "type": "ref/resource", "uri": uri },
            "argument": { "name": "b", "value": "" },
        });
        let body = message("completion/complete", params).to_string();
        let (answer, _) = server.post(Some(&token), &[], body).await;
        assert_eq!(answer.status.as_u16(), status, "{uri} under {rules}");
    }
}

#[tokio::test]
async fn what_stands_for_anything_may_stand_for_a_query() {
    let rules = json!({ "resources": { "n://a?admin={y}": ["admin"] } });
    let server = PolicyServer::start(policy(rules)).await;
    let token = server.mint("mcp").sign();
    let rows = [
        ("n://a{+rest}", 403),
        ("n://{+rest}", 403),
        ("{+u}", 403),
        ("n://a?x={+v}", 403),
        ("n://a{?x}", 403),
        ("n://b/{id}", 200),
        ("n://a/{id}", 200),
        ("n://a?x={v}", 200),
        ("n://a?{v}", 403),
    ];
    for (uri, status) in rows {
        let params = json!({
            "ref": { "type": "ref/resource", "uri": uri },
            "argument": { "name": "b", "value": "" },
        });
        let body = message("completion/complete", params).to_string();
        let (answer, _) = server.post(Some(&token), &[], body).await;
        assert_eq!(answer.status.as_u16(), status, "{uri}");
    }
}

/// A rule counts for a template only where it is about every character that may stand there.
#[tokio::test]
async fn completing_a_template_needs_a_rule_about_all_of_it() {
    let rows = [
        ("n://open/{id}", "n://open/{id}", 200),
        ("n://open/{id}", "n://open/x{id}", 200),
        ("n://open/{id}", "n://open/{+id}", 403),
        ("n://open/{id}", "n://open/{id}/{other}", 403),
        ("n://open/{id}/end", "n://open/{+id}/end", 403),
        ("n://open/x{id}", "n://open/{id}", 403),
        ("n://open/x", "n://open/{id}", 403),
        ("n://open?v={v}", "n://open?v={v}", 200),
        ("n://open?v={v}", "n://open?v={+v}", 403),
        ("n://open?v=1", "n://open?v={v}", 403),
        ("n://open*", "n://open/{+id}", 200),
    ];
    for (rule, uri, status) in rows {
        let rules = json!({ "resources": { rule: [] }, "deny_undeclared": true });
        let server = PolicyServer::start(policy(rules)).await;
        let token = server.mint("mcp").sign();
        let params = json!({
            "ref": { "type": "ref/resource", "uri": uri },
            "argument": { "name": "id", "value": "" },
        });
        let body = message("completion/complete", params).to_string();
        let (answer, _) = server.post(Some(&token), &[], body).await;
        assert_eq!(answer.status.as_u16(), status, "{uri} under {rule}");
    }
}

/// The status of the answer that somebody without a token gets.
async fn completed_by_nobody(server: &PolicyServer, params: Value) -> u16 {
    let body = message("completion/complete", params).to_string();
    let (answer, _) = server.post(None, &[], body).await;
    answer.status.as_u16()
}

/// Neither a value nor the beginning of one leaves what an open rule is about, however the template has its variable.
#[tokio::test]
async fn no_value_leads_out_of_a_template() {
    let public = json!({ "access": "public" });
    let rules = json!({ "resources": {
        "n://a/*": public, "n://b/*": ["s1"], "n://s/*": public, "n://s/sub/secret": ["s1"], "git://*": public,
        "g://{h}": public, "g://{h}/x/{c}": public,
    } });
    let server = PolicyServer::start(policy(rules)).await;
    let nothing = json!({});
    // Template, what was chosen, the beginning of `b`.
    let rows = [
        ("n://a/{id}{?b}", json!({ "id": "1" }), "x", 200),
        ("n://a/{id}{?b}", json!({ "id": ".." }), "", 401),
        ("n://a/{id}{+b}", json!({ "id": ".." }), "", 401),
        ("n://a/{id}{/b}", json!({ "id": ".." }), "", 401),
        ("n://a/{id}{.b}", json!({ "id": "..;v" }), "", 401),
        ("n://a/{id}{;b}", json!({ "id": ".." }), "", 401),
        ("n://a/{+id}{b}", json!({ "id": "1/.." }), "", 401),
        ("n://a/{+b}{id}", json!({ "id": ".." }), "", 401),
        ("n://a/1{/id}", json!({ "id": "2" }), "", 200),
        ("n://a/1{/id,b}", json!({ "id": ".." }), "", 401),
        ("n://a/1{/id*}", json!({ "id": "../b" }), "", 401),
        ("n://a/{id*}/{b}", json!({ "id": ".." }), "", 401),
        ("n://a/{id,c}/{b}", json!({ "id": ".." }), "", 401),
        ("n://a/{ id }/{b}", json!({ "id": ".." }), "", 401),
        ("n://a/1{id}/{b}", json!({ "id": "?x#" }), "", 401),
        ("n://a/1{#id}", json!({ "id": "x" }), "", 401),
        ("{+u}/{b}", json!({ "u": "n://a/1" }), "", 401),
        // What readers take more or less of.
        ("n://a/{id:2}/{b}", json!({ "id": "1" }), "", 401),
        ("n://a/{id:2}/{b}", json!({ "c": "1" }), "", 200),
        ("n://a/{b:0}", nothing.clone(), "1", 401),
        ("n://a/{b:0}", nothing.clone(), "", 200),
        ("n://a/{b:path}", nothing.clone(), "1", 200),
        ("n://a/{b:int64}", nothing.clone(), "1", 200),
        // What is begun, and what it may become.
        ("n://a/{b}", nothing.clone(), "", 200),
        ("n://a/{b}", nothing.clone(), ".gitignore", 200),
        ("n://a/{b}", nothing.clone(), "v1..v2", 200),
        ("n://a/{b}", nothing.clone(), "*.m", 200),
        ("n://a/{b}", nothing.clone(), "50% off", 200),
        ("n://a/{b}", nothing.clone(), "..", 401),
        ("n://a/{b}", nothing.clone(), "x/..", 401),
        ("n://a/{b}", nothing.clone(), "../b/", 401),
        ("n://a/{b}", nothing.clone(), "%2e%2e/", 401),
        ("n://a/{b}", nothing.clone(), "%u002e%u002E/", 401),
        ("n://a/{b}", nothing.clone(), "\u{a0}../b/", 401),
        ("n://a/{id}/{b}", json!({ "id": "..\u{feff}" }), "x", 401),
        ("n://a/{id}", json!({ "c": ".\t./b" }), "", 401),
        // On the way to something.
        ("n://a/{b}", nothing.clone(), "New ", 200),
        ("n://a/{b}", nothing.clone(), ".", 200),
        ("n://a/{+b}", nothing.clone(), "src/.", 200),
        ("g://{b}", nothing.clone(), "St.", 200),
        ("n://a/{b}", nothing.clone(), ".. ", 401),
        ("n://a/{b}", nothing.clone(), "...", 401),
        ("n://a/{b}", nothing.clone(), "x%2F..", 401),
        ("n://a/{b}", nothing.clone(), "x%252f.%25252E%252f", 401),
        ("n://a/{b}", nothing.clone(), "..\\", 401),
        ("n://s/{b}", nothing.clone(), "sub/secret", 401),
        ("n://s/{b}", nothing.clone(), "sub/other", 200),
        ("n://a/{b}", json!({ "b": "1" }), "../b/", 401),
        ("n://a/{b}", json!({ "b": "../1" }), "b", 401),
        ("n://a/{+b}", nothing.clone(), "docs/x", 200),
        ("n://a/{+b}", nothing.clone(), "1/../../b", 401),
        ("n://a/1{/b}", nothing.clone(), "..", 401),
        ("n://a/1{/b*}", nothing.clone(), "..", 401),
        ("n://a/1{?b}", nothing.clone(), "..", 401),
        ("n://a/x{;b}", nothing.clone(), "/../../b/", 401),
        // Braces and question marks hide nothing.
        ("n://a/{b}", nothing.clone(), "{/../../b/", 401),
        ("n://a/{b}", nothing.clone(), "{/../../b/}", 401),
        ("n://a/{id}/{b}", json!({ "id": "{/../../b/x" }), "", 401),
        ("n://a/{b}", nothing.clone(), "?x=/../../b/", 401),
        ("n://a/{id}/{b}", json!({ "id": "?x=/../../b" }), "", 401),
        // Dots beside dots.
        ("n://a/{id}.{b}", json!({ "id": "x" }), "md", 200),
        ("n://a/{id}.{b}", json!({ "id": "." }), "", 401),
        ("n://a/{id}.{b}", json!({ "id": "" }), ".", 401),
        ("n://a/{id}.{b}", json!({}), "./b/", 401),
        ("n://a/{c}.{id}/b/{b}", json!({ "id": "." }), "", 401),
        ("n://a/{id}/{b}", json!({ "id": "" }), "x", 200),
        ("n://a/{id}{.b}", json!({ "id": "." }), "", 401),
        ("n://a/{c}{id}{b}", json!({ "c": ".", "id": "." }), "", 401),
        ("git://d/{id}..{b}", json!({ "id": "main" }), "dev", 200),
        ("git://{c}/{id}..{b}", json!({ "c": "d" }), "", 200),
        ("git://d/{+id}..{+b}", json!({ "id": "main" }), "dev/1", 200),
        // Hosts that some readers write otherwise.
        ("g://{b}", nothing.clone(), "É", 200),
        ("g://É{b}", nothing.clone(), "", 200),
        ("g://É{id}.{b}/x/{+c}", nothing.clone(), "", 401),
        ("g://É{+b}", nothing.clone(), "", 401),
        // Variables that the template does not have.
        ("n://a/{id}", json!({ "c": "1" }), "1", 200),
        ("n://a/{id}", json!({ "c": "../b" }), "", 401),
        ("n://a/{id}", nothing.clone(), "v 1.md", 200),
        ("n://a/{id}", nothing.clone(), "../b/", 401),
        ("n://s/{id}", nothing.clone(), "sub/secret", 401),
        ("n://a/{x, b}", nothing.clone(), "../b/", 401),
        // Names that some readers take for another one.
        ("n://s/{b}", json!({ "B": "sub/secret" }), "", 401),
        ("n://s/{B}", json!({ "b": "sub/secret" }), "", 401),
        ("n://s/{b*}", json!({ "b*": "sub/other" }), "", 401),
        ("n://a/{b*}", json!({ "b*": "1" }), "", 200),
        ("n://a/{+b}", json!({ "+b": "1" }), "", 200),
        ("n://a/{id}", json!({ "id": "1", "ID": "2" }), "", 401),
        ("n://a/{id}{?q*}", nothing.clone(), "", 200),
        ("n://a/{id}{?q-r, s}", nothing, "", 200),
    ];
    for (template, chosen, begun, status) in rows {
        let params = json!({
            "ref": { "type": "ref/resource", "uri": template },
            "argument": { "name": "b", "value": begun },
            "context": { "arguments": chosen },
        });
        assert_eq!(
            completed_by_nobody(&server, params).await,
            status,
            "{template} {chosen} {begun}"
        );
    }
}

/// More parameters may be begun, but none brings another one with it.
#[tokio::test]
async fn the_beginning_of_a_parameter_brings_no_other_past_a_rule() {
    let public = json!({ "access": "public" });
    let rules = json!({ "resources": { "n://a*": ["s1"], "n://a{?q}": public } });
    let server = PolicyServer::start(policy(rules)).await;
    for (begun, status) in [("", 200), ("1", 200), ("50%", 200), ("1&z=2", 401), ("1#", 401)] {
        let params = json!({
            "ref": { "type": "ref/resource", "uri": "n://a{?q}" },
            "argument": { "name": "q", "value": begun },
        });
        assert_eq!(completed_by_nobody(&server, params).await, status, "{begun}");
    }
}

#[tokio::test]
async fn an_argument_that_cannot_be_read_is_refused() {
    let rules = json!({ "resources": { "n://a/*": { "access": "public" } } });
    let server = PolicyServer::start(policy(rules)).await;
    let rows = [
        (json!({ "name": "b", "value": "1" }), 200),
        (json!({ "name": "b", "value": "1", "more": 1 }), 200),
        (json!(null), 200),
        (json!({}), 400),
        (json!({ "name": "b" }), 400),
        (json!({ "value": "1" }), 400),
        (json!({ "name": "b", "value": 1 }), 400),
        (json!({ "name": ["b"], "value": "1" }), 400),
        (json!({ "name": "b", "value": "1", "Value": "../" }), 400),
        (json!("b"), 400),
        (json!([{ "name": "b", "value": "1" }]), 400),
    ];
    for (argument, status) in rows {
        let params =
            json!({ "ref": { "type": "ref/resource", "uri": "n://a/{b}" }, "argument": argument });
        assert_eq!(completed_by_nobody(&server, params).await, status, "{argument}");
    }
    let other_letters = json!({
        "ref": { "type": "ref/resource", "uri": "n://a/{b}" },
        "Argument": { "name": "b", "value": "../" },
    });
    assert_eq!(completed_by_nobody(&server, other_letters).await, 400);
}
