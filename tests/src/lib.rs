//! End-to-end tests of the real binary and of foreign clients.
