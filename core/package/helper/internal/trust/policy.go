// Package trust decides whether an image is trusted: which rule is about it, and whether a
// signature satisfies that rule.
package trust

import (
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"oarlock.dev/fetch/internal/protocol"
	"oarlock.dev/fetch/internal/registry"
)

// Select finds the one rule about a repository. A rule that names it beats globs; two of the same
// kind are an error, because nothing says which was meant.
func Select(policy protocol.Policy, repository name.Repository) (protocol.Rule, error) {
	var exact, globs []protocol.Rule
	for _, rule := range policy.Rules {
		if err := checkRule(rule); err != nil {
			return protocol.Rule{}, err
		}
		isGlob := strings.Contains(rule.Match, "*")
		switch {
		case isGlob && globMatches(registry.CanonicalPrefix(rule.Match), repository.Name()):
			globs = append(globs, rule)
		case !isGlob && canonicalName(rule.Match) == repository.Name():
			exact = append(exact, rule)
		}
	}
	found := exact
	if len(found) == 0 {
		found = globs
	}
	switch len(found) {
	case 0:
		return protocol.Rule{}, protocol.Errorf(protocol.PolicyMissing,
			"no rule of the image policy is about %s; an image needs a signature by default: add "+
				"a "+
				"rule with its signer", repository.Name())
	case 1:
		return found[0], nil
	}
	return protocol.Rule{}, protocol.Errorf(protocol.PolicyAmbiguous,
		"expected one rule about %s, found %q (%s) and %q (%s); make them disjoint or add a rule "+
			"with the exact repository", repository.Name(), found[0].Name, found[0].Match,
		found[1].Name, found[1].Match)
}

// canonicalName of an exact rule, which checkRule has parsed.
func canonicalName(match string) string {
	repository, err := name.NewRepository(match)
	if err != nil {
		return ""
	}
	return repository.Name()
}

// globMatches: * does not cross a '/', ** does.
func globMatches(pattern, text string) bool {
	var expression strings.Builder
	expression.WriteString("^")
	for i := 0; i < len(pattern); i++ {
		switch {
		case strings.HasPrefix(pattern[i:], "**"):
			expression.WriteString(".*")
			i++
		case pattern[i] == '*':
			expression.WriteString("[^/]*")
		default:
			expression.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	expression.WriteString("$")
	return regexp.MustCompile(expression.String()).MatchString(text)
}

// checkRule refuses what could be read as a weaker rule than was meant.
func checkRule(rule protocol.Rule) error {
	problem := ruleProblem(rule)
	if problem == "" {
		return nil
	}
	return protocol.Errorf(protocol.PolicyInvalid, "rule %q of the image policy: %s", rule.Name,
		problem)
}

func ruleProblem(rule protocol.Rule) string {
	if rule.Name == "" {
		return "expected a name, found none"
	}
	if strings.Contains(rule.Match, "*") {
		if host, _, found := strings.Cut(rule.Match, "/"); rule.Match != "**" &&
			(!found || strings.Contains(host, "*")) {
			return "expected HOST/... or ** as a glob, found " + rule.Match
		}
	} else if _, err := name.NewRepository(rule.Match); err != nil {
		return "expected a repository or a glob: " + err.Error()
	}
	hasKeys, hasIdentities := len(rule.Keys) > 0, len(rule.Identities) > 0
	switch rule.Mode {
	case protocol.ModeKey:
		if !hasKeys || hasIdentities {
			return "mode key: expected keys and no identities"
		}
	case protocol.ModeKeyless:
		if hasKeys || !hasIdentities {
			return "mode keyless: expected identities and no keys"
		}
	case protocol.ModeDigest, protocol.ModeNone:
		if hasKeys || hasIdentities {
			return "mode " + rule.Mode + " verifies no signature: expected neither keys nor " +
				"identities"
		}
	default:
		return "expected mode key, keyless, digest or none, found '" + rule.Mode + "'"
	}
	return identitiesProblem(rule.Identities)
}

func identitiesProblem(identities []protocol.Identity) string {
	for _, identity := range identities {
		if (identity.Issuer == "") == (identity.IssuerRegExp == "") ||
			(identity.Subject == "") == (identity.SubjectRegExp == "") {
			return "an identity: expected one of issuer and issuerRegExp, and one of subject and " +
				"subjectRegExp"
		}
		for _, expression := range []string{identity.IssuerRegExp, identity.SubjectRegExp} {
			if _, err := regexp.Compile(expression); err != nil {
				return "an identity: " + err.Error()
			}
		}
	}
	return ""
}
