//! What users have granted, and what was done with it.

use std::collections::HashMap;

/// What users have granted, and how the server behaves.
pub(super) struct Accounts {
    pub(super) user: String,
    pub(super) refuses: bool,
    pub(super) tokens_expire: bool,
    pub(super) next_answer: Option<(u16, String)>,
    pub(super) token_requests: usize,
    pub(super) moved_to: Option<String>,
    pub(super) issues: Vec<Issue>,
    codes: HashMap<String, Code>,
    access: HashMap<String, Grant>,
    refresh: HashMap<String, Grant>,
    last_number: usize,
}

/// An issue that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Issue {
    /// `owner/name`.
    pub repository: String,
    /// Its title.
    pub title: String,
    /// Whose token opened it.
    pub author: String,
}

/// Who has granted which scopes.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) user: String,
    /// With commas between them.
    pub(super) scope: String,
}

/// A code, and what it was given for.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) grant: Grant,
    pub(super) redirect_uri: String,
    /// RFC 7636, `S256`.
    pub(super) challenge: Option<String>,
}

/// What a grant is used by.
pub(super) struct Tokens {
    pub(super) access: String,
    pub(super) refresh: Option<String>,
    pub(super) scope: String,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            user: "octocat".to_owned(),
            refuses: false,
            tokens_expire: false,
            next_answer: None,
            token_requests: 0,
            moved_to: None,
            issues: Vec::new(),
            codes: HashMap::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
            last_number: 0,
        }
    }
}

impl Accounts {
    pub(super) fn give_code(&mut self, code: Code) -> String {
        let name = self.next_name("code");
        self.codes.insert(name.clone(), code);
        name
    }

    /// A code counts once.
    pub(super) fn take_code(&mut self, name: &str) -> Option<Code> {
        self.codes.remove(name)
    }

    pub(super) fn give_tokens(&mut self, grant: &Grant) -> Tokens {
        let access = self.next_name("gho_");
        self.access.insert(access.clone(), grant.clone());
        let refresh = self.tokens_expire.then(|| self.next_name("ghr_"));
        self.refresh.extend(refresh.iter().map(|name| (name.clone(), grant.clone())));
        Tokens { access, refresh, scope: grant.scope.clone() }
    }

    /// A refresh token counts once.
    pub(super) fn take_refresh(&mut self, name: &str) -> Option<Grant> {
        self.refresh.remove(name)
    }

    pub(super) fn user_of(&self, access: &str) -> Option<&Grant> {
        self.access.get(access)
    }

    /// Ends a token, and with a refresh token all of its user.
    pub(super) fn revoke(&mut self, token: &str) {
        self.access.remove(token);
        if let Some(grant) = self.refresh.remove(token) {
            self.access.retain(|_, other| other.user != grant.user);
        }
    }

    pub(super) fn revoke_all(&mut self) {
        self.access.clear();
        self.refresh.clear();
    }

    pub(super) fn live_tokens(&self) -> usize {
        self.access.len()
    }

    fn next_name(&mut self, kind: &str) -> String {
        self.last_number += 1;
        format!("{kind}{:016x}", self.last_number)
    }
}
