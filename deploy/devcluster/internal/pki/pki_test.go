package pki

import (
	"bytes"
	"crypto/x509"
	"os"
	"testing"
)

func TestIssuedCertificateVerifies(t *testing.T) {
	ca, err := NewCA("test")
	if err != nil {
		t.Fatal(err)
	}
	for _, keyType := range []KeyType{ECDSA, RSA} {
		pair, err := ca.Issue(Leaf{
			CommonName: "alice", Organizations: []string{"dev"},
			Hosts: []string{"localhost", "127.0.0.1"}, KeyType: keyType,
		})
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AddCert(ca.cert)
		for _, host := range []string{"localhost", "127.0.0.1"} {
			opts := x509.VerifyOptions{Roots: roots, DNSName: host}
			if _, err := pair.cert.Verify(opts); err != nil {
				t.Errorf("%s, %s: %v", keyType, host, err)
			}
		}
	}
	if _, err := ca.Issue(Leaf{CommonName: "x", KeyType: "dsa"}); err == nil {
		t.Error("an unknown key type must be refused")
	}
}

func TestEnsureKeepsWhatIsGoodAndReplacesWhatIsNot(t *testing.T) {
	store := Store{Dir: t.TempDir()}
	ca, err := store.EnsureCA("ca", "test")
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := store.EnsureCA("ca", "test"); !bytes.Equal(ca.CertPEM, again.CertPEM) {
		t.Error("a good authority must be kept")
	}
	leaf := Leaf{CommonName: "api", Hosts: []string{"127.0.0.1"}}
	first := ensure(t, store, ca, leaf)
	if !bytes.Equal(first.CertPEM, ensure(t, store, ca, leaf).CertPEM) {
		t.Error("a good certificate must be kept")
	}
	leaf.Hosts = append(leaf.Hosts, "10.0.0.1")
	second := ensure(t, store, ca, leaf)
	if bytes.Equal(first.CertPEM, second.CertPEM) {
		t.Error("a certificate that lacks a host must be replaced")
	}
	if err := os.WriteFile(store.CertPath("api"), first.CertPEM, 0o644); err != nil {
		t.Fatal(err)
	}
	third := ensure(t, store, ca, leaf) // key of the second, certificate of the first: half-written
	if _, err := Parse(third.CertPEM, third.KeyPEM); err != nil {
		t.Error("a half-written pair must be replaced: ", err)
	}
	if err := os.Truncate(store.KeyPath("ca"), 10); err != nil {
		t.Fatal(err)
	}
	otherCA, err := store.EnsureCA("ca", "test")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(third.CertPEM, ensure(t, store, otherCA, leaf).CertPEM) {
		t.Error("a certificate of another authority must be replaced")
	}
}

func ensure(t *testing.T, s Store, ca *Pair, leaf Leaf) *Pair {
	t.Helper()
	pair, err := s.Ensure(ca, "api", leaf)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}
