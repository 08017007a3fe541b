//! The part of the C ABI that the contract plugin speaks, as Rust sees it. `layout` in the tests of
//! the C headers is the authority; the asserts at the end say that these are the same sizes.
use std::ffi::c_void;
use std::marker::{PhantomData, PhantomPinned};

pub const ABI_MAJOR: u32 = 0;
pub const ABI_MINOR: u32 = 7;

pub const JSON: i32 = 1;

pub const OK: i32 = 0;
pub const ERROR: i32 = 1;
pub const TERMINAL: i32 = 2;
pub const INVALID: i32 = 3;

pub const LOG_WARN: i32 = 2;

pub const CONDITION_TRUE: i32 = 1;
pub const CONDITION_UNKNOWN: i32 = 2;
pub const EVENT_NORMAL: i32 = 0;
pub const EVENT_WARNING: i32 = 1;
pub const PATCH_MERGE: i32 = 1;
pub const PROPAGATE_FOREGROUND: i32 = 1;

/// Bytes that are lent for one call: oarlock_str_view and oarlock_bytes_view.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct View {
    pub data: *const u8,
    pub size: u64,
}

impl View {
    pub const fn of(bytes: &'static [u8]) -> View {
        View {
            data: bytes.as_ptr(),
            size: bytes.len() as u64,
        }
    }
    pub fn lend(bytes: &[u8]) -> View {
        View {
            data: bytes.as_ptr(),
            size: bytes.len() as u64,
        }
    }
    /// # Safety
    /// The bytes must be lent for as long as `'a`.
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        if self.size == 0 {
            return &[];
        }
        unsafe { std::slice::from_raw_parts(self.data, self.size as usize) }
    }
}

#[repr(C)]
pub struct Opaque {
    _nothing: [u8; 0],
    _not_ours: PhantomData<(*mut u8, PhantomPinned)>,
}

#[repr(C)]
pub struct Host {
    pub struct_size: u32,
    pub abi_major: u32,
    pub abi_minor: u32,
    pub reserved: u32,
    pub ctx: *mut Opaque,
    pub version: View,
    pub extension: unsafe extern "C" fn(*mut Opaque, View) -> *const c_void,
}

#[repr(C)]
pub struct ErrorOut {
    pub struct_size: u32,
    pub reserved: u32,
    pub ctx: *mut Opaque,
    pub set: unsafe extern "C" fn(*mut Opaque, View),
}

#[repr(C)]
pub struct Pair {
    pub key: View,
    pub value: View,
}

#[repr(C)]
pub struct HostLog {
    pub struct_size: u32,
    pub reserved: u32,
    pub enabled: unsafe extern "C" fn(*mut Opaque, i32) -> i32,
    pub write: unsafe extern "C" fn(*mut Opaque, i32, View, *const Pair, u64),
}

#[repr(C)]
pub struct ObjectView {
    pub struct_size: u32,
    pub encoding: i32,
    pub resource: View,
    pub bytes: View,
}

#[repr(C)]
pub struct FailureView {
    pub struct_size: u32,
    pub reserved: u32,
    pub step: View,
    pub reason: View,
    pub message: View,
}

#[repr(C)]
pub struct PlanView {
    pub struct_size: u32,
    pub object_stride: u32,
    pub controller: View,
    pub object_namespace: View,
    pub object_name: View,
    pub primary: *const ObjectView,
    pub owned: *const ObjectView,
    pub owned_count: u64,
    pub watched: *const ObjectView,
    pub watched_count: u64,
    pub now_unix_ms: i64,
    pub last_failure: *const FailureView,
    pub deleting: i32,
    pub observation_encoding: i32,
    pub observation: View,
}

#[repr(C)]
pub struct ObserveOut {
    pub struct_size: u32,
    pub reserved: u32,
    pub ctx: *mut Opaque,
    pub answer: unsafe extern "C" fn(*mut Opaque, i32, View) -> i32,
    pub fail: unsafe extern "C" fn(*mut Opaque, View, View) -> i32,
}

#[repr(C)]
pub struct EffectView {
    pub struct_size: u32,
    pub payload_encoding: i32,
    pub controller: View,
    pub object_namespace: View,
    pub object_name: View,
    pub primary: *const ObjectView,
    pub name: View,
    pub payload: View,
    pub observation: View,
    pub observation_encoding: i32,
    pub reserved: u32,
    pub lease_valid_until_ns: i64,
}

#[repr(C)]
pub struct EffectOut {
    pub struct_size: u32,
    pub reserved: u32,
    pub ctx: *mut Opaque,
    pub fail: unsafe extern "C" fn(*mut Opaque, View, View) -> i32,
}

#[repr(C)]
pub struct ConditionView {
    pub struct_size: u32,
    pub status: i32,
    pub kind: View,
    pub reason: View,
    pub message: View,
}

#[repr(C)]
pub struct TargetView {
    pub struct_size: u32,
    pub reserved: u32,
    pub resource: View,
    pub name: View,
    pub uid: View,
    pub resource_version: View,
}

#[repr(C)]
pub struct PlanOut {
    pub struct_size: u32,
    pub reserved: u32,
    pub ctx: *mut Opaque,
    pub apply: unsafe extern "C" fn(*mut Opaque, u32, i32, View) -> i32,
    pub status: unsafe extern "C" fn(*mut Opaque, i32, View) -> i32,
    pub condition: unsafe extern "C" fn(*mut Opaque, *const ConditionView) -> i32,
    pub event: unsafe extern "C" fn(*mut Opaque, i32, View, View) -> i32,
    pub requeue_after: unsafe extern "C" fn(*mut Opaque, i64) -> i32,
    pub fail: unsafe extern "C" fn(*mut Opaque, View, View) -> i32,
    pub finished: unsafe extern "C" fn(*mut Opaque) -> i32,
    pub create_once: unsafe extern "C" fn(*mut Opaque, i32, View) -> i32,
    pub patch_existing: unsafe extern "C" fn(*mut Opaque, *const TargetView, i32, i32, View) -> i32,
    pub remove: unsafe extern "C" fn(*mut Opaque, *const TargetView, i64, i32) -> i32,
    pub swap_status: unsafe extern "C" fn(*mut Opaque, View, i32, View) -> i32,
    pub effect: unsafe extern "C" fn(*mut Opaque, View, i32, View) -> i32,
}

#[repr(C)]
pub struct CreateView {
    pub struct_size: u32,
    pub config_encoding: i32,
    pub config: View,
}

pub type CreateFn =
    unsafe extern "C" fn(*const Host, *const CreateView, *const ErrorOut, *mut *mut c_void) -> i32;

#[repr(C)]
pub struct Plugin {
    pub struct_size: u32,
    pub abi_major: u32,
    pub abi_minor: u32,
    pub reserved: u32,
    pub name: View,
    pub version: View,
    pub required_extensions: *const View,
    pub required_extension_count: u64,
    pub create: CreateFn,
    pub start: unsafe extern "C" fn(*mut c_void, *const ErrorOut) -> i32,
    pub plan: unsafe extern "C" fn(*mut c_void, *const PlanView, *const PlanOut) -> i32,
    pub drain: unsafe extern "C" fn(*mut c_void),
    pub stop: unsafe extern "C" fn(*mut c_void),
    pub destroy: unsafe extern "C" fn(*mut c_void),
    pub observe: unsafe extern "C" fn(*mut c_void, *const PlanView, i64, *const ObserveOut) -> i32,
    pub effect: unsafe extern "C" fn(*mut c_void, *const EffectView, i64, *const EffectOut) -> i32,
}

// Constant, and everything in it lives for ever.
unsafe impl Sync for Plugin {}

pub const fn size_of<T>() -> u32 {
    std::mem::size_of::<T>() as u32
}

const _: () = assert!(size_of::<Host>() == 48);
const _: () = assert!(size_of::<HostLog>() == 24);
const _: () = assert!(size_of::<PlanView>() == 136);
const _: () = assert!(size_of::<PlanOut>() == 112);
const _: () = assert!(size_of::<EffectView>() == 128);
const _: () = assert!(size_of::<Plugin>() == 128);
