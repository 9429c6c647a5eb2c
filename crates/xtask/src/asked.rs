//! What takes long or writes into the repository, and so runs only when asked for: `cargo xtask fixture N`. Each is a
//! test of the end-to-end tests' `asked`, told by a variable what to do.

use anyhow::Result;

use crate::test;

/// The data directory of the present format that later builds must open.
pub(crate) fn fixture(number: &str) -> Result<bool> {
    let number: u32 = number.parse()?;
    test::asked("fixture::a_directory_of_the_present_format_is_written", "TENURE_FIXTURE", number.into())
}
