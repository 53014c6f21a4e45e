//! From a URL to the bucket that it names.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

/// An account of Google's without a key, for a place that asks for none.
const NOBODY: &str = r#"{"client_email": "", "private_key": "", "private_key_id": "", "disable_oauth": true}"#;

/// Opens the bucket of `gs://bucket/prefix` or `s3://bucket/prefix`. Credentials are found as the providers' own tools
/// find them.
pub(super) fn connect(url: &str, endpoint: Option<&str>) -> anyhow::Result<(Arc<dyn ObjectStore>, Path)> {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = Path::parse(prefix).with_context(|| format!("`{url}` names no place in a bucket"))?;
    let failed = || format!("failed to open the bucket of `{url}`");
    let is_plain = endpoint.is_some_and(|it| it.starts_with("http://"));
    let client = ClientOptions::new()
        .with_connect_timeout(Duration::from_secs(5))
        .with_timeout(Duration::from_secs(20))
        .with_allow_http(is_plain);
    let store: Arc<dyn ObjectStore> = match scheme {
        "gs" => {
            let builder = GoogleCloudStorageBuilder::from_env()
                .with_bucket_name(bucket)
                .with_client_options(client)
                .with_retry(retry());
            let builder = match endpoint {
                // In plain there is nobody who could check who asks.
                Some(endpoint) if is_plain => builder.with_base_url(endpoint).with_service_account_key(NOBODY),
                Some(endpoint) => builder.with_base_url(endpoint),
                None => builder,
            };
            Arc::new(builder.build().with_context(failed)?)
        }
        "s3" => {
            let builder = AmazonS3Builder::from_env()
                .with_bucket_name(bucket)
                .with_client_options(client)
                .with_conditional_put(S3ConditionalPut::ETagMatch)
                .with_retry(retry());
            let builder = match endpoint {
                Some(endpoint) => builder.with_endpoint(endpoint).with_allow_http(is_plain),
                None => builder,
            };
            Arc::new(builder.build().with_context(failed)?)
        }
        _ => bail!("`{url}` is no bucket\nhint: write gs://bucket/prefix or s3://bucket/prefix"),
    };
    Ok((store, prefix))
}

/// Short: what asks, asks again soon.
fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        },
        max_retries: 4,
        retry_timeout: Duration::from_secs(20),
    }
}
