// Package publish is what people do with plugin images: build, push, sign, look.
package publish

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
)

// PEM types of private keys that cosign writes, today and before.
const (
	sigstoreKeyType = "ENCRYPTED SIGSTORE PRIVATE KEY"
	cosignKeyType   = "ENCRYPTED COSIGN PRIVATE KEY"
)

// Password is asked only when the key is encrypted.
type Password func() ([]byte, error)

// LoadKey reads a private key: cosign's, or a plain PEM one.
func LoadKey(file string, password Password) (signature.SignerVerifier, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s: expected a PEM private key, found none", file)
	}
	key, err := parseKey(block, password)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	// As cosign signs with them.
	return signature.LoadDefaultSignerVerifier(key, options.WithED25519ph())
}

func parseKey(block *pem.Block, password Password) (crypto.PrivateKey, error) {
	switch block.Type {
	case sigstoreKeyType, cosignKeyType:
		secret, err := password()
		if err != nil {
			return nil, err
		}
		der, err := encrypted.Decrypt(block.Bytes, secret)
		if err != nil {
			return nil, errors.New("the password does not open this key")
		}
		return x509.ParsePKCS8PrivateKey(der)
	case "PRIVATE KEY":
		return x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	}
	return nil, fmt.Errorf("expected a private key of cosign or a plain PEM one, found %q",
		block.Type)
}

// GenerateKey writes PREFIX.key, encrypted, and PREFIX.pub, as cosign generate-key-pair does.
func GenerateKey(prefix string, password []byte) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	sealed, err := encrypted.Encrypt(private, password)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := writeNew(prefix+".key", sigstoreKeyType, sealed, 0o600); err != nil {
		return err
	}
	return writeNew(prefix+".pub", "PUBLIC KEY", public, 0o644)
}

// writeNew never replaces a key.
func writeNew(file, kind string, data []byte, mode os.FileMode) error {
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	return errors.Join(pem.Encode(out, &pem.Block{Type: kind, Bytes: data}), out.Close())
}
