//! What is configured of places that processes on several machines share, checked.

use super::check::Checker;
use super::google::endpoint;
use super::raw::{RawRedis, RawRegistry};
use super::values::{Redis, RedisUrl, Registry, without_password};

/// Where models are kept, and a build that can use it.
pub(super) fn registry(it: &mut Checker<'_>, raw: &RawRegistry) -> Option<Registry> {
    let url = raw.url.trim_end_matches('/');
    let endpoint = endpoint(it, "registry.endpoint", &raw.endpoint);
    let Some((scheme, rest)) = url.split_once("://") else {
        let folder = Some(url).filter(|it| !it.is_empty());
        return Some(Registry::Folder(folder.map(Into::into)));
    };
    if scheme == "file" {
        return Some(Registry::Folder(Some(rest.into())));
    }
    let bucket = rest.split('/').next().unwrap_or_default();
    let is_name = !bucket.is_empty()
        && bucket
            .chars()
            .all(|it| it.is_ascii_alphanumeric() || "-_.".contains(it));
    if !["gs", "s3"].contains(&scheme) || !is_name {
        return it.hinted(
            "registry.url",
            format!("`registry.url` is {:?}, which names no folder and no bucket", raw.url),
            "write a folder, gs://bucket/prefix or s3://bucket/prefix",
        );
    }
    if !cfg!(feature = "bucket") {
        return it.hinted(
            "registry.url",
            format!(
                "`registry.url` is {:?}, and this build was made without buckets",
                raw.url
            ),
            "use an official build, or build with `--features bucket`",
        );
    }
    Some(Registry::Bucket {
        url: url.to_owned(),
        endpoint: endpoint?,
    })
}

/// What processes share, and a build that can.
pub(super) fn redis(it: &mut Checker<'_>, raw: &RawRedis) -> Option<Redis> {
    let patience = it.span("redis.patience", &raw.patience);
    let host = raw.url.strip_prefix("redis://");
    let is_url = raw.url.is_empty() || host.is_some_and(|it| !it.is_empty() && !it.contains(char::is_whitespace));
    if !is_url {
        return it.hinted(
            "redis.url",
            format!("`redis.url` is {:?}, which names no Redis", without_password(&raw.url)),
            "write it as redis://127.0.0.1:6379, or leave it empty",
        );
    }
    if !raw.url.is_empty() && !cfg!(feature = "redis") {
        return it.hinted(
            "redis.url",
            "`redis.url` is set, and this build was made without Redis".to_owned(),
            "use an official build, or build with `--features redis`",
        );
    }
    if raw.prefix.is_empty() || raw.prefix.contains(char::is_whitespace) {
        return it.hinted(
            "redis.prefix",
            format!("`redis.prefix` is {:?}", raw.prefix),
            "write a word, such as hark",
        );
    }
    Some(Redis {
        url: (!raw.url.is_empty()).then(|| RedisUrl(raw.url.clone())),
        prefix: raw.prefix.clone(),
        patience: patience?,
    })
}
