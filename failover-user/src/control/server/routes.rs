//! The routes of [`crate::control::message`].

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    body::{Body, Bytes},
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch},
    time::timeout,
};

use super::{
    Command, Following, Limits, Reply,
    answer::{Answer, Refusal, json},
};
use crate::{
    config::model::Mode,
    control::{
        journal::{Follower, HISTORY, Journal, timestamp},
        message::{
            By, InterfaceStatus, Observe, Problem, Reloaded, SetAdmin, Stats, Status, TargetDetail,
            TargetStatus,
        },
    },
};

/// Where requests are handed over to the daemon.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    commands: mpsc::Sender<Command>,
    journal: Journal,
    limits: Limits,
    stopping: watch::Receiver<bool>,
    followers: Arc<Semaphore>,
}

pub(super) fn router(desk: Desk) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/targets/{name}", get(target))
        .route("/v1/targets/{name}/admin", post(set_admin))
        .route("/v1/targets/{name}/probe", post(probe))
        .route("/v1/stats", get(stats))
        .route("/v1/events", get(events))
        .route("/v1/observe", post(observe))
        .route("/v1/interfaces/{name}", post(attach).delete(detach))
        .route("/v1/reload", post(reload))
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .with_state(desk)
}

impl Desk {
    pub(super) fn new(
        commands: mpsc::Sender<Command>,
        journal: Journal,
        limits: Limits,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let followers = Arc::new(Semaphore::new(limits.followers));
        Self { commands, journal, limits, stopping, followers }
    }

    /// Asks the daemon's task and waits for its answer, but not for ever.
    async fn ask<T>(&self, patience: Duration, command: impl FnOnce(Reply<T>) -> Command) -> Answer<T> {
        let (reply, answer) = oneshot::channel();
        let exchange = async {
            self.commands.send(command(reply)).await.map_err(|_| stopping())?;
            answer.await.map_err(|_| stopping())?.map_err(Refusal::from)
        };
        let late = |_| {
            let problem = Problem::new(1, format!("the daemon did not answer within {patience:?}"))
                .help("it is overloaded or stuck: look at its log");
            Refusal::new(StatusCode::GATEWAY_TIMEOUT, problem)
        };
        timeout(patience, exchange).await.map_err(late)?.map(Json)
    }

    /// A place among those that follow something without end.
    fn follow(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        Arc::clone(&self.followers).try_acquire_owned().map_err(|_| {
            let error = format!("{} commands follow the events already, or observe", self.limits.followers);
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Problem::new(1, error).help("end some of them"))
        })
    }
}

fn stopping() -> Refusal {
    let problem = Problem::new(5, "the daemon is stopping").help("try again once it runs");
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, problem)
}

async fn status(State(desk): State<Desk>) -> Answer<Status> {
    desk.ask(desk.limits.answer, |reply| Command::Status { reply }).await
}

type Name = Result<Path<String>, PathRejection>;

async fn target(State(desk): State<Desk>, name: Name) -> Answer<TargetDetail> {
    let name = named("target", name)?;
    desk.ask(desk.limits.answer, |reply| Command::Target { name, reply }).await
}

async fn set_admin(State(desk): State<Desk>, name: Name, body: Body) -> Answer<TargetStatus> {
    let name = named("target", name)?;
    let set: SetAdmin = json(body, &desk.limits).await?;
    set.check()?;
    desk.ask(desk.limits.answer, |reply| Command::SetAdmin { name, set, reply }).await
}

async fn probe(State(desk): State<Desk>, name: Name) -> Answer<TargetDetail> {
    let name = named("target", name)?;
    desk.ask(desk.limits.probe, |reply| Command::Probe { name, reply }).await
}

#[derive(Deserialize)]
struct StatsBy {
    by: Option<By>,
}

async fn stats(State(desk): State<Desk>, query: Result<Query<StatsBy>, QueryRejection>) -> Answer<Stats> {
    let StatsBy { by } = parsed(query)?;
    desk.ask(desk.limits.answer, |reply| Command::Stats { by, reply }).await
}

#[derive(Deserialize)]
struct AttachAs {
    mode: Option<String>,
}

async fn attach(
    State(desk): State<Desk>,
    name: Name,
    query: Result<Query<AttachAs>, QueryRejection>,
) -> Answer<InterfaceStatus> {
    let name = named("interface", name)?;
    let mode = match parsed(query)?.mode.as_deref() {
        None => None,
        Some("auto") => Some(Mode::Auto),
        Some("native") => Some(Mode::Native),
        Some("generic") => Some(Mode::Generic),
        Some(_) => return Err(Refusal::bad("attach: the mode is one of auto, native, generic")),
    };
    desk.ask(desk.limits.answer, |reply| Command::Attach { name, mode, reply }).await
}

async fn detach(State(desk): State<Desk>, name: Name) -> Answer<InterfaceStatus> {
    let name = named("interface", name)?;
    desk.ask(desk.limits.answer, |reply| Command::Detach { name, reply }).await
}

async fn reload(State(desk): State<Desk>) -> Answer<Reloaded> {
    desk.ask(desk.limits.answer, |reply| Command::Reload { reply }).await
}

async fn no_such_route(uri: Uri) -> Refusal {
    let problem = Problem::new(7, format!("there is no {:?} in this API", uri.path()))
        .help("the command and the daemon may be of different versions");
    Refusal::new(StatusCode::NOT_FOUND, problem)
}

async fn no_such_method(method: Method, uri: Uri) -> Refusal {
    let problem = Problem::new(2, format!("{method} cannot be done to {:?}", uri.path()));
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, problem)
}

#[derive(Deserialize)]
struct Which {
    #[serde(default)]
    follow: bool,
    last: Option<usize>,
    /// RFC 3339.
    since: Option<String>,
}

async fn events(
    State(desk): State<Desk>,
    Extension(following): Extension<Following>,
    query: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Which { follow, last, since } = parsed(query)?;
    let last = last.unwrap_or(HISTORY);
    let since = since.map(|since| since.parse::<Timestamp>()).transpose();
    let mut follower = match since.map_err(|_| Refusal::bad("events: since is a time as of RFC 3339"))? {
        Some(since) => desk.journal.subscribe_since(&timestamp(since), last),
        None => desk.journal.subscribe_last(last),
    };
    let body = if follow {
        let slot = desk.follow()?;
        following.begin();
        Body::from_stream(lines(follower, desk.stopping, slot))
    } else {
        Body::from(follower.history().flat_map(|event| line(&*event)).collect::<Bytes>())
    };
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], body).into_response())
}

async fn observe(
    State(desk): State<Desk>,
    Extension(following): Extension<Following>,
    body: Body,
) -> Result<Response, Refusal> {
    let slot = desk.follow()?;
    let wish: Observe = json(body, &desk.limits).await?;
    let Json(observer) = desk.ask(desk.limits.answer, |reply| Command::Observe { wish, reply }).await?;
    following.begin();
    let state = (observer, desk.stopping, slot);
    let lines = futures_util::stream::unfold(state, |(mut observer, mut stopping, slot)| async move {
        let observation = tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => return None,
            observation = observer.next() => observation?,
        };
        Some((Ok::<_, Infallible>(Bytes::from(line(&observation))), (observer, stopping, slot)))
    });
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], Body::from_stream(lines)).into_response())
}

/// A line per event, until the server stops and everything recorded before has been sent.
fn lines<S>(
    follower: Follower,
    stopping: watch::Receiver<bool>,
    slot: S,
) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> {
    let state = (follower, stopping, slot);
    futures_util::stream::unfold(state, |(mut follower, mut stopping, slot)| async move {
        let event = tokio::select! {
            biased;
            event = follower.next() => event?,
            _ = stopping.wait_for(|stop| *stop) => return None,
        };
        Some((Ok(Bytes::from(line(&*event))), (follower, stopping, slot)))
    })
}

fn line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

/// A name as it may occur in a configuration; anything else is not there, and never reaches the daemon.
fn named(kind: &str, name: Name) -> Result<String, Refusal> {
    let name = name.map(|Path(name)| name).unwrap_or_default();
    let plain = !name.is_empty() && name.len() <= 63 && name.bytes().all(|byte| byte.is_ascii_graphic());
    if plain { Ok(name) } else { Err(Problem::new(7, format!("there is no {kind} of that name")).into()) }
}

fn parsed<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Refusal> {
    query.map(|Query(query)| query).map_err(|error| Refusal::bad(format!("read the request: {error}")))
}
