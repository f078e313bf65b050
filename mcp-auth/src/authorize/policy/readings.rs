//! What careless servers read in place of the URI that a client asked for.
//!
//! A rule that asks for something counts if it is about one of these readings: otherwise a client could write a
//! protected URI in a way that no rule is about, and that the server reads as the protected one. An open rule counts
//! only if it is about the URI as the specifications read it.

use super::pieces::{Class, Piece};
use super::resource_pattern::ResourcePattern;

impl ResourcePattern {
    /// Every other reading, and all of them together:
    ///
    /// - without the parameters of its path segments: `/secret;x` is `/secret` to Python's `urlparse`;
    /// - with `%26`, `%3D` and `%2B` in the query decoded before its parameters are found;
    /// - without a slash at the end of its path, which many servers do not look at: that of `n://a/`, and of a template
    ///   `n://a/{+p}`, which stands for `n://a/` too.
    pub(super) fn other_readings(&self) -> Vec<Self> {
        let mut readings: Vec<Self> = Vec::new();
        let changes = [
            Self::without_segment_parameters,
            Self::with_decoded_query,
            Self::without_last_slash,
            Self::without_slash_before_nothing,
        ];
        for change in changes {
            let changed: Vec<Self> =
                [self].into_iter().chain(&readings).filter_map(change).collect();
            readings.extend(changed);
        }
        readings
    }

    /// This pattern without the slash at the end of its path; `None` when there is none to leave out. The slash of
    /// `https://host/` stays: with and without it, that is one URI to everybody.
    pub(super) fn without_last_slash(&self) -> Option<Self> {
        let path = self.path().strip_suffix(&[Piece::byte(b'/')])?;
        if self.is_root_of_site() {
            return None;
        }
        Some(self.with_path(path.to_vec()))
    }

    /// This pattern without a slash that may be its last, because what follows may be nothing: `n://a` for
    /// `n://a/{+p}`; `None` when there is no such slash.
    pub(super) fn without_slash_before_nothing(&self) -> Option<Self> {
        let end = self.path().iter().rposition(|piece| !piece.repeats)? + 1;
        if end == self.path().len() {
            return None;
        }
        let (path, left_out) = self.path().split_at(end);
        let shortest = self.with_path(path.to_vec()).without_last_slash()?;
        // In the place of `{+p}` there may be more parameters alone.
        match left_out.iter().any(|piece| piece.class == Class::Any) {
            true => Some(shortest.with_any_query()),
            false => Some(shortest),
        }
    }

    /// This pattern without what comes after a semicolon in a segment (RFC 3986 §3.3); `None` when there is nothing to
    /// leave out.
    fn without_segment_parameters(&self) -> Option<Self> {
        let mut path = Vec::with_capacity(self.path().len());
        let mut is_parameter = false;
        for piece in self.path() {
            match piece.class {
                Class::Byte(b';') => is_parameter = true,
                // What stands for anything may begin the next segment.
                Class::Byte(b'/') | Class::Any => is_parameter = false,
                Class::Byte(_) | Class::Segment | Class::Parameter => {}
            }
            if !is_parameter {
                path.push(*piece);
            }
        }
        (path.len() < self.path().len()).then(|| self.with_path(path))
    }

    /// This pattern with `&`, `=` and `+` in place of their escapes in the query; `None` when it has none.
    fn with_decoded_query(&self) -> Option<Self> {
        let written = self.parameters();
        let mut decoded: Vec<Vec<Piece>> = Vec::new();
        for parameter in written {
            decoded.extend(decoded_parameters(parameter));
        }
        (decoded != written).then(|| self.with_parameters(decoded))
    }
}

/// The parameters that one becomes when its escapes are decoded first.
fn decoded_parameters(parameter: &[Piece]) -> Vec<Vec<Piece>> {
    const ESCAPES: [([u8; 3], u8); 3] = [(*b"%26", b'&'), (*b"%3D", b'='), (*b"%2B", b'+')];
    let mut decoded = Vec::with_capacity(parameter.len());
    let mut rest = without_added_equals_sign(parameter);
    while let Some((first, after)) = rest.split_first() {
        let escape = ESCAPES.iter().find(|(escape, _)| rest.starts_with(&escape.map(Piece::byte)));
        match escape {
            Some((escape, byte)) => {
                decoded.push(Piece::byte(*byte));
                rest = &rest[escape.len()..];
            }
            None => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    let parts = decoded.split(|piece| *piece == Piece::byte(b'&'));
    parts.filter(|part| !part.is_empty()).map(with_equals_sign).collect()
}

/// The parameter as it was written: one without an equals sign got one at its end, in the form in which URIs are
/// compared, and an escaped one may be the first for a careless reader.
fn without_added_equals_sign(parameter: &[Piece]) -> &[Piece] {
    let sign = Piece::byte(b'=');
    match parameter.split_last() {
        Some((last, before)) if *last == sign && !before.contains(&sign) => before,
        _ => parameter,
    }
}

/// The parameter with an equals sign at its end, if it has none: `?draft` and `?draft=` mean the same. A variable in
/// it may stand for one.
fn with_equals_sign(parameter: &[Piece]) -> Vec<Piece> {
    let mut completed = parameter.to_vec();
    let may_have_sign = parameter
        .iter()
        .any(|piece| *piece == Piece::byte(b'=') || !matches!(piece.class, Class::Byte(_)));
    if !may_have_sign {
        completed.push(Piece::byte(b'='));
    }
    completed
}
