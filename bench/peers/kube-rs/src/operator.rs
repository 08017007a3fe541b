//! The MyApp contract as a kube-rs operator: a Deployment per MyApp, applied when it differs, and a
//! status, written when it differs. Children are read from a reflector's store.
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::controller::{Action, Config as ControllerConfig};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{Controller, WatchStreamExt, watcher};
use kube::{Api, Client, Config, CustomResource, Resource, ResourceExt};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const MANAGER: &str = "kube-rs";

#[derive(CustomResource, Clone, Debug, Deserialize, Serialize)]
#[kube(group = "example.com", version = "v1alpha1", kind = "MyApp", namespaced)]
#[kube(status = "MyAppStatus", schema = "disabled")]
#[serde(rename_all = "camelCase")]
struct MyAppSpec {
    replicas: i32,
    image: String,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
struct MyAppStatus {
    observed_generation: i64,
    phase: String,
    replicas: i32,
    ready_replicas: i32,
    updated_replicas: i32,
    selector: String,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
    reason: String,
    message: String,
    observed_generation: i64,
    last_transition_time: String,
}

struct Context {
    client: Client,
    deployments: Store<Deployment>,
}

fn deployment_for(app: &MyApp) -> Value {
    let name = app.name_any();
    let labels = json!({"app": name});
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "labels": labels,
            "ownerReferences": [app.controller_owner_ref(&())],
        },
        "spec": {
            "replicas": app.spec.replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "app", "image": app.spec.image}]},
            },
        },
    })
}

fn is_as_wished(deployment: &Deployment, app: &MyApp) -> bool {
    let spec = &deployment.spec;
    let containers = spec.template.spec.as_ref().map(|pod| pod.containers.as_slice());
    let image = containers.and_then(|all| all.first()).and_then(|one| one.image.as_deref());
    spec.replicas == Some(app.spec.replicas) && image == Some(app.spec.image.as_str())
}

fn status_for(app: &MyApp, deployment: &Deployment) -> MyAppStatus {
    let seen = deployment.status.clone().unwrap_or_default();
    let ready = seen.ready_replicas.unwrap_or(0);
    let is_ready = ready == app.spec.replicas;
    let status = if is_ready { "True" } else { "False" };
    let generation = app.metadata.generation.unwrap_or(0);
    let before = app.status.as_ref().and_then(|s| s.conditions.first());
    let since = before.filter(|c| c.status == status).map(|c| c.last_transition_time.clone());
    MyAppStatus {
        observed_generation: generation,
        phase: if is_ready { "Ready" } else { "Progressing" }.into(),
        replicas: seen.replicas.unwrap_or(0),
        ready_replicas: ready,
        updated_replicas: seen.updated_replicas.unwrap_or(0),
        selector: format!("app={}", app.name_any()),
        conditions: vec![Condition {
            type_: "Ready".into(),
            status: status.into(),
            reason: if is_ready { "AllReplicasReady" } else { "ReplicasUnavailable" }.into(),
            message: format!("{ready} of {} replicas are ready", app.spec.replicas),
            observed_generation: generation,
            last_transition_time: since.unwrap_or_else(|| format!("{:.0}", Timestamp::now())),
        }],
    }
}

async fn reconcile(app: Arc<MyApp>, context: Arc<Context>) -> Result<Action, kube::Error> {
    let (name, ns) = (app.name_any(), app.namespace().unwrap_or_default());
    let cached = context.deployments.get(&ObjectRef::new(&name).within(&ns));
    let child = match cached.filter(|child| is_as_wished(child, &app)) {
        Some(child) => child,
        None => {
            let api: Api<Deployment> = Api::namespaced(context.client.clone(), &ns);
            let how = PatchParams::apply(MANAGER).force();
            Arc::new(api.patch(&name, &how, &Patch::Apply(deployment_for(&app))).await?)
        }
    };
    let status = status_for(&app, &child);
    if app.status.as_ref() != Some(&status) {
        let api: Api<MyApp> = Api::namespaced(context.client.clone(), &ns);
        let patch = Patch::Merge(json!({"status": status}));
        api.patch_status(&name, &PatchParams::default(), &patch).await?;
    }
    Ok(Action::await_change())
}

fn after_error(_: Arc<MyApp>, failure: &kube::Error, _: Arc<Context>) -> Action {
    eprintln!("reconcile: {failure}");
    Action::requeue(std::time::Duration::from_millis(100))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(path) = std::env::args().nth(1) else {
        return Err("expected KUBECONFIG".into());
    };
    let config = Kubeconfig::read_from(path)?;
    let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
    let client = Client::try_from(config)?;
    let (reader, writer) = reflector::store();
    let deployments = watcher(Api::<Deployment>::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .modify(|child| child.meta_mut().managed_fields = None)
        .reflect(writer)
        .touched_objects();
    let context = Arc::new(Context { client: client.clone(), deployments: reader });
    let ready = context.clone();
    let apps = watcher(Api::<MyApp>::all(client), watcher::Config::default())
        .default_backoff()
        .modify(|app| app.meta_mut().managed_fields = None);
    let (apps_reader, apps_writer) = reflector::store();
    Controller::for_stream(apps.reflect(apps_writer).applied_objects(), apps_reader)
        .owns_stream(deployments)
        .with_config(ControllerConfig::default().concurrency(16))
        .run(
            move |app, context| {
                let ready = ready.clone();
                async move {
                    // The children of before the start are known before anything is decided.
                    let _ = ready.deployments.wait_until_ready().await;
                    reconcile(app, context).await
                }
            },
            after_error,
            context,
        )
        .for_each(|_| futures::future::ready(()))
        .await;
    Ok(())
}
