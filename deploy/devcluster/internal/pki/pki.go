// Package pki is the certificate authority of one cluster.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"oarlock.dev/devcluster/internal/files"
)

const (
	caLifetime   = 10 * 365 * 24 * time.Hour
	leafLifetime = 365 * 24 * time.Hour
	// renewBefore makes `up` replace a certificate that would expire under a running cluster.
	renewBefore = 30 * 24 * time.Hour
	// backdate tolerates clocks of containers and virtual machines that lag behind.
	backdate = 5 * time.Minute
)

// KeyType selects the algorithm of a new private key.
type KeyType string

// The key types that `devcluster kubeconfig --key-type` offers.
const (
	ECDSA KeyType = "ecdsa"
	RSA   KeyType = "rsa"
)

// A Pair is a certificate with its private key, both in PEM.
type Pair struct {
	CertPEM, KeyPEM []byte
	cert            *x509.Certificate
	key             crypto.Signer
}

// A Leaf says what a certificate is for.
type Leaf struct {
	CommonName    string   // the user name, where it identifies a client
	Organizations []string // the groups of that user
	Hosts         []string // DNS names and IP addresses; none makes a pure client certificate
	KeyType       KeyType
}

// NewKey makes a private key of the given type.
func NewKey(t KeyType) (crypto.Signer, error) {
	switch t {
	case ECDSA, "":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RSA:
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return nil, fmt.Errorf("key type: expected %s or %s, found %q", ECDSA, RSA, t)
}

// NewCA makes a certificate authority that signs nothing but leaves.
func NewCA(name string) (*Pair, error) {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-backdate),
		NotAfter:              time.Now().Add(caLifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	return sign(template, ECDSA, nil)
}

// Issue signs a new certificate for a new key.
func (ca *Pair) Issue(leaf Leaf) (*Pair, error) {
	template := &x509.Certificate{
		Subject: pkix.Name{
			CommonName: leaf.CommonName, Organization: leaf.Organizations,
		},
		NotBefore:   time.Now().Add(-backdate),
		NotAfter:    time.Now().Add(leafLifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if leaf.KeyType == RSA {
		template.KeyUsage |= x509.KeyUsageKeyEncipherment
	}
	for _, host := range leaf.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	if len(leaf.Hosts) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	return sign(template, leaf.KeyType, ca)
}

// sign makes key and certificate; without a parent the certificate signs itself.
func sign(template *x509.Certificate, t KeyType, parent *Pair) (*Pair, error) {
	key, err := NewKey(t)
	if err != nil {
		return nil, err
	}
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	parentCert, parentKey := template, key
	if parent != nil {
		parentCert, parentKey = parent.cert, parent.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parentCert, key.Public(), parentKey)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of %q: %w", template.Subject.CommonName, err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return Parse(
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

// Parse reads a pair and checks that key and certificate belong together.
func Parse(certPEM, keyPEM []byte) (*Pair, error) {
	certBlock, _ := pem.Decode(certPEM)
	keyBlock, _ := pem.Decode(keyPEM)
	if certBlock == nil || keyBlock == nil {
		return nil, fmt.Errorf("expected a PEM certificate and a PEM key, found none")
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("expected a signing key, found %T", parsed)
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("certificate %q and key do not belong together",
			cert.Subject.CommonName)
	}
	return &Pair{CertPEM: certPEM, KeyPEM: keyPEM, cert: cert, key: key}, nil
}

// A Store keeps pairs as <dir>/<name>.crt and <dir>/<name>.key.
type Store struct{ Dir string }

// CertPath is where the certificate called name lives.
func (s Store) CertPath(name string) string { return filepath.Join(s.Dir, name+".crt") }

// KeyPath is where the key called name lives.
func (s Store) KeyPath(name string) string { return filepath.Join(s.Dir, name+".key") }

// Load reads a pair.
func (s Store) Load(name string) (*Pair, error) {
	cert, err := os.ReadFile(s.CertPath(name))
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(s.KeyPath(name))
	if err != nil {
		return nil, err
	}
	return Parse(cert, key)
}

func (s Store) save(name string, pair *Pair) error {
	if err := files.WriteAtomic(s.KeyPath(name), pair.KeyPEM, 0o600); err != nil {
		return err
	}
	return files.WriteAtomic(s.CertPath(name), pair.CertPEM, 0o644)
}

// EnsureCA loads a certificate authority, or makes it when it is missing, damaged (an interrupted
// `up`) or near its end.
func (s Store) EnsureCA(name, commonName string) (*Pair, error) {
	if ca, err := s.Load(name); err == nil && ca.cert.IsCA && !expiresSoon(ca.cert) {
		return ca, nil
	}
	ca, err := NewCA(commonName)
	if err != nil {
		return nil, err
	}
	return ca, s.save(name, ca)
}

// Ensure loads a certificate, or issues it when the stored one is not what leaf asks for: missing,
// damaged, by another authority, for other hosts, near its end.
func (s Store) Ensure(ca *Pair, name string, leaf Leaf) (*Pair, error) {
	if pair, err := s.Load(name); err == nil && pair.serves(ca, leaf) {
		return pair, nil
	}
	pair, err := ca.Issue(leaf)
	if err != nil {
		return nil, err
	}
	return pair, s.save(name, pair)
}

func (p *Pair) serves(ca *Pair, leaf Leaf) bool {
	if p.cert.CheckSignatureFrom(ca.cert) != nil || expiresSoon(p.cert) ||
		p.cert.Subject.CommonName != leaf.CommonName ||
		!slices.Equal(p.cert.Subject.Organization, leaf.Organizations) {
		return false
	}
	for _, host := range leaf.Hosts {
		if p.cert.VerifyHostname(host) != nil {
			return false
		}
	}
	return true
}

func expiresSoon(cert *x509.Certificate) bool {
	return time.Now().Add(renewBefore).After(cert.NotAfter)
}
