//! Requests of acts: all alike but for the act.

use jiyao_fault::Result;

/// A request that asks for an act on a resource.
pub trait Asks: prost::Message + Clone {
    /// What is done.
    type Act;

    /// The resource's name, the version that was looked at (0: any), and the request's id.
    fn about(&self) -> (&str, u64, &str);

    /// The same without its id: what recognises a repeat.
    #[must_use]
    fn without_id(&self) -> Self;

    /// The act.
    ///
    /// # Errors
    /// `FIELD_REQUIRED`, `FIELD_INVALID`.
    fn act(&self) -> Result<Self::Act>;
}

/// `asks! { Act; Request => |r| act of r; … }`.
macro_rules! asks {
    ($of:ty; $($request:ident => |$r:ident| $act:expr;)*) => {
        $(impl $crate::Asks for wire::$request {
            type Act = $of;

            fn about(&self) -> (&str, u64, &str) {
                (&self.name, self.etag, &self.request_id)
            }

            fn without_id(&self) -> Self {
                Self { request_id: String::new(), ..self.clone() }
            }

            fn act(&self) -> jiyao_fault::Result<$of> {
                let $r = self.clone();
                Ok($act)
            }
        })*
    };
}

pub(crate) use asks;
