//! The language that messages are shown in.

/// A language of the catalogue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Chinese, simplified.
    Zh,
}

impl Lang {
    /// The language that a setting such as `zh`, `zh-CN` or `zh_CN.UTF-8` asks for; English if it is none of ours.
    #[must_use]
    pub fn of(setting: &str) -> Self {
        if setting.to_ascii_lowercase().starts_with("zh") { Self::Zh } else { Self::En }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_name_counts_as_its_language() {
        assert_eq!(Lang::of("zh_CN.UTF-8"), Lang::Zh);
        assert_eq!(Lang::of("ZH"), Lang::Zh);
        assert_eq!(Lang::of("de"), Lang::En);
    }
}
