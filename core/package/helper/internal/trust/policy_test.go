package trust

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"

	"oarlock.dev/fetch/internal/protocol"
)

func none(named, match string) protocol.Rule {
	return protocol.Rule{Name: named, Match: match, Mode: protocol.ModeNone}
}

func selected(t *testing.T, repository string, rules ...protocol.Rule) (string, error) {
	t.Helper()
	parsed, err := name.NewRepository(repository)
	if err != nil {
		t.Fatal(err)
	}
	rule, err := Select(protocol.Policy{Rules: rules}, parsed)
	return rule.Name, err
}

func TestTheRuleOfARepository(t *testing.T) {
	rules := []protocol.Rule{none("exact", "r.example/team/a"), none("team", "r.example/team/*"),
		none("deep", "r.example/deep/**"), none("hub", "docker.io/library/*"),
		none("port", "r.example:5000/x")}
	for repository, want := range map[string]string{
		"r.example/team/a":      "exact",
		"r.example/team/b":      "team",
		"r.example/deep/a/b/c":  "deep",
		"docker.io/library/foo": "hub",
		"foo":                   "hub",
		"r.example:5000/x":      "port",
	} {
		if got, err := selected(t, repository, rules...); err != nil || got != want {
			t.Errorf("%s: expected rule %s, found %q, %v", repository, want, got, err)
		}
	}
	for _, repository := range []string{"r.example/team/a/b", "r.example/teams/a", "r.example/x",
		"evil.example/r.example/team/a", "rxexample/team/b", "r.example/deeper/a"} {
		got, err := selected(t, repository, rules...)
		expectReason(t, err, protocol.PolicyMissing, "needs a signature by default")
		if got != "" {
			t.Errorf("%s: found rule %s", repository, got)
		}
	}
}

func TestTwoRulesOfAKindAreAnError(t *testing.T) {
	_, err := selected(t, "r.example/a/b", none("one", "r.example/a/*"), none("two",
		"r.example/**"))
	expectReason(t, err, protocol.PolicyAmbiguous, `"one" (r.example/a/*) and "two" (r.example/**)`)
	_, err = selected(t, "r.example/a", none("one", "r.example/a"), none("two", "r.example/a"))
	expectReason(t, err, protocol.PolicyAmbiguous, "one")
}

// A broken rule is an error also when it is about another repository: it may be a typing error in
// one that was meant to be about this.
func TestBrokenRules(t *testing.T) {
	identity := protocol.Identity{Issuer: "i", Subject: "s"}
	for problem, rule := range map[string]protocol.Rule{
		"a name":        {Match: "x.y/z", Mode: protocol.ModeNone},
		"a repository":  {Name: "r", Match: "UPPER/case", Mode: protocol.ModeNone},
		"HOST/...":      {Name: "r", Match: "*.example/x", Mode: protocol.ModeNone},
		"expected mode": {Name: "r", Match: "x.y/z", Mode: "nothing"},
		"mode key":      {Name: "r", Match: "x.y/z", Mode: protocol.ModeKey},
		"mode keyless": {Name: "r", Match: "x.y/z", Mode: protocol.ModeKeyless,
			Keys: []string{"k"}},
		"mode none": {Name: "r", Match: "x.y/z", Mode: protocol.ModeNone,
			Keys: []string{"k"}},
		"mode digest": {Name: "r", Match: "x.y/z", Mode: protocol.ModeDigest,
			Identities: []protocol.Identity{identity}},
		"one of issuer": {Name: "r", Match: "x.y/z", Mode: protocol.ModeKeyless,
			Identities: []protocol.Identity{{Issuer: "i"}}},
		"missing closing )": {Name: "r", Match: "x.y/z", Mode: protocol.ModeKeyless,
			Identities: []protocol.Identity{{Issuer: "i", SubjectRegExp: "("}}},
	} {
		_, err := selected(t, "r.example/a", none("all", "**"), rule)
		expectReason(t, err, protocol.PolicyInvalid, problem)
	}
}

func expectReason(t *testing.T, err error, reason protocol.Reason, says string) {
	t.Helper()
	var typed *protocol.Error
	if !errors.As(err, &typed) || typed.Reason != reason || !strings.Contains(typed.Message, says) {
		t.Fatalf("expected %s with %q, found %v", reason, says, err)
	}
}
