package protocol

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

func TestARequestIsReadStrictly(t *testing.T) {
	for says, text := range map[string]string{
		"expected one JSON request":     `{`,
		"more behind it":                `{"version":1,"image":"a","outputDir":"/x"} {}`,
		`unknown field "polcy"`:         `{"version":1,"image":"a","outputDir":"/x","polcy":{}}`,
		"expected a request of version": `{"version":2,"image":"a","outputDir":"/x"}`,
		"expected an image":             `{"version":1,"outputDir":"/x"}`,
		"absolute outputDir":            `{"version":1,"image":"a","outputDir":"x"}`,
		"above zero": `{"version":1,"image":"a","outputDir":"/x",` +
			`"timeoutMillis":-1}`,
		"at most": strings.Repeat(" ", requestLimit+1),
	} {
		_, err := ReadRequest(strings.NewReader(text))
		var typed *Error
		if !errors.As(err, &typed) || typed.Reason != InvalidRequest ||
			!strings.Contains(typed.Message, says) {
			t.Errorf("expected %q, found %v", says, err)
		}
	}
}

func TestWhatARequestLeavesOutHasDefaults(t *testing.T) {
	request, err := ReadRequest(strings.NewReader(`{"version":1,"image":"a","outputDir":"/x"}`))
	if err != nil {
		t.Fatal(err)
	}
	if request.Architecture != runtime.GOARCH || request.Timeout() != defaultTimeout ||
		request.Limits != (Limits{}).WithDefaults() || request.Limits.Layers != DefaultLayers {
		t.Fatalf("found %+v", request)
	}
}
