//! Closed lists of words, spelled in one place.

/// `ALL`, `as_str` and `Display` of an enum of words.
macro_rules! words {
    ($($type:ident { $($variant:ident => $word:literal,)+ })+) => {
        $(impl $type {
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// As the API and the command line spell it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        })+
    };
}

pub(crate) use words;
