//! Numbers as Lua 5.1 and Redis print them and cut them. Both use C's `%g`, which Rust does not have, with 14 digits
//! where a script makes a text of a number and 17 where a number becomes an argument of a command.

/// Digits of `tostring`, of `..`, of JSON: Lua's own figure. An integer of more digits loses its last ones.
pub(crate) const TEXT_DIGITS: usize = 14;

/// Digits of an argument of `redis.call`: enough that none is lost.
pub(crate) const ARGUMENT_DIGITS: usize = 17;

/// A number in as many digits as an argument has, which is also how Redis replies with one.
pub fn number_text(number: f64) -> String {
    format(number, ARGUMENT_DIGITS)
}

/// C's `%.{digits}g`.
pub(crate) fn format(number: f64, digits: usize) -> String {
    if number.is_nan() {
        // glibc tells the sign, and 0/0 has one.
        return if number.is_sign_negative() { "-nan".into() } else { "nan".into() };
    }
    if number.is_infinite() {
        return if number < 0.0 { "-inf".into() } else { "inf".into() };
    }
    // The exponent after rounding, as C asks for it: 9.9995 in three digits is 1e+01.
    let scientific = format!("{number:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').expect("Rust prints an exponent");
    let exponent: i32 = exponent.parse().expect("Rust prints the exponent as an integer");
    let last = i32::try_from(digits).expect("digits are few") - 1;
    if exponent < -4 || exponent > last {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", without_zeros(mantissa), exponent.unsigned_abs());
    }
    let decimals = usize::try_from(last - exponent).expect("the exponent is at most the last digit");
    without_zeros(&format!("{number:.decimals$}")).to_owned()
}

fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// The integer that a script's number becomes in a reply, as the processors that Redis runs on do it: cut toward
/// zero, and the smallest integer for whatever does not fit.
pub(crate) fn to_integer(number: f64) -> i64 {
    // Two to the 63rd, exactly. The other bound is a number itself and needs no care.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if number.is_nan() || number >= BEYOND { i64::MIN } else { number as i64 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_print_as_in_c() {
        let cases = [
            (1e15, "1e+15", "1000000000000000"),
            (99_999_999_999_999.0, "99999999999999", "99999999999999"),
            (123_456_789_012_345.0, "1.2345678901234e+14", "123456789012345"),
            (1e17, "1e+17", "1e+17"),
            (0.1, "0.1", "0.10000000000000001"),
            (1.0 / 3.0, "0.33333333333333", "0.33333333333333331"),
            (-1.5e-7, "-1.5e-07", "-1.4999999999999999e-07"),
            (0.0001, "0.0001", "0.0001"),
            (1e100, "1e+100", "1e+100"),
            (-0.0, "-0", "-0"),
            (0.0, "0", "0"),
            (f64::NAN, "nan", "nan"),
            (-f64::NAN, "-nan", "-nan"),
            (f64::NEG_INFINITY, "-inf", "-inf"),
        ];
        for (number, text, argument) in cases {
            assert_eq!(format(number, TEXT_DIGITS), text);
            assert_eq!(format(number, ARGUMENT_DIGITS), argument);
        }
        assert_eq!(format(9.9995, 3), "10");
        assert_eq!(format(999_999.5, 6), "1e+06");
    }

    #[test]
    fn what_does_not_fit_is_the_smallest_integer() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e19, -1e19, 2f64.powi(63)] {
            assert_eq!(to_integer(number), i64::MIN, "{number}");
        }
        assert_eq!([to_integer(3.99), to_integer(-3.99), to_integer(2f64.powi(53))], [3, -3, 1 << 53]);
    }

    proptest! {
        #[test]
        fn an_argument_of_a_command_loses_nothing(number in any::<f64>()) {
            let read: f64 = format(number, ARGUMENT_DIGITS).parse().unwrap();
            prop_assert_eq!(read.to_bits(), number.to_bits());
        }

        #[test]
        fn an_integer_of_up_to_fourteen_digits_prints_as_one(number in -99_999_999_999_999i64..=99_999_999_999_999) {
            prop_assert_eq!(format(number as f64, TEXT_DIGITS), number.to_string());
            prop_assert_eq!(format(number as f64, ARGUMENT_DIGITS), number.to_string());
        }

        #[test]
        fn a_text_is_the_nearest_of_its_length(number in -1e300f64..1e300) {
            let read: f64 = format(number, TEXT_DIGITS).parse().unwrap();
            prop_assert!((read - number).abs() <= number.abs() * 5e-14);
        }
    }
}
