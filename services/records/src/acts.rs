//! Acts as gRPC methods: they are all alike.

/// Implements a service: first its methods that are acts, answered by `$self.$act(caller, path, request)` with the
/// resource `$field` as it is now; then the others, in braces.
macro_rules! service {
    (
        $service:ident for $api:ty, $package:literal, $act:ident -> $field:ident;
        $($method:ident: $request:ident => $response:ident, $name:literal;)*
        { $($other:item)* }
    ) => {
        #[tonic::async_trait]
        impl $service for $api {
            $(async fn $method(
                &self,
                request: tonic::Request<jiyao_proto::records::v1::$request>,
            ) -> Result<tonic::Response<jiyao_proto::records::v1::$response>, tonic::Status> {
                jiyao_serve::answer(request, async |caller, request: jiyao_proto::records::v1::$request| {
                    let path = concat!("/jiyao.records.v1.", $package, "/", $name);
                    let (made, position) = self.$act(caller, path, request).await?;
                    Ok(jiyao_proto::records::v1::$response { $field: Some(made), position: Some(position) })
                })
                .await
            })*
            $($other)*
        }
    };
}

pub(crate) use service;
