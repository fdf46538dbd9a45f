//! The macros in which sections and choices are declared: one declaration gives type, default, reading, difference and
//! documentation.

/// Declares a section of the file.
///
/// Each key is `/// documentation`, flags in brackets, `name: Type = default;`. Flags: `required` (must be given),
/// `restart` (a change needs a restart; otherwise it applies to the running process).
macro_rules! section {
    (
        $(#[doc = $doc:literal])*
        pub struct $section:ident {
            $(
                $(#[doc = $key_doc:literal])*
                [$($flag:ident)*] $key:ident: $type:ty = $default:expr;
            )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $section {
            $(
                $(#[doc = $key_doc])*
                pub $key: $type,
            )*
        }

        impl Default for $section {
            fn default() -> Self {
                Self { $($key: $default,)* }
            }
        }

        impl $crate::value::Value for $section {
            const SECTION: bool = true;

            fn read(at: &$crate::reader::At<'_>, reader: &mut $crate::reader::Reader<'_>) -> Option<Self> {
                let table = reader.table(at)?;
                reader.refuse_unknown(at, table, &[$(stringify!($key)),*]);
                let mut section = Self::default();
                $(
                    if let Some(value) = reader.field(at, table, stringify!($key), section!(@has required $($flag)*)) {
                        section.$key = value;
                    }
                )*
                Some(section)
            }

            fn shape() -> String {
                "table".to_owned()
            }

            fn show(&self) -> String {
                "…".to_owned()
            }

            fn entries(&self, key: &str, _: $crate::Applies, out: &mut $crate::changes::Entries) {
                $(
                    let applies = if section!(@has restart $($flag)*) {
                        $crate::Applies::Restart
                    } else {
                        $crate::Applies::Live
                    };
                    let name = $crate::reader::join(key, stringify!($key));
                    $crate::value::Value::entries(&self.$key, &name, applies, out);
                )*
            }

            fn describe(path: &str, out: &mut $crate::reference::Sections) {
                let default = Self::default();
                let mut keys: Vec<$crate::reference::Key> = Vec::new();
                $(
                    if !<$type as $crate::value::Value>::SECTION {
                        keys.push($crate::reference::Key {
                            name: stringify!($key),
                            shape: <$type as $crate::value::Value>::shape(),
                            options: <$type as $crate::value::Value>::OPTIONS,
                            default: $crate::value::Value::show(&default.$key),
                            required: section!(@has required $($flag)*),
                            restart: section!(@has restart $($flag)*),
                            text: &[$($key_doc),*],
                        });
                    }
                )*
                let _ = &default;
                out.add(path, &[$($doc),*], keys);
                $(
                    <$type as $crate::value::Value>::describe(&$crate::reader::join(path, stringify!($key)), out);
                )*
            }
        }
    };
    (@has $wanted:ident) => { false };
    (@has required required $($rest:ident)*) => { true };
    (@has restart restart $($rest:ident)*) => { true };
    (@has $wanted:ident $other:ident $($rest:ident)*) => { section!(@has $wanted $($rest)*) };
}

/// Declares a key with a few possible words: `/// documentation`, `Variant = "word",`. The first is the default.
macro_rules! choice {
    (
        $(#[doc = $doc:literal])*
        pub enum $choice:ident {
            $(#[doc = $first_doc:literal])* $first:ident = $first_word:literal,
            $($(#[doc = $other_doc:literal])* $other:ident = $other_word:literal,)*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum $choice {
            $(#[doc = $first_doc])* #[default] $first,
            $($(#[doc = $other_doc])* $other,)*
        }

        impl $choice {
            /// All of them, in the order of the reference.
            pub const ALL: &'static [Self] = &[Self::$first, $(Self::$other),*];

            /// The word in the file.
            pub fn as_str(self) -> &'static str {
                match self {
                    Self::$first => $first_word,
                    $(Self::$other => $other_word,)*
                }
            }
        }

        impl std::fmt::Display for $choice {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $choice {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl $crate::value::Value for $choice {
            const OPTIONS: &'static [(&'static str, &'static [&'static str])] =
                &[($first_word, &[$($first_doc),*]), $(($other_word, &[$($other_doc),*])),*];

            fn read(at: &$crate::reader::At<'_>, reader: &mut $crate::reader::Reader<'_>) -> Option<Self> {
                let word = reader.text(at, &Self::shape())?;
                let found = Self::ALL.iter().copied().find(|choice| choice.as_str() == word);
                if found.is_none() {
                    let words: Vec<&str> = Self::ALL.iter().map(|choice| choice.as_str()).collect();
                    reader.refuse_word(at, word, &words);
                }
                found
            }

            fn shape() -> String {
                let words: Vec<String> = Self::ALL.iter().map(|choice| format!("\"{choice}\"")).collect();
                words.join(" | ")
            }

            fn show(&self) -> String {
                format!("\"{self}\"")
            }
        }
    };
}
