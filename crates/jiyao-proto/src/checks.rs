//! The contract of checks: each request says by generated code which of its fields must be there and what they must look
//! like; the forms themselves stand elsewhere.

pub use crate::generated_checks::Resource;

/// A request, or a message in one.
pub trait Checked {
    /// Has all fields looked at.
    fn check(&self, checks: &mut dyn Checks);
}

/// The looking. A field that is not there is looked at only where it must be.
pub trait Checks {
    /// Notes that a field is not there which must be.
    fn missing(&mut self, field: &'static str);

    /// Looks at the name of a thing.
    fn name(&mut self, field: &'static str, value: &str, of: Resource);

    /// Looks at whose things are meant: `organs/{organ}`, or `organs/-`.
    fn scope(&mut self, field: &'static str, value: &str);

    /// Looks at a day.
    fn date(&mut self, field: &'static str, value: &str);

    /// Looks at a SHA-256 in hexadecimal digits.
    fn sha256(&mut self, field: &'static str, value: &str);

    /// Looks at a UUID.
    fn uuid(&mut self, field: &'static str, value: &str);

    /// Looks at how many bytes a text has.
    fn longest(&mut self, field: &'static str, value: &str, most: usize);

    /// Looks at how many bytes there are.
    fn bytes(&mut self, field: &'static str, value: &[u8], wanted: usize);

    /// Looks at an instant.
    fn instant(&mut self, field: &'static str, value: &prost_types::Timestamp);

    /// Looks at the size of a page.
    fn size(&mut self, field: &'static str, value: i32);

    /// Looks at a value of an enum, at its place where the field has many.
    fn known(&mut self, field: &'static str, at: Option<usize>, is_known: bool, value: i32);

    /// Looks at a message, at its place where the field has many.
    fn within(&mut self, field: &'static str, at: Option<usize>, message: &dyn Checked);
}
