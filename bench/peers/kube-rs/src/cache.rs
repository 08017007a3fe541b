//! kube-rs doing the work that the benchmark asks for: a reflector's store of partially typed
//! objects (metadata typed, spec and status as JSON values) or of typed ones, managedFields
//! stripped, one subscriber that reads the clock.
use std::error::Error;
use std::fmt::Debug;
use std::hash::Hash;
use std::io::BufRead;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures::TryStreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind, Object, Resource};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Api, Client, Config};
use serde::de::DeserializeOwned;

type Partial = Object<serde_json::Value, serde_json::Value>;
type Failure = Box<dyn Error>;
type Latencies = Arc<Mutex<Vec<i64>>>;

fn monotonic() -> i64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // Safe: the pointer is to a live value of the right type.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

fn take<K: Resource>(object: &K, latencies: &Latencies) {
    let sent = object.meta().annotations.as_ref().and_then(|all| all.get("bench/sent-ns"));
    let sent = sent.and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    if sent != 0 {
        latencies.lock().unwrap().push(monotonic() - sent);
    }
}

fn report(latencies: &Latencies) {
    let mut all = std::mem::take(&mut *latencies.lock().unwrap());
    all.sort_unstable();
    let at = |share: f64| match all.len() {
        0 => 0.0,
        n => all[(share * (n - 1) as f64) as usize] as f64 / 1000.0,
    };
    println!(
        "{{\"events\":{},\"p50_us\":{:.1},\"p99_us\":{:.1},\"max_us\":{:.1}}}",
        all.len(), at(0.5), at(0.99), at(1.0)
    );
}

fn resource(api_version: &str, kind: &str) -> ApiResource {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

async fn watch<K>(api: Api<K>, what: K::DynamicType, began: Instant) -> Result<(), Failure>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    K::DynamicType: Clone + Debug + Eq + Hash + Unpin + Send + Sync,
{
    let writer = reflector::store::Writer::new(what);
    let reader = writer.as_reader();
    let latencies = Latencies::default();
    let of_stream = latencies.clone();
    let stream = watcher(api, watcher::Config::default())
        .default_backoff()
        .modify(|object: &mut K| object.meta_mut().managed_fields = None)
        .reflect(writer)
        .applied_objects();
    tokio::spawn(stream.try_for_each(move |object| {
        take(&object, &of_stream);
        futures::future::ready(Ok(()))
    }));
    reader.wait_until_ready().await?;
    println!("{{\"synced_s\":{:.4}}}", began.elapsed().as_secs_f64());
    tokio::task::spawn_blocking(move || {
        for _ in std::io::stdin().lock().lines() {
            report(&latencies);
        }
    })
    .await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let began = Instant::now();
    let args: Vec<String> = std::env::args().collect();
    let [_, path, api_version, kind, form] = args.as_slice() else {
        return Err("expected KUBECONFIG API-VERSION KIND typed|partial".into());
    };
    let config = Kubeconfig::read_from(path)?;
    let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
    let client = Client::try_from(config)?;
    match (form.as_str(), kind.as_str()) {
        ("typed", "Pod") => watch(Api::<Pod>::all(client), (), began).await,
        ("typed", "Deployment") => watch(Api::<Deployment>::all(client), (), began).await,
        _ => {
            let what = resource(api_version, kind);
            watch(Api::<Partial>::all_with(client, &what), what, began).await
        }
    }
}
