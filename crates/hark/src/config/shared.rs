//! What is configured of places that processes on several machines share, checked.

use super::check::Checker;
use super::google::endpoint;
use super::raw::RawRegistry;
use super::values::Registry;

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
