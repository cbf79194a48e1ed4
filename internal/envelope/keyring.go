package envelope

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"time"
)

const (
	keyBytes = 32 // AES-256
	// MaxKeyringBytes is the size of the text of a keyring.
	MaxKeyringBytes = 64 << 10
	maxKeys         = 100
)

// idPattern allows ids that are shorter than a key. Errors contain ids, and must not contain the
// key if the two words of a line are exchanged.
var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$`)

// Keyring holds key-encryption keys, newest first. It is immutable and safe for concurrent use.
// It has no methods that return key material.
type Keyring struct {
	newest string
	// sealers maps key ids to AES-256-GCM with a random nonce in front of the ciphertext.
	sealers map[string]cipher.AEAD
	ids     []string
}

// ParseKeyring parses the text form: one key per line, newest first, as its id, blanks, and 32
// bytes in base64. It ignores empty lines and lines that start with #. Errors name the line,
// and never its text, which may be a key.
func ParseKeyring(text []byte) (*Keyring, error) {
	if len(text) > MaxKeyringBytes {
		return nil, fmt.Errorf("the keys have more than %d bytes", MaxKeyringBytes)
	}
	k := &Keyring{sealers: map[string]cipher.AEAD{}}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if err := k.addLine(line); err != nil {
			return nil, fmt.Errorf("line %d of the keys %w", number, err)
		}
	}
	if len(k.ids) == 0 {
		return nil, errors.New("there is no key")
	}
	k.newest = k.ids[0]
	return k, nil
}

// addLine adds the key of one line.
func (k *Keyring) addLine(line []byte) error {
	fields := bytes.Fields(line)
	if len(fields) != 2 || !idPattern.Match(fields[0]) {
		return errors.New("is not a key: expected an id of letters, digits, dots, - and _, a blank, and 32 bytes in base64")
	}
	id := string(fields[0])
	material, err := base64.StdEncoding.Strict().DecodeString(string(fields[1]))
	switch {
	case err != nil || len(material) != keyBytes: // err may contain a part of the key
		return fmt.Errorf("has the id %s and no key: expected %d bytes in base64", id, keyBytes)
	case bytes.Equal(material, make([]byte, keyBytes)):
		return fmt.Errorf("has the id %s and a key of zeros; generate a random one", id)
	case k.sealers[id] != nil:
		return fmt.Errorf("has the id %s of an earlier line; give each key an id of its own", id)
	case len(k.ids) == maxKeys:
		return fmt.Errorf("is one more than the maximum of %d keys", maxKeys)
	}
	sealer, err := newSealer(material)
	if err != nil {
		return fmt.Errorf("has the id %s and an unusable key", id)
	}
	k.ids = append(k.ids, id)
	k.sealers[id] = sealer
	return nil
}

// NewestID returns the id of the key that Seal and Rewrap use.
func (k *Keyring) NewestID() string { return k.newest }

// Has reports whether the keyring has the key with the id.
func (k *Keyring) Has(id string) bool { return k.sealers[id] != nil }

// GenerateKey returns one line of the text form with a new random key. Its id contains the
// date, for operators, and random digits.
func GenerateKey(now time.Time) string {
	random := make([]byte, 3+keyBytes)
	_, _ = rand.Read(random) // never fails
	id := "k" + now.UTC().Format("20060102") + "-" + hex.EncodeToString(random[:3])
	return id + " " + base64.StdEncoding.EncodeToString(random[3:]) + "\n"
}

func newSealer(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
