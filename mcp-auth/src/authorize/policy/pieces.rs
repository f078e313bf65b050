//! The pieces of a resource pattern, and the comparison of those of a rule with those that are asked for.
//!
//! Its cost must stay in proportion to the length of what is asked for, because clients choose that: so all places in
//! the rule where one can be are followed at once, and none is tried after another.

/// A part of a pattern: one character of a class, or any number of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Piece {
    pub(super) class: Class,
    /// Whether it stands for any number of characters, also for none.
    pub(super) repeats: bool,
}

impl Piece {
    pub(super) fn byte(byte: u8) -> Self {
        Self { class: Class::Byte(byte), repeats: false }
    }

    /// The character that it stands for; `None` when it is a variable.
    pub(super) fn fixed_byte(&self) -> Option<u8> {
        match self.class {
            Class::Byte(byte) => Some(byte),
            Class::Segment | Class::Parameter | Class::Any => None,
        }
    }
}

/// Which characters a piece stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Class {
    Byte(u8),
    /// Any character within a segment of a path.
    Segment,
    /// Any character of one parameter of a query.
    Parameter,
    Any,
}

impl Class {
    /// Whether some character is of both classes.
    fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::Byte(one), Self::Byte(other)) => one == other,
            (Self::Byte(byte), Self::Segment) | (Self::Segment, Self::Byte(byte)) => byte != b'/',
            _ => true,
        }
    }

    /// Whether every character of the other class is of this one.
    fn covers(self, other: Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (Self::Segment, Self::Segment) => true,
            // Parameters are compared one by one, so there is no `&` in what this is asked about.
            (Self::Parameter, other) => other != Self::Any,
            (Self::Byte(one), Self::Byte(other)) => one == other,
            (Self::Segment, Self::Byte(byte)) => byte != b'/',
            _ => false,
        }
    }
}

/// What is to be found out about a rule, and what a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Whether it is about some of it.
    Meets,
    /// Whether it is about all of it.
    Covers,
}

impl Question {
    fn class_answers(self, of_rule: Class, asked: Class) -> bool {
        match self {
            Self::Meets => of_rule.meets(asked),
            Self::Covers => of_rule.covers(asked),
        }
    }
}

/// Whether the pieces of a rule meet or cover all that is asked for, from its start to its end. Takes time in
/// proportion to the length of what is asked for.
pub(super) fn pieces_answer(rule: &[Piece], asked: &[Piece], question: Question) -> bool {
    // The characters that both begin with, and those that both end with, are compared once. Variables are between.
    let start = common_length(rule.iter(), asked.iter());
    let (rule_rest, asked_rest) = (&rule[start..], &asked[start..]);
    let end = common_length(rule_rest.iter().rev(), asked_rest.iter().rev());
    crate::steps::take(start + end + 1);
    let rule_middle = &rule_rest[..rule_rest.len() - end];
    let asked_middle = &asked_rest[..asked_rest.len() - end];
    let differs = are_two_characters(rule_middle.first(), asked_middle.first())
        || are_two_characters(rule_middle.last(), asked_middle.last());
    !differs && pieces_answer_step_by_step(rule_middle, asked_middle, question)
}

/// How many characters two lists of pieces have in common, before the first variable or difference.
fn common_length<'p>(
    rule: impl Iterator<Item = &'p Piece>,
    asked: impl Iterator<Item = &'p Piece>,
) -> usize {
    rule.zip(asked)
        .take_while(|(step, piece)| step.fixed_byte().is_some() && step.class == piece.class)
        .count()
}

/// Whether both are there, and none is a variable.
fn are_two_characters(one: Option<&Piece>, other: Option<&Piece>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.fixed_byte().is_some() && other.fixed_byte().is_some(),
        _ => false,
    }
}

/// As [`pieces_answer`], piece by piece, with all places in the rule where one can be.
fn pieces_answer_step_by_step(rule: &[Piece], asked: &[Piece], question: Question) -> bool {
    if matches!(rule, [Piece { class: Class::Any, repeats: true }]) {
        return true;
    }
    // A rule that ends with anything needs no look at the rest.
    let ends_open = rule.last().is_some_and(|last| last.class == Class::Any && last.repeats);
    let mut places = Places::default();
    places.insert(rule, 0);
    let mut next = Places::default();
    for piece in asked {
        next.clear();
        if piece.repeats {
            places.take_many(rule, piece.class, question, &mut next);
        } else {
            places.take_one(rule, piece.class, question, &mut next);
        }
        std::mem::swap(&mut places, &mut next);
        if places.0.is_empty() {
            return false;
        }
        if ends_open && places.contains(rule.len() - 1) {
            return true;
        }
    }
    places.contains(rule.len())
}

/// Where in a rule one can be after a part of what is asked for: the indices of the pieces that may come next, in
/// ascending order.
#[derive(Debug, Default)]
struct Places(Vec<usize>);

impl Places {
    fn clear(&mut self) {
        self.0.clear();
    }

    fn contains(&self, place: usize) -> bool {
        self.0.binary_search(&place).is_ok()
    }

    /// Adds a place, and those behind it that are reached without a character: a step that takes any
    /// number of them may take none. Places are added in ascending order; one that is not beyond the
    /// last is there already.
    fn insert(&mut self, rule: &[Piece], place: usize) {
        let mut reached = place;
        loop {
            if self.0.last().is_none_or(|last| *last < reached) {
                self.0.push(reached);
            }
            match rule.get(reached) {
                Some(step) if step.repeats => reached += 1,
                _ => return,
            }
        }
    }

    /// Where one can be after one character of this class.
    fn take_one(&self, rule: &[Piece], class: Class, question: Question, next: &mut Self) {
        crate::steps::take(self.0.len() + 1);
        for place in &self.0 {
            let Some(step) = rule.get(*place) else { continue };
            if question.class_answers(step.class, class) {
                next.insert(rule, if step.repeats { *place } else { place + 1 });
            }
        }
    }

    /// Where one can be after any number of characters of this class, of which none is one.
    fn take_many(&self, rule: &[Piece], class: Class, question: Question, next: &mut Self) {
        crate::steps::take(rule.len() + 1);
        match question {
            // Each step that is reached may be taken as well.
            Question::Meets => {
                let mut reached = vec![false; rule.len() + 1];
                for place in &self.0 {
                    reached[*place] = true;
                }
                for (place, step) in rule.iter().enumerate() {
                    if reached[place] && (step.repeats || question.class_answers(step.class, class))
                    {
                        reached[place + 1] = true;
                    }
                }
                next.0.extend((0..=rule.len()).filter(|place| reached[*place]));
            }
            // No character must be covered as well, and many: what stays in one place does both.
            Question::Covers => {
                for place in &self.0 {
                    let Some(step) = rule.get(*place) else { continue };
                    if step.repeats && question.class_answers(step.class, class) {
                        next.insert(rule, *place);
                    }
                }
            }
        }
    }
}
