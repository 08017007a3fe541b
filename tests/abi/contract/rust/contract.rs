//! The contract plugin in Rust; what it does is told in ../contract.c.
#![deny(unsafe_op_in_unsafe_fn)]
mod abi;

use abi::*;
use std::ffi::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};

struct Instance {
    host: *const Host,
    log: *const HostLog,
    config: Vec<u8>,
}

/// Why a plan came to nothing.
struct Failure {
    status: i32,
    reason: &'static str,
    message: String,
}

impl Failure {
    fn new(status: i32, reason: &'static str, message: &str) -> Failure {
        Failure {
            status,
            reason,
            message: message.to_string(),
        }
    }
}

type Done = Result<(), Failure>;

/// Runs `work` so that no panic leaves the plugin.
fn guarded(work: impl FnOnce() -> Done) -> Done {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|thrown| {
        let text = thrown
            .downcast_ref::<&str>()
            .map(|s| s.to_string())
            .or_else(|| thrown.downcast_ref::<String>().cloned());
        let message = text.unwrap_or_else(|| "a panic without words".to_string());
        Err(Failure::new(TERMINAL, "PluginThrew", &message))
    })
}

fn taken(status: i32) -> Done {
    if status == OK {
        return Ok(());
    }
    Err(Failure::new(
        TERMINAL,
        "PlanRefused",
        "the host refused a call",
    ))
}

fn digest(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(14695981039346656037u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(1099511628211)
    });
    format!("{}-{:016x}", bytes.len(), hash)
}

fn text(view: View) -> &'static str {
    // The callers let go of it before the plan returns.
    std::str::from_utf8(unsafe { view.bytes() }).expect("the host lends UTF-8")
}

fn shown(object: &ObjectView) -> String {
    let encoding = if object.encoding == JSON {
        "json"
    } else {
        "other"
    };
    let bytes = unsafe { object.bytes.bytes() };
    format!(
        "\"{} {} {}\"",
        text(object.resource),
        encoding,
        digest(bytes)
    )
}

fn shown_all(first: *const ObjectView, count: u64, stride: u32) -> String {
    let at = |i: u64| unsafe {
        &*first
            .cast::<u8>()
            .add((i * u64::from(stride)) as usize)
            .cast::<ObjectView>()
    };
    (0..count)
        .map(|i| shown(at(i)))
        .collect::<Vec<_>>()
        .join(",")
}

fn shown_failure(last: Option<&FailureView>) -> String {
    last.map_or_else(String::new, |last| {
        let whole = format!(
            "{}\n{}\n{}",
            text(last.step),
            text(last.reason),
            text(last.message)
        );
        digest(whole.as_bytes())
    })
}

fn echo(me: &Instance, view: &PlanView, out: &PlanOut) -> Done {
    let seen = format!(
        "{{\"controller\":\"{}\",\"key\":\"{}/{}\",\"now\":{},\"deleting\":{},\"primary\":{},\
         \"owned\":[{}],\"watched\":[{}],\"lastFailure\":\"{}\",\"config\":\"{}\",\"observed\":{}}}",
        text(view.controller),
        text(view.object_namespace),
        text(view.object_name),
        view.now_unix_ms,
        view.deleting,
        shown(unsafe { &*view.primary }),
        shown_all(view.owned, view.owned_count, view.object_stride),
        shown_all(view.watched, view.watched_count, view.object_stride),
        shown_failure(unsafe { view.last_failure.as_ref() }),
        digest(&me.config),
        view.observation.size
    );
    taken(unsafe { (out.status)(out.ctx, JSON, View::lend(seen.as_bytes())) })
}

fn child(kind: &str, name: &str) -> String {
    format!("{{\"apiVersion\":\"v1\",\"kind\":\"{kind}\",\"metadata\":{{\"name\":\"{name}\"}}}}")
}

fn apply(out: &PlanOut, group: u32, kind: &str, name: &str) -> i32 {
    unsafe {
        (out.apply)(
            out.ctx,
            group,
            JSON,
            View::lend(child(kind, name).as_bytes()),
        )
    }
}

fn target(
    resource: &'static str,
    name: &'static str,
    uid: &'static str,
    at: &'static str,
) -> TargetView {
    TargetView {
        struct_size: size_of::<TargetView>(),
        reserved: 0,
        resource: View::of(resource.as_bytes()),
        name: View::of(name.as_bytes()),
        uid: View::of(uid.as_bytes()),
        resource_version: View::of(at.as_bytes()),
    }
}

fn steps(out: &PlanOut) -> Done {
    let once = child("Secret", "once");
    let pod = target("pods", "p", "u", "7");
    let old = target("secrets", "old", "", "");
    unsafe {
        taken((out.create_once)(
            out.ctx,
            JSON,
            View::lend(once.as_bytes()),
        ))?;
        taken(apply(out, 0, "ConfigMap", "a"))?;
        taken(apply(out, 7, "ConfigMap", "b"))?;
        taken((out.patch_existing)(
            out.ctx,
            &pod,
            PATCH_MERGE,
            JSON,
            View::of(b"{\"a\":1}"),
        ))?;
        taken((out.remove)(out.ctx, &old, 5, PROPAGATE_FOREGROUND))?;
        taken((out.swap_status)(
            out.ctx,
            View::of(b"12"),
            JSON,
            View::of(b"{\"epoch\":3}"),
        ))
    }
}

fn effects(out: &PlanOut) -> Done {
    let none = View {
        data: std::ptr::null(),
        size: 0,
    };
    unsafe {
        taken((out.effect)(
            out.ctx,
            View::of(b"paint-1"),
            JSON,
            View::of(b"{\"color\":\"red\"}"),
        ))?;
        taken(apply(out, 0, "ConfigMap", "a"))?;
        taken((out.effect)(out.ctx, View::of(b"dry"), JSON, none))
    }
}

fn condition(out: &PlanOut, kind: &'static str, status: i32) -> Done {
    let view = ConditionView {
        struct_size: size_of::<ConditionView>(),
        status,
        kind: View::of(kind.as_bytes()),
        reason: View::of(b"AsAsked"),
        message: View::of("grüß".as_bytes()),
    };
    taken(unsafe { (out.condition)(out.ctx, &view) })
}

fn say(out: &PlanOut) -> Done {
    condition(out, "Ready", CONDITION_TRUE)?;
    condition(out, "Warm", CONDITION_UNKNOWN)?;
    unsafe {
        taken((out.event)(
            out.ctx,
            EVENT_NORMAL,
            View::of(b"Went"),
            View::of(b"as it should"),
        ))?;
        taken((out.event)(
            out.ctx,
            EVENT_WARNING,
            View::of(b"Smoked"),
            View::of(b"a little"),
        ))?;
        taken((out.requeue_after)(out.ctx, 3000))
    }
}

// Of a kind that plugin.yaml does not list.
fn refused(out: &PlanOut) -> Done {
    if apply(out, 0, "Node", "n") == INVALID {
        return Ok(());
    }
    Err(Failure::new(
        ERROR,
        "NotRefused",
        "expected the host to refuse it",
    ))
}

fn log_record(me: &Instance) -> Done {
    let pair = Pair {
        key: View::of(b"color"),
        value: View::of(b"blue"),
    };
    unsafe {
        let log = me.log.as_ref().expect("required, so it is there");
        let ctx = (*me.host).ctx;
        if (log.enabled)(ctx, LOG_WARN) != 0 {
            (log.write)(ctx, LOG_WARN, View::of(b"the contract speaks"), &pair, 1);
        }
    }
    Ok(())
}

unsafe extern "C" fn plan(me: *mut c_void, view: *const PlanView, out: *const PlanOut) -> i32 {
    let (me, view, out) = unsafe { (&*me.cast::<Instance>(), &*view, &*out) };
    let done = guarded(|| match text(view.object_name).split('.').next() {
        Some("echo") => echo(me, view, out),
        Some("observe") => taken(unsafe { (out.status)(out.ctx, JSON, view.observation) }),
        Some("steps") => steps(out),
        Some("effects") => effects(out),
        Some("say") => say(out),
        Some("finish") => taken(unsafe { (out.finished)(out.ctx) }),
        Some("retry") => Err(Failure::new(ERROR, "Later", "not yet")),
        Some("terminal") => Err(Failure::new(TERMINAL, "Never", "cannot be")),
        Some("throw") => panic!("as asked"),
        Some("refused") => refused(out),
        Some("log") => log_record(me),
        _ => Ok(()),
    });
    match done {
        Ok(()) => OK,
        Err(why) => {
            let reason = View::of(why.reason.as_bytes());
            unsafe { (out.fail)(out.ctx, reason, View::lend(why.message.as_bytes())) };
            why.status
        }
    }
}

fn look(view: &PlanView, time_left_ms: i64, out: &ObserveOut) -> Done {
    match text(view.object_name).split('.').next() {
        Some("observe-fails") => {
            let why = "expected an answer, found none";
            Err(Failure::new(ERROR, "ServerAway", why))
        }
        Some("observe" | "effects") if time_left_ms > 0 => {
            let primary = unsafe { (*view.primary).bytes.bytes() };
            let seen = format!("{{\"seen\":\"{}\"}}", digest(primary));
            taken(unsafe { (out.answer)(out.ctx, JSON, View::lend(seen.as_bytes())) })
        }
        _ => Ok(()),
    }
}

unsafe extern "C" fn observe(
    _me: *mut c_void,
    view: *const PlanView,
    time_left_ms: i64,
    out: *const ObserveOut,
) -> i32 {
    let (view, out) = unsafe { (&*view, &*out) };
    match guarded(|| look(view, time_left_ms, out)) {
        Ok(()) => OK,
        Err(why) => {
            let reason = View::of(why.reason.as_bytes());
            unsafe { (out.fail)(out.ctx, reason, View::lend(why.message.as_bytes())) };
            why.status
        }
    }
}

/// Tells through the failure all that it was lent.
fn tell(view: &EffectView, time_left_ms: i64) -> Done {
    let lent = |bytes: View| String::from_utf8_lossy(unsafe { bytes.bytes() }).into_owned();
    let seen = format!(
        "{} {}/{} {} {} {} {} {}",
        text(view.controller),
        text(view.object_namespace),
        text(view.object_name),
        shown(unsafe { &*view.primary }),
        lent(view.payload),
        lent(view.observation),
        view.lease_valid_until_ns,
        if time_left_ms > 0 { "in time" } else { "late" }
    );
    Err(Failure::new(ERROR, "Told", &seen))
}

unsafe extern "C" fn effect(
    me: *mut c_void,
    view: *const EffectView,
    time_left_ms: i64,
    out: *const EffectOut,
) -> i32 {
    let (me, view, out) = unsafe { (&*me.cast::<Instance>(), &*view, &*out) };
    let done = guarded(|| match text(view.name) {
        "tell" => tell(view, time_left_ms),
        "log" => log_record(me),
        "terminal" => Err(Failure::new(TERMINAL, "Never", "cannot be")),
        "throw" => panic!("as asked"),
        _ => Ok(()),
    });
    match done {
        Ok(()) => OK,
        Err(why) => {
            let reason = View::of(why.reason.as_bytes());
            unsafe { (out.fail)(out.ctx, reason, View::lend(why.message.as_bytes())) };
            why.status
        }
    }
}

/// Tells the host why a life-cycle call failed.
unsafe fn told(done: Done, out: *const ErrorOut) -> i32 {
    match done {
        Ok(()) => OK,
        Err(why) => {
            unsafe { ((*out).set)((*out).ctx, View::lend(why.message.as_bytes())) };
            why.status
        }
    }
}

fn has(config: &[u8], word: &str) -> bool {
    config.windows(word.len()).any(|at| at == word.as_bytes())
}

unsafe extern "C" fn create(
    host: *const Host,
    view: *const CreateView,
    error_out: *const ErrorOut,
    out_instance: *mut *mut c_void,
) -> i32 {
    let done = guarded(|| unsafe {
        let config = (*view).config.bytes().to_vec();
        if has(&config, "\"refuse\"") {
            let why = "expected another configuration, found refuse";
            return Err(Failure::new(TERMINAL, "Refused", why));
        }
        let log = ((*host).extension)((*host).ctx, LOG_ID).cast::<HostLog>();
        let made = Box::new(Instance { host, log, config });
        *out_instance = Box::into_raw(made).cast();
        Ok(())
    });
    unsafe { told(done, error_out) }
}

unsafe extern "C" fn start(me: *mut c_void, error_out: *const ErrorOut) -> i32 {
    let me = unsafe { &*me.cast::<Instance>() };
    let done = guarded(|| {
        if !has(&me.config, "\"refuseStart\"") {
            return Ok(());
        }
        Err(Failure::new(
            ERROR,
            "NotNow",
            "expected to start, found refuseStart",
        ))
    });
    unsafe { told(done, error_out) }
}

unsafe extern "C" fn nothing(_me: *mut c_void) {}

unsafe extern "C" fn destroy(me: *mut c_void) {
    drop(unsafe { Box::from_raw(me.cast::<Instance>()) });
}

const LOG_ID: View = View::of(b"oarlock.log/1");

struct Required([View; 1]);
unsafe impl Sync for Required {}
static REQUIRED: Required = Required([LOG_ID]);

static DESCRIPTION: Plugin = Plugin {
    struct_size: size_of::<Plugin>(),
    abi_major: ABI_MAJOR,
    abi_minor: ABI_MINOR,
    reserved: 0,
    name: View::of(b"zoo"),
    version: View::of(b"1.0.0"),
    required_extensions: REQUIRED.0.as_ptr(),
    required_extension_count: 1,
    create,
    start,
    plan,
    drain: nothing,
    stop: nothing,
    destroy,
    observe,
    effect,
};

#[no_mangle]
pub extern "C" fn oarlock_plugin_entry_v0() -> *const Plugin {
    &DESCRIPTION
}
