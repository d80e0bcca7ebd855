//! Gateways, redirects, proxies and certificates.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use headwater::timeseries::kairosdb::{KairosDb, Reason};

use super::{ONE, Tested, always, fails, points, query, quick};
use crate::http_front::{Front, Reply};

#[tokio::test]
async fn redirects_are_not_followed() -> Tested {
    let front = always(Reply::status(302, "").with("location", "http://elsewhere.invalid/")).await;
    let error = fails(quick(&front.url())).await?;
    assert_eq!(error.status(), Some(302));
    assert!(
        error.to_string().contains("http://elsewhere.invalid/"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn paths_can_be_those_of_a_gateway() -> Tested {
    let front = Front::new(|_, asked| match asked.path.as_str() {
        "/ds/v1/kairos/api/v1/datapoints/query/" => Reply::ok(ONE),
        "/ds/v1/kairos/api/v1/datapoints/write" => Reply::queued(),
        "/ds/v1/kairos/api/v1/metric/a%2Fb%20%C3%BC%3F" => Reply::queued(),
        path => Reply::errors(404, &[path]),
    })
    .await;
    for end in ["", "/", "/api/v1", "/api/v1/"] {
        let client = quick(&format!("{}/ds/v1/kairos{end}", front.url()))
            .query_path("datapoints/query/")
            .write_path("datapoints/write")
            .build()?;
        client.query(&query()).await?;
        client.write(&points(1)).await?;
        client.delete_metric("a/b ü?").await?;
    }
    Ok(())
}

#[test]
fn what_a_client_cannot_be_made_of_is_said() {
    let at = KairosDb::builder("http://127.0.0.1:1");
    let cases = [
        (
            KairosDb::builder("127.0.0.1:8080"),
            "the URL \"127.0.0.1:8080\" can't be used: it should be one of HTTP, such as http://127.0.0.1:8080",
        ),
        (KairosDb::builder(""), "such as http://127.0.0.1:8080"),
        (
            KairosDb::builder("http://"),
            "such as http://127.0.0.1:8080",
        ),
        (KairosDb::builder("ftp://store"), "one of HTTP"),
        (KairosDb::builder("http://user:geheim@store"), "basic_auth"),
        (KairosDb::builder("http://store/?x=1"), "end with the path"),
        (at.clone().timeout(Duration::ZERO), "`timeout` of zero"),
        (
            at.clone().connect_timeout(Duration::ZERO),
            "`connect_timeout` of zero can't be used: give it a longer time",
        ),
        (at.clone().attempts(0), "`attempts` of zero"),
        (
            at.clone().backoff(Duration::ZERO, Duration::MAX),
            "`backoff` of zero",
        ),
        (at.clone().concurrency(0), "`concurrency` of zero"),
        (
            at.clone().ttl(Duration::ZERO),
            "`ttl` of zero can't be used: it means for ever to the store",
        ),
        (
            at.clone().max_points(0),
            "`max_points` of zero can't be used: let it be 1 at least",
        ),
        (at.clone().header("bad name", "x"), "bad name"),
        (at.clone().header("x", "a\nb"), "header \"x\""),
        (at.clone().proxy("::"), "proxy"),
        (at.clone().authority("no certificate"), "authority"),
        (at.clone().tag("", "x"), "tags of every point"),
        (at.tag("x", ""), "tags of every point"),
    ];
    for (builder, why) in cases {
        let error = builder.build().expect_err(why).to_string();
        assert!(error.contains(why), "{why}: {error}");
        assert!(!error.contains("geheim"), "{error}");
    }
}

#[tokio::test]
async fn requests_go_by_a_proxy_if_there_is_one() -> Tested {
    let proxy = Front::new(|_, asked| match asked.path.as_str() {
        "http://store.invalid/api/v1/datapoints/query" => Reply::ok(ONE),
        path => Reply::errors(404, &[path]),
    })
    .await;
    let url = proxy.url().replace("http://", "http://user:word@");
    let client = quick("http://store.invalid").proxy(url).build()?;
    assert_eq!(client.query(&query()).await?.points().count(), 1);
    let asked = proxy.asked().pop().unwrap();
    assert_eq!(
        asked.header("proxy-authorization"),
        Some("Basic dXNlcjp3b3Jk")
    );
    Ok(())
}

/// Set in the process that has proxies in its environment.
const CHILD: &str = "HEADWATER_TEST_OF_PROXIES";

#[tokio::test]
async fn proxies_of_the_environment_are_taken_only_if_asked_for() -> Tested {
    if std::env::var_os(CHILD).is_some() {
        let client = quick("http://store.invalid")
            .proxy_from_environment()
            .build()?;
        assert_eq!(client.query(&query()).await?.points().count(), 1);
        let error = fails(quick("http://store.invalid")).await?;
        assert!(matches!(error.reason(), Reason::Transport(_)), "{error}");
        return Ok(());
    }
    let proxy = always(Reply::ok(ONE)).await;
    let mut child = Command::new(std::env::current_exe()?);
    child
        .args([
            "--exact",
            "ways::proxies_of_the_environment_are_taken_only_if_asked_for",
        ])
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .env("HTTP_PROXY", proxy.url())
        .env("http_proxy", proxy.url())
        .env(CHILD, "1");
    let output = tokio::task::spawn_blocking(move || child.output()).await??;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
    assert_eq!(proxy.asked().len(), 1);
    Ok(())
}

#[tokio::test]
async fn certificates_are_checked_unless_that_is_switched_off_by_its_name() -> Tested {
    use tokio_rustls::rustls;
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let pem = made.cert.pem();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let front = Front::over(
        |_, _| std::future::ready(Reply::ok(ONE)),
        move |stream| {
            let acceptor = acceptor.clone();
            async move { acceptor.accept(stream).await.ok() }
        },
    )
    .await;
    let url = front.url().replace("http:", "https:");
    let error = fails(quick(&url)).await?;
    assert!(matches!(error.reason(), Reason::Transport(_)), "{error}");
    assert!(
        error.to_string().to_lowercase().contains("certificate"),
        "{error}"
    );
    let trusting = quick(&url).authority(pem).build()?;
    assert_eq!(trusting.query(&query()).await?.points().count(), 1);
    let reckless = quick(&url).danger_accept_invalid_certificates().build()?;
    assert_eq!(reckless.query(&query()).await?.points().count(), 1);
    // Another one's authority is not this one's.
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?
        .cert
        .pem();
    let error = fails(quick(&url).authority(other)).await?;
    assert!(matches!(error.reason(), Reason::Transport(_)), "{error}");
    Ok(())
}
