//! Who trades here: one account, with fixed keys that open nothing anywhere else.

/// The account of both keys.
pub const ACCOUNT: &str = "sim";

/// An API key for HMAC-SHA-256 signatures with [`SECRET`].
pub const API_KEY: &str = "simHmacKeyu8jzPde0IgxLd6GncfBAepfJBd0Kh8oOOL8dKLzdocJ2isAjIhKtJ0";

/// The secret of [`API_KEY`].
pub const SECRET: &str = "simHmacSecretRlgLKOmxgJTeKdNnFRIBXuDL7DxtpYlSXpfKtHF4vUCsMehGAkW";

/// An API key for Ed25519 signatures with [`ED25519_PRIVATE_KEY`].
pub const ED25519_API_KEY: &str = "simEd25519Keyvj7FAc9QeWJKY40uvSwMFLZDe1f8rESQedUStPKR0CsTy4Qwb8D";

/// The private key of [`ED25519_API_KEY`], as a client reads it from a file (PKCS#8 in PEM).
pub const ED25519_PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJZp5DR3P06nxfi+/NuLA6D96tF82wGPIIkbvsEsxF2P\n\
    -----END PRIVATE KEY-----\n";

/// The public key of [`ED25519_API_KEY`].
pub const ED25519_PUBLIC_KEY: [u8; 32] = [
    0x7d, 0x07, 0xcd, 0x83, 0x18, 0x9e, 0x34, 0xca, 0xb9, 0x0c, 0xe6, 0x2d, 0x79, 0x5f, 0x2b, 0x5a, 0xc3,
    0xfc, 0xa5, 0x32, 0xb2, 0xbc, 0xde, 0x1e, 0x6a, 0x66, 0x59, 0xd8, 0x6c, 0x83, 0x51, 0x6b,
];

/// What the account has at the beginning.
pub const DEPOSITS: [(&str, i64); 3] = [("BTC", 100), ("ETH", 1_000), ("USDT", 10_000_000)];

/// What its account of futures has at the beginning.
pub const FUTURES_DEPOSITS: [(&str, i64); 1] = [("USDT", 1_000_000)];
