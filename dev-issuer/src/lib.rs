//! dev-issuer
