// The contract plugin in Go, for the child home: two Go runtimes cannot live in one process. What
// it does is told in ../contract.c.
package main

/*
#include "shim.h"
*/
import "C"

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"runtime"
	"runtime/cgo"
	"strings"
	"unsafe"
)

type instance struct {
	host   *C.oarlock_host
	log    *C.oarlock_host_log
	config []byte
}

// failure is why a call came to nothing.
type failure struct {
	status          C.oarlock_status
	reason, message string
}

func (f *failure) Error() string { return f.message }

// lender keeps what is lent to the host in place until the call is over.
type lender struct{ pins runtime.Pinner }

func (l *lender) str(text string) C.oarlock_str_view {
	view := C.oarlock_str_view{size: C.uint64_t(len(text))}
	if len(text) > 0 {
		data := unsafe.StringData(text)
		l.pins.Pin(data)
		view.data = (*C.char)(unsafe.Pointer(data))
	}
	return view
}

func (l *lender) bytes(text string) C.oarlock_bytes_view {
	view := l.str(text)
	return C.oarlock_bytes_view{data: (*C.uint8_t)(unsafe.Pointer(view.data)), size: view.size}
}

func text(view C.oarlock_str_view) string {
	return string(unsafe.Slice((*byte)(unsafe.Pointer(view.data)), int(view.size)))
}

func digest(data []byte) string {
	hash := fnv.New64a()
	hash.Write(data)
	return fmt.Sprintf("%d-%016x", len(data), hash.Sum64())
}

func shown(object *C.oarlock_object_view) string {
	encoding := "other"
	if object.encoding == C.OARLOCK_ENCODING_JSON {
		encoding = "json"
	}
	data := unsafe.Slice((*byte)(unsafe.Pointer(object.bytes.data)), int(object.bytes.size))
	return fmt.Sprintf("%q", text(object.resource)+" "+encoding+" "+digest(data))
}

func shownAll(first *C.oarlock_object_view, count C.uint64_t, stride C.uint32_t) string {
	var all []string
	for i := C.uint64_t(0); i < count; i++ {
		at := unsafe.Add(unsafe.Pointer(first), int(i)*int(stride))
		all = append(all, shown((*C.oarlock_object_view)(at)))
	}
	return "[" + strings.Join(all, ",") + "]"
}

func shownFailure(last *C.oarlock_failure_view) string {
	if last == nil {
		return ""
	}
	return digest([]byte(text(last.step) + "\n" + text(last.reason) + "\n" + text(last.message)))
}

// plan is one call of the slot.
type plan struct {
	lender
	me   *instance
	view *C.oarlock_plan_view
	out  *C.oarlock_plan_out
}

func taken(statuses ...C.oarlock_status) error {
	for _, status := range statuses {
		if status != C.OARLOCK_OK {
			return &failure{C.OARLOCK_TERMINAL, "PlanRefused", "the host refused a call"}
		}
	}
	return nil
}

func (p *plan) echo() error {
	v := p.view
	seen := fmt.Sprintf(`{"controller":%q,"key":%q,"now":%d,"deleting":%d,"primary":%s,`+
		`"owned":%s,"watched":%s,"lastFailure":%q,"config":%q,"observed":%d}`,
		text(v.controller), text(v.object_namespace)+"/"+text(v.object_name), v.now_unix_ms,
		v.deleting, shown(v.primary), shownAll(v.owned, v.owned_count, v.object_stride),
		shownAll(v.watched, v.watched_count, v.object_stride), shownFailure(v.last_failure),
		digest(p.me.config), v.observation.size)
	return taken(C.out_status(p.out, p.bytes(seen)))
}

func child(kind, name string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":%q,"metadata":{"name":%q}}`, kind, name)
}

func (p *plan) steps() error {
	pod := C.target(p.str("pods"), p.str("p"), p.str("u"), p.str("7"))
	old := C.target(p.str("secrets"), p.str("old"), p.str(""), p.str(""))
	return taken(
		C.out_create_once(p.out, p.bytes(child("Secret", "once"))),
		C.out_apply(p.out, 0, p.bytes(child("ConfigMap", "a"))),
		C.out_apply(p.out, 7, p.bytes(child("ConfigMap", "b"))),
		C.out_patch(p.out, pod, C.OARLOCK_PATCH_MERGE, p.bytes(`{"a":1}`)),
		C.out_remove(p.out, old, 5, C.OARLOCK_PROPAGATE_FOREGROUND),
		C.out_swap_status(p.out, p.str("12"), p.bytes(`{"epoch":3}`)))
}

func (p *plan) effects() error {
	return taken(
		C.out_effect(p.out, p.str("paint-1"), p.bytes(`{"color":"red"}`)),
		C.out_apply(p.out, 0, p.bytes(child("ConfigMap", "a"))),
		C.out_effect(p.out, p.str("dry"), p.bytes("")))
}

func (p *plan) condition(kind string, status C.oarlock_condition_status) C.oarlock_status {
	return C.out_condition(p.out, p.str(kind), status, p.str("AsAsked"), p.str("grüß"))
}

func (p *plan) say() error {
	return taken(
		p.condition("Ready", C.OARLOCK_CONDITION_TRUE),
		p.condition("Warm", C.OARLOCK_CONDITION_UNKNOWN),
		C.out_event(p.out, C.OARLOCK_EVENT_NORMAL, p.str("Went"), p.str("as it should")),
		C.out_event(p.out, C.OARLOCK_EVENT_WARNING, p.str("Smoked"), p.str("a little")),
		C.out_requeue_after(p.out, 3000))
}

// refused applies a kind that plugin.yaml does not list.
func (p *plan) refused() error {
	if C.out_apply(p.out, 0, p.bytes(child("Node", "n"))) == C.OARLOCK_INVALID {
		return nil
	}
	return &failure{C.OARLOCK_ERROR, "NotRefused", "expected the host to refuse it"}
}

func (l *lender) logRecord(me *instance) error {
	C.log_pair(me.host, me.log, C.OARLOCK_LOG_WARN, l.str("the contract speaks"),
		l.str("color"), l.str("blue"))
	return nil
}

func (p *plan) run() error {
	asked, _, _ := strings.Cut(text(p.view.object_name), ".")
	switch asked {
	case "echo":
		return p.echo()
	case "observe":
		return taken(C.out_status(p.out, p.view.observation))
	case "steps":
		return p.steps()
	case "effects":
		return p.effects()
	case "say":
		return p.say()
	case "finish":
		return taken(C.out_finished(p.out))
	case "retry":
		return &failure{C.OARLOCK_ERROR, "Later", "not yet"}
	case "terminal":
		return &failure{C.OARLOCK_TERMINAL, "Never", "cannot be"}
	case "throw":
		panic("as asked")
	case "refused":
		return p.refused()
	case "log":
		return p.logRecord(p.me)
	}
	return nil
}

// guarded runs work so that no panic leaves the plugin.
func guarded(work func() error) (why *failure) {
	defer func() {
		if thrown := recover(); thrown != nil {
			why = &failure{C.OARLOCK_TERMINAL, "PluginThrew", fmt.Sprint(thrown)}
		}
	}()
	if err := work(); err != nil && !errors.As(err, &why) {
		why = &failure{C.OARLOCK_ERROR, "Failed", err.Error()}
	}
	return why
}

func of(self *C.oarlock_instance) *instance {
	return cgo.Handle(uintptr(unsafe.Pointer(self))).Value().(*instance)
}

//export goPlan
func goPlan(self *C.oarlock_instance, view *C.oarlock_plan_view,
	out *C.oarlock_plan_out) C.oarlock_status {
	p := plan{me: of(self), view: view, out: out}
	defer p.pins.Unpin()
	why := guarded(p.run)
	if why == nil {
		return C.OARLOCK_OK
	}
	C.out_fail(out, p.str(why.reason), p.str(why.message))
	return why.status
}

//export goObserve
func goObserve(self *C.oarlock_instance, view *C.oarlock_plan_view, timeLeftMs C.int64_t,
	out *C.oarlock_observe_out) C.oarlock_status {
	var l lender
	defer l.pins.Unpin()
	asked, _, _ := strings.Cut(text(view.object_name), ".")
	if asked == "observe-fails" {
		C.observe_fail(out, l.str("ServerAway"), l.str("expected an answer, found none"))
		return C.OARLOCK_ERROR
	}
	if (asked != "observe" && asked != "effects") || timeLeftMs <= 0 {
		return C.OARLOCK_OK
	}
	lent := view.primary.bytes
	seen := digest(unsafe.Slice((*byte)(unsafe.Pointer(lent.data)), int(lent.size)))
	return C.observe_answer(out, l.bytes(fmt.Sprintf(`{"seen":%q}`, seen)))
}

func lent(view C.oarlock_bytes_view) string {
	return string(unsafe.Slice((*byte)(unsafe.Pointer(view.data)), int(view.size)))
}

// act does what the effect's name says; "tell" tells through the failure all that it was lent.
func act(l *lender, me *instance, v *C.oarlock_effect_view, timeLeftMs C.int64_t) error {
	switch text(v.name) {
	case "tell":
		when := "late"
		if timeLeftMs > 0 {
			when = "in time"
		}
		seen := fmt.Sprintf("%s %s/%s %s %s %s %d %s", text(v.controller), text(v.object_namespace),
			text(v.object_name), shown(v.primary), lent(v.payload), lent(v.observation),
			v.lease_valid_until_ns, when)
		return &failure{C.OARLOCK_ERROR, "Told", seen}
	case "log":
		return l.logRecord(me)
	case "terminal":
		return &failure{C.OARLOCK_TERMINAL, "Never", "cannot be"}
	case "throw":
		panic("as asked")
	}
	return nil
}

//export goEffect
func goEffect(self *C.oarlock_instance, view *C.oarlock_effect_view, timeLeftMs C.int64_t,
	out *C.oarlock_effect_out) C.oarlock_status {
	var l lender
	defer l.pins.Unpin()
	why := guarded(func() error { return act(&l, of(self), view, timeLeftMs) })
	if why == nil {
		return C.OARLOCK_OK
	}
	C.effect_fail(out, l.str(why.reason), l.str(why.message))
	return why.status
}

// told says why a life-cycle call failed.
func told(why *failure, errorOut *C.oarlock_error_out) C.oarlock_status {
	if why == nil {
		return C.OARLOCK_OK
	}
	var l lender
	defer l.pins.Unpin()
	C.set_error(errorOut, l.str(why.message))
	return why.status
}

//export goCreate
func goCreate(host *C.oarlock_host, view *C.oarlock_create_view, errorOut *C.oarlock_error_out,
	outInstance **C.oarlock_instance) C.oarlock_status {
	return told(guarded(func() error {
		config := C.GoBytes(unsafe.Pointer(view.config.data), C.int(view.config.size))
		if bytes.Contains(config, []byte(`"refuse"`)) {
			why := "expected another configuration, found refuse"
			return &failure{C.OARLOCK_TERMINAL, "Refused", why}
		}
		made := &instance{host, C.host_log(host), config}
		*(*uintptr)(unsafe.Pointer(outInstance)) = uintptr(cgo.NewHandle(made))
		return nil
	}), errorOut)
}

//export goStart
func goStart(self *C.oarlock_instance, errorOut *C.oarlock_error_out) C.oarlock_status {
	return told(guarded(func() error {
		if bytes.Contains(of(self).config, []byte(`"refuseStart"`)) {
			return &failure{C.OARLOCK_ERROR, "NotNow", "expected to start, found refuseStart"}
		}
		return nil
	}), errorOut)
}

//export goDestroy
func goDestroy(self *C.oarlock_instance) {
	cgo.Handle(uintptr(unsafe.Pointer(self))).Delete()
}

func main() {}
