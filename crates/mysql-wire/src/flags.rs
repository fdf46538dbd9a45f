//! The operators shared by the two sets of protocol flags, [`Capabilities`](crate::Capabilities) and
//! [`StatusFlags`](crate::StatusFlags).

macro_rules! flag_set {
    ($set:ident) => {
        impl $set {
            /// No flag at all.
            pub const NONE: Self = $set(0);

            /// Whether every flag of `other` is set here.
            #[inline]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Whether at least one flag of `other` is set here.
            #[inline]
            pub const fn intersects(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }

            /// These flags and those of `other`.
            #[inline]
            #[must_use]
            pub const fn with(self, other: Self) -> Self {
                $set(self.0 | other.0)
            }

            /// These flags but none of `other`.
            #[inline]
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                $set(self.0 & !other.0)
            }
        }

        impl std::ops::BitOr for $set {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                self.with(other)
            }
        }

        impl std::ops::BitOrAssign for $set {
            fn bitor_assign(&mut self, other: Self) {
                self.0 |= other.0;
            }
        }

        impl std::ops::BitAnd for $set {
            type Output = Self;
            fn bitand(self, other: Self) -> Self {
                $set(self.0 & other.0)
            }
        }
    };
}

pub(crate) use flag_set;
