use jiyao_proto::distribution::v1 as wire;
use jiyao_proto::distribution::v1::public_service_client::PublicServiceClient;
use tonic::transport::Channel;

use crate::connection::RESPONSE_LIMIT;
use crate::{Client, Error, Page};

fn api(channel: Channel) -> PublicServiceClient<Channel> {
    PublicServiceClient::new(channel).max_decoding_message_size(RESPONSE_LIMIT)
}

/// Minutes that are public.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// `organs/{organ}/minutes/{minutes}`.
    pub name: String,
    /// The title.
    pub title: String,
    /// 发文字号.
    pub number: String,
    /// When they were made public, ISO.
    pub published: String,
    /// The office that they are of.
    pub source: String,
    /// 附注.
    pub note: String,
    /// Only the separable part.
    pub is_separable: bool,
}

fn published(of: wire::Published) -> Published {
    Published {
        name: of.name,
        title: of.title,
        number: of.number,
        published: of.published,
        source: of.source,
        note: of.note,
        is_separable: of.separable,
    }
}

impl Client {
    /// A page of public minutes, the newest first.
    ///
    /// # Errors
    /// `PAGE_TOKEN_INVALID`, `FIELD_INVALID`.
    pub async fn list_published(&self, parent: &str, page: Option<&str>) -> Result<Page<Published>, Error> {
        let page_token = page.unwrap_or_default().to_owned();
        let request = wire::ListPublishedRequest { parent: parent.to_owned(), page_size: 0, page_token };
        let once = async |channel, request| api(channel).list_published(request).await;
        let answer = self.distribution.call("list public minutes", request, once).await?.into_inner();
        Ok(Page::of(answer.published, answer.next_page_token, |of| Some(published(of))))
    }

    /// The public text of minutes.
    ///
    /// # Errors
    /// `MINUTES_NOT_FOUND`, also for what is not public.
    pub async fn published(&self, name: &str) -> Result<(Published, String), Error> {
        let request = wire::GetPublishedRequest { name: name.to_owned() };
        let once = async |channel, request| api(channel).get_published(request).await;
        let answer = self.distribution.call("get public minutes", request, once).await?.into_inner();
        let found = answer.published.map(published);
        Ok((found.ok_or_else(|| self.distribution.malformed("get public minutes"))?, answer.text))
    }

    /// A page of public minutes that have all of these characters in a row, each with the words around them.
    ///
    /// # Errors
    /// `FIELD_REQUIRED`, `PAGE_TOKEN_INVALID`.
    pub async fn search_published(
        &self,
        parent: &str,
        query: &str,
        page: Option<&str>,
    ) -> Result<Page<(Published, String)>, Error> {
        let request = wire::SearchPublishedRequest {
            parent: parent.to_owned(),
            query: query.to_owned(),
            page_size: 0,
            page_token: page.unwrap_or_default().to_owned(),
        };
        let once = async |channel, request| api(channel).search_published(request).await;
        let answer = self.distribution.call("search public minutes", request, once).await?.into_inner();
        let hit = |hit: wire::Hit| Some((published(hit.published?), hit.excerpt));
        Ok(Page::of(answer.hits, answer.next_page_token, hit))
    }
}
