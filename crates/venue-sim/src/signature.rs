//! Signatures of requests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a key signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// HMAC-SHA-256 with a secret, in hexadecimal of either case.
    Hmac(&'static str),
    /// Ed25519, in base64.
    Ed25519([u8; 32]),
}

impl Scheme {
    /// Whether `signature` is the key's over `payload`.
    pub(crate) fn verify(self, payload: &str, signature: &str) -> bool {
        self.verified(payload, signature).is_some()
    }

    fn verified(self, payload: &str, signature: &str) -> Option<()> {
        match self {
            Scheme::Hmac(secret) => {
                let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
                mac.update(payload.as_bytes());
                mac.verify_slice(&from_hex(signature)?).ok()
            }
            Scheme::Ed25519(public) => {
                let signature = Signature::from_slice(&STANDARD.decode(signature).ok()?).ok()?;
                let key = VerifyingKey::from_bytes(&public).ok()?;
                key.verify_strict(payload.as_bytes(), &signature).ok()
            }
        }
    }
}

/// What REST has signed: the query, and right after it the form, without the signature in either.
pub(crate) fn payload(query: &str, body: &str) -> String {
    let unsigned = |text: &str| {
        let pairs = text.split('&').filter(|pair| !pair.starts_with("signature="));
        pairs.collect::<Vec<_>>().join("&")
    };
    unsigned(query) + &unsigned(body)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).ok();
    (0..text.len()).step_by(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity;

    /// The secret of the examples in the documentation of Binance Spot, and its examples.
    const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
    const EXAMPLES: [(&str, &str); 4] = [
        (
            "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
            "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
        ),
        (
            "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
            "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
        ),
        (
            "apiKey=vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A&price=52000.00&quantity=0.01000000&recvWindow=100&side=SELL&symbol=BTCUSDT&timeInForce=GTC&timestamp=1645423376532&type=LIMIT",
            "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24",
        ),
        (
            "apiKey=vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A&price=0.10000000&quantity=1.00000000&recvWindow=5000&side=BUY&symbol=１２３４５６&timeInForce=GTC&timestamp=1645423376532&type=LIMIT",
            "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd",
        ),
    ];

    #[test]
    fn the_documented_signatures_are_verified_and_no_others() {
        for (payload, signature) in EXAMPLES {
            assert!(Scheme::Hmac(SECRET).verify(payload, signature));
            assert!(Scheme::Hmac(SECRET).verify(payload, &signature.to_uppercase()));
            assert!(!Scheme::Hmac(SECRET).verify(&payload[1..], signature));
            assert!(!Scheme::Hmac(identity::SECRET).verify(payload, signature));
            assert!(!Scheme::Hmac(SECRET).verify(payload, &signature[2..]));
        }
    }

    /// Made by `openssl pkeyutl -sign -rawin` with the private key of the test identity.
    #[test]
    fn a_signature_of_openssl_is_verified() {
        let signature =
            "Lx66nmUaCBTKvuZkXbP5D6FerC6Tvy9VKdH7M6y06ywRrrYDRvpHwsiR0cJDDRddeH0Wcipuu1JVbGctIUBlBw==";
        let scheme = Scheme::Ed25519(identity::ED25519_PUBLIC_KEY);
        assert!(scheme.verify(EXAMPLES[0].0, signature));
        assert!(!scheme.verify(EXAMPLES[1].0, signature));
        assert!(!scheme.verify(EXAMPLES[0].0, &signature.to_lowercase()));
        assert!(!scheme.verify(EXAMPLES[0].0, "no signature"));
    }

    #[test]
    fn the_signature_is_no_part_of_what_is_signed() {
        assert_eq!(payload("a=1&signature=s&b=2", ""), "a=1&b=2");
        assert_eq!(payload("a=1", "b=2&signature=s"), "a=1b=2");
        assert_eq!(payload("", "a=1&signature=s"), "a=1");
    }
}
