//! The stable codes.

use std::fmt;

/// Declares the codes.
macro_rules! codes {
    ($($code:ident)*) => {
        /// A stable code of an error or a warning. What it means is in its [`Entry`](super::Entry).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
            utoipa::ToSchema)]
        pub enum Code {
            $(
                #[doc = concat!("`node explain ", stringify!($code), "` tells what it means.")]
                $code,
            )*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$code,)*];

            /// The code as text.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => stringify!($code),)*
                }
            }
        }
    };
}

codes! {
    E0101 E0102 E0103 E0104 E0105 E0106 E0107 E0108 E0109 E0110 E0111 E0112 E0113 E0114 E0115 E0116 E0117 E0118 E0119
    E0120 E0121 E0122 E0123 E0124 E0125 E0126 E0127 E0128 E0129 E0130
    W0105 W0110 W0111 W0112 W0113
    E0201 E0202 E0203 E0204 E0205 E0206 E0207 E0208
    W0201 W0202
    E0301 E0302 E0303 E0304 E0305 E0306 E0307 E0308 E0309 E0310
    E0401 E0402 E0403 E0404 E0405 E0406 E0407 E0408 E0409 E0410 E0411 E0412 E0413 E0414 E0415
    E0501 E0502 E0503 E0504 E0505 E0506 E0507 E0508 E0509 E0510
    E1501 E1502 E1503 E1504 E1505 E1506 E1507 E1508 E1509 E1510 E1511 E1512 E1513 E1514 E1515 E1516
}

impl Code {
    /// The code of this text, in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(text))
    }

    /// Whether it is a warning.
    #[must_use]
    pub fn is_warning(self) -> bool {
        self.as_str().starts_with('W')
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, fs, path::Path};

    /// Everything that looks like a code in the sources, except in the catalogue itself.
    fn mentioned(dir: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("errors/catalogue") {
                mentioned(&path, found);
            } else if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("errors/code.rs") {
                let text = fs::read_to_string(&path).unwrap();
                let uses = text.split("Code::").skip(1).filter_map(|rest| rest.get(..5));
                found.extend(uses.filter(|code| code[1..].bytes().all(|b| b.is_ascii_digit())).map(str::to_owned));
            }
        }
    }

    #[test]
    fn every_code_is_used_somewhere() {
        let mut found = BTreeSet::new();
        mentioned(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        let unused: Vec<_> = Code::ALL.iter().filter(|code| !found.contains(code.as_str())).collect();
        assert!(unused.is_empty(), "in the catalogue, but reported nowhere: {unused:?}");
    }

    #[test]
    fn codes_are_read_in_any_case() {
        assert_eq!(Code::parse("e0103"), Some(Code::E0103));
        assert_eq!(Code::parse("E9999"), None);
    }
}
