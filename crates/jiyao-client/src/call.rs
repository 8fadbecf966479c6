//! Any method, by the message that asks for it.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use jiyao_phrases::Lang;
use jiyao_proto::calls::{Call, Home, Homed};

use crate::connection::Connection;
use crate::{Client, Error, Service};

impl From<Home> for Service {
    fn from(home: Home) -> Self {
        match home {
            Home::Records => Self::Records,
            Home::Attendance => Self::Attendance,
            Home::Distribution => Self::Distribution,
        }
    }
}

/// A call that is made when it is awaited. Its answer is the message as the service sent it.
#[derive(Clone, Debug)]
#[must_use = "a call is made when it is awaited"]
pub struct Calling<Q> {
    connection: Connection,
    request: Q,
}

impl Client {
    /// A call of the method whose request this is, of the service that has it. Fields that a request does not need are left
    /// out by `..Default::default()`; what a field means stands with it.
    pub fn call<Q: Call + Homed>(&self, request: Q) -> Calling<Q> {
        self.call_at(Q::HOME.into(), request)
    }

    /// The same of a service that is named: each has a journal and is operated.
    pub fn call_at<Q: Call>(&self, service: Service, request: Q) -> Calling<Q> {
        Calling { connection: self.of_service(service).clone(), request }
    }
}

impl<Q: Call> Calling<Q> {
    /// The id by which a repeat of this call is known, a UUID. Without one, the repeats of this call alone are. It is for
    /// nothing where a method has no `request_id`.
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        if let Some(place) = self.request.request_id() {
            *place = id.into();
        }
        self
    }

    /// The longest time that the call may take, its repeats included, in place of the client's.
    pub fn within(mut self, timeout: Duration) -> Self {
        self.connection = self.connection.with(|settings| settings.timeout = timeout);
        self
    }

    /// The language that people are answered in, in place of the client's.
    pub fn lang(mut self, lang: Lang) -> Self {
        self.connection = self.connection.with(|settings| settings.lang = lang);
        self
    }
}

impl<Q: Call> IntoFuture for Calling<Q> {
    type Output = Result<Q::Answer, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.connection.call(self.request).await })
    }
}
