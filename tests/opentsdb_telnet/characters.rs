//! Characters that OpenTSDB does not take.

use headwater::metrics::Element;
use headwater::metrics::opentsdb::Sanitize;
use proptest::prelude::*;

use super::wire;
use crate::opentsdb::element;

#[test]
fn only_opentsdbs_characters_are_kept() {
    let (escape, dot) = (Sanitize::escape(), Sanitize::replace('.'));
    // Letters of 16 bits; neither marks, nor numbers, nor letters beyond.
    assert_eq!(escape.apply("aZ09-_./"), "aZ09-_./");
    assert_eq!(escape.apply("äßЖ語ǅʰ"), "äßЖ語ǅʰ");
    assert_eq!(escape.apply("e\u{301}"), "e_x301_");
    assert_eq!(escape.apply("Ⅷⓐ٣"), "_x2167__x24d0__x663_");
    assert_eq!(escape.apply("𝒳😀"), "_x1d4b3__x1f600_");
    assert_eq!(
        escape.apply(" \n\r\t\0=:\u{2028}"),
        "_x20__xa__xd__x9__x0__x3d__x3a__x2028_"
    );
    assert_eq!(escape.ascii().apply("ä"), "_xe4_");
    assert_eq!(dot.apply("ä b=c"), "ä.b.c");
    assert_eq!(dot.ascii().apply("ä b"), "..b");
    // Underscores stay, unless what follows would read as an escape.
    assert_eq!(escape.apply("_x_xml__x20_x20_"), "_x_xml__x5f_x20_x5f_x20_");
    assert_eq!(escape.apply("_x5 "), "_x5f_x5_x20_");
    // What is no escape is left as it is.
    assert_eq!(
        Sanitize::restore("_x_ _xg_ _x1234567_ _xd800_ _x41"),
        "_x_ _xg_ _x1234567_ _xd800_ _x41"
    );
    assert_eq!(Sanitize::restore("_x41_x42_"), "Ax42_");
}

#[test]
#[should_panic(expected = "OpenTSDB does not take this character either")]
fn a_replacement_has_to_be_allowed_itself() {
    let _ = Sanitize::replace(' ');
}

/// Text that tries: breaks, separators, commands, underscores and escapes, all sorts of letters.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\nput m 1 1 a=b\n".to_owned()),
        Just(" ".to_owned()),
        Just("=".to_owned()),
        Just("_x".to_owned()),
        Just("_".to_owned()),
        Just("_x20_".to_owned()),
        Just("5f".to_owned()),
        Just("x5f_".to_owned()),
        "[a-f0-9x_]{1,4}",
        any::<char>().prop_map(String::from),
        "[a-zA-Z0-9./-]{1,8}",
    ];
    prop::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat())
}

fn allowed(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    text.chars()
        .all(|c| plain(c) || (c.is_alphabetic() && (c as u32) < 0x1_0000))
}

proptest! {
    #[test]
    fn escaped_text_is_allowed_and_comes_back_equal(text in hostile()) {
        let (letters, ascii) = (Sanitize::escape(), Sanitize::escape().ascii());
        let (letters, ascii) = (letters.apply(&text), ascii.apply(&text));
        prop_assert!(allowed(&letters));
        prop_assert!(ascii.is_ascii() && allowed(&ascii));
        prop_assert_eq!(Sanitize::restore(&letters), text.as_str());
        prop_assert_eq!(Sanitize::restore(&ascii), text.as_str());
    }

    #[test]
    fn replaced_text_is_allowed_and_has_as_many_characters(text in hostile()) {
        let replaced = Sanitize::replace('-').apply(&text).into_owned();
        prop_assert!(allowed(&replaced));
        prop_assert_eq!(replaced.chars().count(), text.chars().count());
    }

    #[test]
    fn hostile_characters_do_not_break_out_of_a_line(
        texts in prop::collection::vec((hostile(), hostile(), hostile()), 1..20),
    ) {
        let batch: Vec<Element> = texts
            .iter()
            .map(|(name, key, value)| element(name, 1, 0).tagged([(key.as_str(), value.as_str())]))
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (text, fate) = runtime.block_on(wire(|sink| sink.max_line(1 << 20), &batch));
        prop_assert_eq!((fate.delivered, fate.rejected), (texts.len(), 0));
        prop_assert_eq!(text.split('\n').count(), texts.len() + 1);
        for (line, (name, key, value)) in text.lines().zip(&texts) {
            let fields: Vec<&str> = line.split(' ').collect();
            let [put, metric, time, one, tag] = fields[..] else { panic!("{line}") };
            let (tag, its_value) = tag.split_once('=').unwrap();
            prop_assert_eq!((put, time, one), ("put", "1700000000", "1"));
            prop_assert_eq!(&Sanitize::restore(metric), name);
            prop_assert_eq!(&Sanitize::restore(tag), key);
            prop_assert_eq!(&Sanitize::restore(its_value), value);
        }
    }
}
