//! Requests of acts: all alike but for the act.

use jiyao_fault::Result;
use jiyao_proto::Repeatable;

/// A request that asks for an act on a resource.
pub trait Asks: Repeatable {
    /// What is done.
    type Act;

    /// The resource's name, and the version that was looked at (0: any).
    fn about(&self) -> (&str, u64);

    /// The act.
    ///
    /// # Errors
    /// `FIELD_REQUIRED`, `FIELD_INVALID`.
    fn act(self) -> Result<Self::Act>;
}

/// `asks! { Act; Request => |r| act of r; … }`.
macro_rules! asks {
    ($of:ty; $($request:ident => |$r:ident| $act:expr;)*) => {
        $(impl $crate::Asks for wire::$request {
            type Act = $of;

            fn about(&self) -> (&str, u64) {
                (&self.name, self.etag)
            }

            fn act(self) -> jiyao_fault::Result<$of> {
                let $r = self;
                Ok($act)
            }
        })*
    };
}

pub(crate) use asks;
