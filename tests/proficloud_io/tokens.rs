//! Tokens that expire, are revoked, and cannot be had.

use std::time::Duration;

use futures::future::join_all;
use headwater::timeseries::kairosdb::Reason;
use headwater::timeseries::proficloud::{ProficloudIo, Step};

use super::{Tested, builder, cloud, fails, query, the_point};
use crate::http_front::Reply;
use crate::proficloud_front::{PASSWORD, Shared, USER, later, settled};

fn log(cloud: &Shared) -> Vec<&'static str> {
    std::mem::take(&mut cloud.lock().unwrap().log)
}

async fn finds_the_point(client: &ProficloudIo) -> Tested {
    let answer = client.query(&query()).await?;
    assert_eq!(answer.points().collect::<Vec<_>>(), [the_point()]);
    Ok(())
}

#[tokio::test]
async fn a_wrong_password_is_said_and_changes_nothing() -> Tested {
    let (cloud, _front, client) = cloud().await?;
    for (user, password) in [(USER, "wrong"), ("nobody", PASSWORD), ("", "")] {
        let error = client.authenticate(user, password).await.unwrap_err();
        assert_eq!((error.step(), error.status()), (Step::LogIn, Some(401)));
        assert_eq!(
            error.messages(),
            ["invalid_grant: Invalid user credentials"]
        );
        assert!(!error.can_retry());
        assert_eq!(
            error.to_string(),
            "logging in: POST /auth/realms/kaa/protocol/openid-connect/token: status 401: invalid_grant: \
             Invalid user credentials"
        );
    }
    assert_eq!(log(&cloud), ["password"; 3], "each was tried once");
    finds_the_point(&client).await?;
    client.authenticate(USER, "wrong").await.unwrap_err();
    finds_the_point(&client).await?;
    assert_eq!(log(&cloud), ["password", "data", "password", "data"]);
    Ok(())
}

#[tokio::test]
async fn who_waits_for_a_login_that_fails_does_not_try_it_again() -> Tested {
    let (cloud, front, _) = cloud().await?;
    let client = builder(&front).user(USER, "wrong").build()?;
    cloud.lock().unwrap().takes = Duration::from_millis(50);
    let errors = join_all((0..20).map(|_| fails(&client))).await;
    assert!(errors.iter().all(|error| error.status() == Some(401)));
    assert_eq!(
        log(&cloud),
        ["password"],
        "an account may be locked after a few"
    );
    // Who comes later does try.
    fails(&client).await;
    assert_eq!(log(&cloud), ["password"]);
    Ok(())
}

#[tokio::test]
async fn a_token_is_refreshed_a_little_before_it_expires() -> Tested {
    let (cloud, front, client) = cloud().await?;
    finds_the_point(&client).await?;
    later(Duration::from_secs(265)).await;
    finds_the_point(&client).await?;
    assert_eq!(log(&cloud), ["password", "data", "data"]);
    later(Duration::from_secs(10)).await;
    // It will do until there is another one: nobody waits for that.
    cloud.lock().unwrap().takes = Duration::from_secs(600);
    let query = query();
    let all = || join_all((0..20).map(|_| client.query(&query)));
    all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let with = |token: &str| {
        let bearer = format!("Bearer {token}");
        let asked = front.asked();
        let all = asked.iter();
        all.filter(|asked| asked.header("authorization") == Some(&bearer))
            .count()
    };
    let to_tokens = || {
        front
            .asked()
            .iter()
            .filter(|asked| asked.method == "POST")
            .count()
    };
    assert_eq!(
        (with("access-1"), to_tokens()),
        (2 + 40, 2),
        "one asks for all"
    );
    Ok(())
}

#[tokio::test]
async fn a_token_that_was_refreshed_early_is_the_next_one() -> Tested {
    let (cloud, front, client) = cloud().await?;
    finds_the_point(&client).await?;
    later(Duration::from_secs(275)).await;
    finds_the_point(&client).await?;
    let last = || {
        front
            .asked()
            .pop()
            .and_then(|asked| asked.header("authorization").map(str::to_owned))
    };
    while last().as_deref() != Some("Bearer access-2") {
        finds_the_point(&client).await?;
    }
    let refreshes = log(&cloud).into_iter().filter(|what| *what == "refresh");
    assert_eq!(refreshes.count(), 1);

    // By choice, only when it has expired; and by a tenth of its life, where that is short.
    cloud.lock().unwrap().life = 100.0;
    let builder = builder(&front).user(USER, PASSWORD);
    let lazy = builder.clone().refresh_early(Duration::ZERO).build()?;
    let default = builder.build()?;
    finds_the_point(&lazy).await?;
    finds_the_point(&default).await?;
    log(&cloud);
    later(Duration::from_secs(89)).await;
    finds_the_point(&default).await?;
    assert_eq!(log(&cloud), ["data"]);
    later(Duration::from_secs(2)).await;
    finds_the_point(&lazy).await?;
    assert_eq!(log(&cloud), ["data"]);
    finds_the_point(&default).await?;
    settled(&cloud, 2).await;
    let mut kinds = log(&cloud);
    kinds.sort_unstable();
    assert_eq!(kinds, ["data", "refresh"]);
    Ok(())
}

#[tokio::test]
async fn many_queries_make_one_request_for_a_token() -> Tested {
    let (cloud, _front, client) = cloud().await?;
    cloud.lock().unwrap().takes = Duration::from_millis(20);
    let query = query();
    let all = || join_all((0..40).map(|_| client.query(&query)));
    let count = |cloud: &Shared, kind| log(cloud).iter().filter(|what| **what == kind).count();
    // At first; when it has expired; when it is refused before that.
    all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(count(&cloud, "password"), 1);
    later(Duration::from_secs(400)).await;
    all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(count(&cloud, "refresh"), 1);
    cloud.lock().unwrap().access.clear();
    all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(count(&cloud, "refresh"), 1);
    Ok(())
}

#[tokio::test]
async fn a_query_that_is_given_up_leaves_the_way_to_a_token_free() -> Tested {
    let (cloud, _front, client) = cloud().await?;
    cloud.lock().unwrap().takes = Duration::from_secs(600);
    let query = query();
    let given_up = tokio::time::timeout(Duration::from_millis(20), client.query(&query)).await;
    assert!(given_up.is_err());
    cloud.lock().unwrap().takes = Duration::ZERO;
    finds_the_point(&client).await?;
    // So it does with a refresh token that was used up by a query that was given up.
    cloud.lock().unwrap().refresh.clear();
    later(Duration::from_secs(400)).await;
    log(&cloud);
    finds_the_point(&client).await?;
    assert_eq!(log(&cloud), ["refresh", "password", "data"]);
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_given_while_another_one_is_asked_for_is_the_one() -> Tested {
    let (cloud, _front, client) = cloud().await?;
    cloud.lock().unwrap().access.insert("given".to_owned());
    cloud.lock().unwrap().takes = Duration::from_millis(50);
    let query = query();
    let (outcome, ()) = futures::join!(client.query(&query), async { client.set_token("given") });
    outcome?;
    finds_the_point(&client).await?;
    cloud.lock().unwrap().access.remove("given");
    assert_eq!(fails(&client).await.status(), Some(401));
    Ok(())
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() -> Tested {
    let (cloud, _front, client) = cloud().await?;
    finds_the_point(&client).await?;
    cloud.lock().unwrap().access.clear();
    log(&cloud);
    finds_the_point(&client).await?;
    assert_eq!(log(&cloud), ["refused", "refresh", "data"]);
    // The service refuses whatever it has given.
    cloud.lock().unwrap().answers = Some(Reply::status(401, r#"{"message":"no such endpoint"}"#));
    let error = fails(&client).await;
    assert_eq!((error.step(), error.status()), (Step::Query, Some(401)));
    assert_eq!(error.messages(), ["no such endpoint"]);
    assert!(
        error
            .asked()
            .starts_with("GET /epts/data?timeSeriesName=m&")
    );
    assert!(!error.can_retry());
    assert_eq!(log(&cloud), ["data", "refresh", "data"]);
    // Not being allowed to is no matter of tokens.
    cloud.lock().unwrap().answers = Some(Reply::status(403, ""));
    assert_eq!(fails(&client).await.status(), Some(403));
    assert_eq!(log(&cloud), ["data"]);
    Ok(())
}

#[tokio::test]
async fn without_a_good_refresh_token_the_password_is_shown_again() -> Tested {
    let (cloud, _front, client) = cloud().await?;
    cloud.lock().unwrap().refresh_life = Some(1000.0);
    finds_the_point(&client).await?;
    // It is refused.
    cloud.lock().unwrap().refresh.clear();
    later(Duration::from_secs(500)).await;
    log(&cloud);
    finds_the_point(&client).await?;
    assert_eq!(log(&cloud), ["refresh", "password", "data"]);
    // It has expired, as it said it would.
    later(Duration::from_secs(1100)).await;
    finds_the_point(&client).await?;
    assert_eq!(log(&cloud), ["password", "data"]);
    // Zero is one that does not.
    cloud.lock().unwrap().refresh_life = Some(0.0);
    later(Duration::from_secs(1100)).await;
    finds_the_point(&client).await?;
    later(Duration::from_secs(100_000)).await;
    log(&cloud);
    finds_the_point(&client).await?;
    assert_eq!(log(&cloud), ["refresh", "data"]);
    Ok(())
}

#[tokio::test]
async fn while_tokens_cannot_be_had_the_old_one_will_do_until_it_expires() -> Tested {
    let (cloud, front, client) = cloud().await?;
    finds_the_point(&client).await?;
    later(Duration::from_secs(280)).await;
    cloud.lock().unwrap().broken = Some(Reply::status(503, "<html>down</html>"));
    log(&cloud);
    finds_the_point(&client).await?;
    settled(&cloud, 4).await;
    let mut kinds = log(&cloud);
    kinds.sort_unstable();
    assert_eq!(kinds, ["data", "refresh", "refresh", "refresh"]);
    // Not each query tries it.
    finds_the_point(&client).await?;
    assert_eq!(log(&cloud), ["data"]);
    later(Duration::from_secs(6)).await;
    finds_the_point(&client).await?;
    settled(&cloud, 4).await;
    assert_eq!(log(&cloud).len(), 4);

    later(Duration::from_secs(20)).await;
    let error = fails(&client).await;
    assert_eq!(
        (error.step(), error.status(), error.attempts()),
        (Step::Refresh, Some(503), 3)
    );
    assert!(error.can_retry());
    assert_eq!(log(&cloud), ["refresh"; 3]);
    for (reply, expected) in [
        (Reply::Close, None),
        (
            Reply::errors(429, &["slowly"]).with("retry-after", "3600"),
            Some(429),
        ),
    ] {
        cloud.lock().unwrap().broken = Some(reply);
        let error = fails(&client).await;
        assert_eq!((error.step(), error.status()), (Step::Refresh, expected));
        assert!(error.can_retry(), "{error}");
    }
    assert_eq!(
        fails(&client).await.retry_after(),
        Some(Duration::from_secs(3600))
    );

    // The refresh token is still good when it can be had again.
    cloud.lock().unwrap().broken = None;
    log(&cloud);
    finds_the_point(&client).await?;
    assert_eq!(log(&cloud), ["refresh", "data"]);
    assert_eq!(
        front.asked().last().unwrap().header("authorization"),
        Some("Bearer access-2")
    );
    Ok(())
}

#[tokio::test]
async fn a_token_may_come_from_elsewhere_or_by_the_simple_way() -> Tested {
    let (cloud, front, _) = cloud().await?;
    let client = builder(&front).build()?;
    let error = fails(&client).await;
    assert!(matches!(error.reason(), Reason::NotLoggedIn), "{error}");
    assert!(front.asked().is_empty());
    cloud.lock().unwrap().access.insert("elsewhere".to_owned());
    client.clone().set_token("elsewhere");
    finds_the_point(&client).await?;
    cloud.lock().unwrap().access.clear();
    let error = fails(&client).await;
    assert_eq!((error.step(), error.status()), (Step::Query, Some(401)));
    assert_eq!(
        log(&cloud),
        ["data", "refused"],
        "there is no way to another one"
    );
    client.set_token("with a\nline end");
    let error = fails(&client).await;
    assert_eq!((error.step(), error.attempts()), (Step::Query, 0));
    assert!(!error.to_string().contains("line end"), "{error}");

    let simple = builder(&front).influx().user(USER, PASSWORD).build()?;
    finds_the_point(&simple).await?;
    later(Duration::from_secs(400)).await;
    finds_the_point(&simple).await?;
    assert_eq!(log(&cloud), ["simple", "data", "simple", "data"]);
    let error = simple.authenticate(USER, "wrong").await.unwrap_err();
    assert_eq!((error.step(), error.status()), (Step::LogIn, Some(401)));
    assert_eq!(error.asked(), "POST /epts/token");
    Ok(())
}

#[tokio::test]
async fn a_token_that_does_not_say_how_long_it_is_good_is_used_until_it_is_refused() -> Tested {
    let (cloud, _front, client) = cloud().await?;
    let body = r#"{"access_token": "for-ever", "expires_in": "soon"}"#;
    cloud.lock().unwrap().broken = Some(Reply::ok(body));
    cloud.lock().unwrap().access.insert("for-ever".to_owned());
    finds_the_point(&client).await?;
    later(Duration::from_secs(1_000_000)).await;
    finds_the_point(&client).await?;
    cloud.lock().unwrap().broken = None;
    cloud.lock().unwrap().access.clear();
    finds_the_point(&client).await?;
    assert_eq!(
        log(&cloud),
        ["password", "data", "data", "refused", "password", "data"]
    );
    Ok(())
}
