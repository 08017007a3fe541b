// Command replay is a stub of an API server that costs little: it serves one resource per path, all
// its objects made from one recorded template, over TLS. List (paged), WatchList, watch, bookmarks;
// any other request is 404. Events come when POST /bench/events asks for them on the control
// address.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const kubeconfigText = `apiVersion: v1
kind: Config
current-context: replay
contexts: [{name: replay, context: {cluster: replay, user: replay}}]
users: [{name: replay, user: {token: replay}}]
clusters: [{name: replay, cluster: {server: "https://%s", certificate-authority-data: %s}}]
`

func main() {
	log.SetFlags(0)
	log.SetPrefix("replay: ")
	dir := flag.String("dir", "", "folder for kubeconfig and control (the control address)")
	s := &server{served: map[string]collection{}, resources: map[string]*resource{}}
	flag.Func("serve", "PLURAL=FILE:OBJECTS, FILE a recorded object with @PLACES@; PLURAL * is "+
		"any other", s.serve)
	flag.Parse()
	certificate, caBase64, err := newCertificate()
	if err != nil {
		log.Fatal(err)
	}
	api, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	control, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		mux := http.NewServeMux()
		mux.HandleFunc("POST /bench/events", s.serveControl)
		log.Fatal(http.Serve(control, mux))
	}()
	write(filepath.Join(*dir, "control"), control.Addr().String())
	write(filepath.Join(*dir, "kubeconfig"),
		fmt.Sprintf(kubeconfigText, api.Addr().String(), caBase64))
	web := &http.Server{Handler: s, TLSConfig: certificate, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(web.ServeTLS(api, "", ""))
}

// serve takes one --serve.
func (s *server) serve(text string) error {
	plural, rest, hasFile := strings.Cut(text, "=")
	file, objects, hasObjects := strings.Cut(rest, ":")
	if !hasFile || !hasObjects {
		return fmt.Errorf("expected PLURAL=FILE:OBJECTS, found %q", text)
	}
	recorded, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	made, err := parseTemplate(recorded)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	s.served[plural] = collection{template: made, objects: number(objects, 0)}
	return nil
}

// write makes a file appear with all its text.
func write(path, text string) {
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		log.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		log.Fatal(err)
	}
}

func number(text string, otherwise int) int {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return otherwise
}
