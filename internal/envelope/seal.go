package envelope

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"galaxy/rtmanager/internal/domain/secret"
)

// Binding is what a ciphertext belongs to.
type Binding struct {
	// StoreID identifies the store. It must be the same after a restore from a backup.
	StoreID string
	Name    string
	Version int64
	// Games are the patterns of the games that may use the secret.
	Games []string
}

// Purposes of a ciphertext, which also separate versions of this format.
const (
	purposeKey    = "rtmanager secret 1: data key"
	purposeValues = "rtmanager secret 1: values"
)

// additionalData encodes purpose and binding without ambiguity: each text has its length, and the
// number of games comes first.
func (b Binding) additionalData(purpose string) []byte {
	data := binary.AppendUvarint(nil, uint64(len(b.Games)))
	for _, text := range append([]string{purpose, b.StoreID, b.Name}, b.Games...) {
		data = binary.AppendUvarint(data, uint64(len(text)))
		data = append(data, text...)
	}
	return binary.AppendVarint(data, b.Version)
}

// Sealed is an encrypted text with its wrapped data key.
type Sealed struct {
	KeyID                  string
	WrappedKey, Ciphertext []byte
}

// Seal encrypts the text with a new data key, which the newest key wraps.
func (k *Keyring) Seal(binding Binding, text []byte) (Sealed, error) {
	dataKey := make([]byte, keyBytes)
	_, _ = rand.Read(dataKey) // never fails
	sealer, err := newSealer(dataKey)
	if err != nil {
		return Sealed{}, fmt.Errorf("use a new data key: %w", err)
	}
	return Sealed{
		KeyID:      k.newest,
		WrappedKey: k.sealers[k.newest].Seal(nil, nil, dataKey, binding.additionalData(purposeKey)),
		Ciphertext: sealer.Seal(nil, nil, text, binding.additionalData(purposeValues)),
	}, nil
}

// Open decrypts the text. The error is an *UnknownKeyError if the keyring lacks the key, and
// secret.ErrUnreadable for another key of the same id, a changed ciphertext or another
// binding.
func (k *Keyring) Open(binding Binding, sealed Sealed) ([]byte, error) {
	dataKey, err := k.unwrap(binding, sealed)
	if err != nil {
		return nil, err
	}
	sealer, err := newSealer(dataKey)
	if err != nil {
		return nil, unreadable("its data key has %d bytes", len(dataKey))
	}
	text, err := sealer.Open(nil, nil, sealed.Ciphertext, binding.additionalData(purposeValues))
	if err != nil {
		return nil, unreadable("its values were changed or belong to another secret")
	}
	return text, nil
}

// Rewrap wraps the data key with the newest key. It leaves the ciphertext as it is, and does
// not decrypt it. Errors are those of Open.
func (k *Keyring) Rewrap(binding Binding, sealed Sealed) (Sealed, error) {
	dataKey, err := k.unwrap(binding, sealed)
	if err != nil {
		return Sealed{}, err
	}
	sealed.KeyID = k.newest
	sealed.WrappedKey = k.sealers[k.newest].Seal(nil, nil, dataKey, binding.additionalData(purposeKey))
	return sealed, nil
}

func (k *Keyring) unwrap(binding Binding, sealed Sealed) ([]byte, error) {
	sealer := k.sealers[sealed.KeyID]
	if sealer == nil {
		return nil, &UnknownKeyError{ID: sealed.KeyID}
	}
	dataKey, err := sealer.Open(nil, nil, sealed.WrappedKey, binding.additionalData(purposeKey))
	if err != nil {
		return nil, unreadable("the key %q does not unwrap its data key: another key has this id, or the stored secret was changed or copied from another one", sealed.KeyID)
	}
	return dataKey, nil
}

// UnknownKeyError is the error of a secret whose key is not in the keyring. It matches
// secret.ErrUnreadable.
type UnknownKeyError struct{ ID string }

func (e *UnknownKeyError) Error() string {
	return fmt.Sprintf("%v: it needs the key %q, which this daemon does not have; add it to the keys", secret.ErrUnreadable, e.ID)
}

// Is reports whether target is secret.ErrUnreadable.
func (e *UnknownKeyError) Is(target error) bool { return target == secret.ErrUnreadable }

func unreadable(format string, args ...any) error {
	return fmt.Errorf("%w: %s", secret.ErrUnreadable, fmt.Sprintf(format, args...))
}
