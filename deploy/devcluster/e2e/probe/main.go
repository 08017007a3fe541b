// Command probe is the client in a pod of the node tests. Its arguments are URLs to fetch, plain
// names to resolve, paths of files to read, or PATH=TEXT to write; it prints what it gets.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	if len(os.Args) == 1 {
		for {
			time.Sleep(time.Hour) // the pod waits for `kubectl exec`
		}
	}
	for _, arg := range os.Args[1:] {
		out, err := probe(arg)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(strings.TrimSpace(out))
	}
}

func probe(arg string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if strings.HasPrefix(arg, "/") {
		path, text, write := strings.Cut(arg, "=")
		if write {
			return "", os.WriteFile(path, []byte(text), 0o600)
		}
		data, err := os.ReadFile(path)
		return string(data), err
	}
	if !strings.HasPrefix(arg, "http://") {
		addrs, err := net.DefaultResolver.LookupHost(ctx, arg)
		return strings.Join(addrs, " "), err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, arg, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.Status + " " + string(body), err
}
