/// Implements a service of gRPC. `api` must be the module of its messages.
///
/// - `acts` are methods that do something with a resource, all alike: `self.$act(caller, request)` answers the
///   resource as it is now and where that stands in the journal.
/// - `calls` are other unary methods: `self.$method(caller, request)`, an inherent method of the same name.
/// - `others` holds the items of all further methods.
#[macro_export]
macro_rules! service {
    (
        $service:ident for $api:ty;
        $(acts $act:ident -> $field:ident { $($method:ident: $request:ident => $response:ident;)* })*
        calls { $($call:ident: $asked:ident => $answered:ident;)* }
        $(others { $($item:item)* })?
    ) => {
        #[tonic::async_trait]
        impl $service for $api {
            $($(async fn $method(
                &self,
                request: tonic::Request<api::$request>,
            ) -> Result<tonic::Response<api::$response>, tonic::Status> {
                $crate::answer(request, async |caller, request: api::$request| {
                    let (made, position) = self.$act(caller, request).await?;
                    Ok(api::$response { $field: Some(made), position: Some(position) })
                })
                .await
            })*)*
            $(async fn $call(
                &self,
                request: tonic::Request<api::$asked>,
            ) -> Result<tonic::Response<api::$answered>, tonic::Status> {
                $crate::answer(request, |caller, request| self.$call(caller, request)).await
            })*
            $($($item)*)?
        }
    };
}

/// A gRPC server with the limits of all: messages of at most [`REQUEST_LIMIT`](crate::REQUEST_LIMIT) in and
/// [`RESPONSE_LIMIT`](crate::RESPONSE_LIMIT) out.
#[macro_export]
macro_rules! limited {
    ($server:expr) => {
        $server
            .max_decoding_message_size($crate::REQUEST_LIMIT)
            .max_encoding_message_size($crate::RESPONSE_LIMIT)
    };
}
