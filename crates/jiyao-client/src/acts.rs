/// Each act and the call that it is, answered by the field of the response; then, in braces, acts that are no calls.
/// `api(channel)` makes the client of the service.
macro_rules! calls {
    (
        $self:ident.$peer:ident, $what:ident, $act:ident, $name:ident, $etag:ident, $id:ident, $field:ident;
        $($pattern:pat => $method:ident, $request:ident { $($at:ident $(: $value:expr)?),* };)*
        $({ $($other:tt)* })?
    ) => {
        match $act {
            $($pattern => {
                let request = wire::$request {
                    name: $name,
                    etag: $etag,
                    request_id: $id,
                    $($at $(: $value)?),*
                };
                let once = async |channel, request| api(channel).$method(request).await;
                $self.$peer.call($what, request, once).await?.into_inner().$field
            })*
            $($($other)*)?
        }
    };
}

pub(crate) use calls;
