//! Bytes that are kept until there are enough of them.

use bytes::{Bytes, BytesMut};

/// What has come of a body so far. Most bodies come in one piece, which is not copied.
#[derive(Debug)]
pub(crate) enum HeldBytes {
    One(Bytes),
    Several(BytesMut),
}

impl HeldBytes {
    pub(crate) fn push(&mut self, piece: Bytes) {
        match self {
            _ if self.len() == 0 => *self = Self::One(piece),
            Self::One(first) => {
                let mut joined = BytesMut::with_capacity(first.len() + piece.len());
                joined.extend_from_slice(first);
                joined.extend_from_slice(&piece);
                *self = Self::Several(joined);
            }
            Self::Several(joined) => joined.extend_from_slice(&piece),
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::One(first) => first,
            Self::Several(joined) => joined,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Takes the first bytes out.
    pub(crate) fn split_to(&mut self, length: usize) -> Bytes {
        match self {
            Self::One(first) => first.split_to(length),
            Self::Several(joined) => joined.split_to(length).freeze(),
        }
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::One(first) => first,
            Self::Several(joined) => joined.freeze(),
        }
    }
}

impl Default for HeldBytes {
    fn default() -> Self {
        Self::One(Bytes::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_piece_is_kept_as_it_is_and_several_are_joined() {
        let first = Bytes::from(vec![1, 2]);
        let mut held = HeldBytes::default();
        held.push(Bytes::new());
        held.push(first.clone());
        assert_eq!(held.as_slice().as_ptr(), first.as_ptr());
        held.push(Bytes::new());
        held.push(Bytes::from_static(&[3]));
        held.push(Bytes::from_static(&[4, 5]));
        assert_eq!((held.len(), held.as_slice()), (5, &[1, 2, 3, 4, 5][..]));
        assert_eq!(held.into_bytes(), [1, 2, 3, 4, 5][..]);
        assert_eq!(HeldBytes::default().into_bytes(), Bytes::new());
    }
}
