package main

import (
	"fmt"
	"net/http"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

const clockMonotonic = 1

// monotonic is the clock that subjects read too.
func monotonic() int64 {
	var now syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&now)), 0)
	return now.Nano()
}

// A stream writes the lines of one watch.
type stream struct {
	about *resource
	out   http.ResponseWriter
	line  []byte
}

func (s *server) serveWatch(w http.ResponseWriter, r *http.Request, about *resource) {
	query := r.URL.Query()
	to := &stream{about: about, out: w}
	version := about.current()
	wanted, _ := strconv.ParseUint(query.Get("resourceVersion"), 10, 64)
	initial := query.Get("sendInitialEvents") == "true"
	switch {
	case initial:
		if to.sendAll() != nil || to.bookmark(version, true) != nil {
			return
		}
	case wanted != version:
		fmt.Fprint(w, `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","code":410,`,
			`"status":"Failure","reason":"Expired","message":"too old resource version"}}`, "\n")
		return
	default:
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
	}
	end := time.After(time.Duration(number(query.Get("timeoutSeconds"), 1800)) * time.Second)
	bookmarks := time.NewTicker(bookmarkEvery)
	defer bookmarks.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-end:
			return
		case <-bookmarks.C:
			if to.bookmark(about.current(), false) != nil {
				return
			}
		case phase := <-about.jobs:
			err := to.send(phase)
			close(phase.done)
			if err != nil {
				return
			}
		}
	}
}

// event writes one line; `flush` sends it off.
func (t *stream) event(type_ string, i instance, flush bool) error {
	t.line = append(t.line[:0], `{"type":"`...)
	t.line = append(t.line, type_...)
	t.line = append(t.line, `","object":`...)
	t.line = t.about.template.render(t.line, i)
	t.line = append(t.line, "}\n"...)
	_, err := t.out.Write(t.line)
	if flush {
		t.out.(http.Flusher).Flush()
	}
	return err
}

func (t *stream) sendAll() error {
	for i := range t.about.objects {
		if err := t.event("ADDED", t.about.now(i), false); err != nil {
			return err
		}
	}
	return nil
}

func (t *stream) bookmark(version uint64, initial bool) error {
	annotations := ""
	if initial {
		annotations = `,"annotations":{"k8s.io/initial-events-end":"true"}`
	}
	_, err := fmt.Fprintf(t.out, `{"type":"BOOKMARK","object":{"kind":"%s","apiVersion":"%s",`+
		`"metadata":{"resourceVersion":"%d","creationTimestamp":null%s}}}`+"\n", t.about.kind,
		t.about.template.apiVersion, version, annotations)
	t.out.(http.Flusher).Flush()
	return err
}

// send does a phase: MODIFIED events at an even rate, each with the time it was written.
func (t *stream) send(phase job) error {
	gap := int64(time.Second) / int64(phase.rate)
	due := monotonic()
	for n := range phase.count {
		if wait := due - monotonic(); wait > 0 {
			pause := syscall.NsecToTimespec(wait) // the runtime's own timers are too coarse
			syscall.Nanosleep(&pause, nil)
		}
		due += gap
		number := int(scramble(uint64(n)) % uint64(t.about.objects))
		t.about.mutex.Lock()
		t.about.version++
		t.about.versions[number] = t.about.version
		t.about.mutex.Unlock()
		changed := t.about.now(number)
		changed.sent = monotonic()
		if err := t.event("MODIFIED", changed, true); err != nil {
			return err
		}
	}
	return nil
}
