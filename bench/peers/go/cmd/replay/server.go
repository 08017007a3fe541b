package main

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	firstVersion  = 1_000_000
	bookmarkEvery = time.Minute
	writeBuffer   = 64 << 10
)

// A collection is what objects are made of, and how many there are.
type collection struct {
	template *template
	objects  int
}

// A resource is what one collection path serves.
type resource struct {
	collection
	kind     string
	mutex    sync.Mutex
	version  uint64         // of the newest change
	versions map[int]uint64 // of objects that changed
	jobs     chan job       // taken by whichever watch is free
}

// A job is a phase of events.
type job struct {
	rate, count int
	done        chan struct{}
}

type server struct {
	served    map[string]collection // by plural; "*" is any other
	mutex     sync.Mutex
	resources map[string]*resource
}

// resourceOf knows a collection by its last word: "pods" serves Pods.
func (s *server) resourceOf(path string) *resource {
	words := strings.Split(strings.Trim(path, "/"), "/")
	plural := words[len(words)-1]
	inAPI := words[0] == "api" || words[0] == "apis"
	if !inAPI || len(words) < 3 || !strings.HasSuffix(plural, "s") {
		return nil
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	made, known := s.served[plural]
	if !known {
		made, known = s.served["*"]
	}
	if !known {
		return nil
	}
	if s.resources[plural] == nil {
		kind := strings.ToUpper(plural[:1]) + strings.TrimSuffix(plural[1:], "s")
		s.resources[plural] = &resource{
			collection: made,
			kind:       kind,
			version:    firstVersion,
			versions:   map[int]uint64{},
			jobs:       make(chan job),
		}
	}
	return s.resources[plural]
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	about := s.resourceOf(r.URL.Path)
	if about == nil || r.Method != http.MethodGet {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound",`,
			`"message":"expected a collection, found `, r.URL.Path, `","code":404}`)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if watch := r.URL.Query().Get("watch"); watch == "true" || watch == "1" {
		s.serveWatch(w, r, about)
		return
	}
	s.serveList(w, r, about)
}

// now is object `number` as it is.
func (r *resource) now(number int) instance {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	version, changed := r.versions[number]
	if !changed {
		version = firstVersion - uint64(number) - 1
	}
	return instance{kind: r.kind, number: number, resourceVersion: version}
}

func (r *resource) current() uint64 {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.version
}

// serveList pages as the API server does: not at all when resourceVersion=0 lets it answer from its
// watch cache.
func (s *server) serveList(w http.ResponseWriter, r *http.Request, about *resource) {
	query := r.URL.Query()
	from, limit := number(query.Get("continue"), 0), number(query.Get("limit"), 0)
	until := about.objects
	if limit > 0 && query.Get("resourceVersion") != "0" && from+limit < until {
		until = from + limit
	}
	next := ""
	if until < about.objects {
		next = fmt.Sprintf(`"continue":"%d","remainingItemCount":%d,`, until, about.objects-until)
	}
	out := bufio.NewWriterSize(w, writeBuffer)
	fmt.Fprintf(out, `{"kind":"%sList","apiVersion":"%s","metadata":{%s"resourceVersion":"%d"},`,
		about.kind, about.template.apiVersion, next, about.current())
	out.WriteString(`"items":[`)
	var line []byte
	for i := from; i < until; i++ {
		line = line[:0]
		if i > from {
			line = append(line, ',')
		}
		line = about.template.render(line, about.now(i))
		if _, err := out.Write(line); err != nil {
			return
		}
	}
	out.WriteString("]}\n")
	out.Flush()
}

// serveControl answers when all events are sent: POST /bench/events?resource=pods&rate=2000&count=9
func (s *server) serveControl(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	about := s.resourceOf("/api/v1/" + query.Get("resource"))
	if about == nil {
		http.Error(w, "expected a resource that is served", http.StatusNotFound)
		return
	}
	wanted := job{
		rate: number(query.Get("rate"), 1), count: number(query.Get("count"), 1),
		done: make(chan struct{}),
	}
	select {
	case about.jobs <- wanted:
		<-wanted.done
	case <-time.After(10 * time.Second):
		http.Error(w, "expected somebody to watch "+query.Get("resource")+", found nobody",
			http.StatusConflict)
	}
}
