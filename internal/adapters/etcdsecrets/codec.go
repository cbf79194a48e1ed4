package etcdsecrets

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/domain/secret"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

// format is the version of the stored form.
const format = 1

// stored is the stored form of a secret. The name is in the key only.
type stored struct {
	Format     int       `json:"format"`
	Version    int64     `json:"version"`
	Keys       []string  `json:"keys"`
	Games      []string  `json:"games,omitempty"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
	UpdatedBy  string    `json:"updated_by,omitempty"`
	KeyID      string    `json:"key_id"`
	WrappedKey []byte    `json:"wrapped_key"`
	Ciphertext []byte    `json:"ciphertext"`
}

func encode(s secret.Encrypted) (string, error) {
	value, err := json.Marshal(stored{
		Format: format, Version: s.Version, Keys: s.Keys, Games: s.Games, CreatedAt: s.CreatedAt.UTC(), UpdatedAt: s.UpdatedAt.UTC(), UpdatedBy: s.UpdatedBy,
		KeyID: s.KeyID, WrappedKey: s.WrappedKey, Ciphertext: s.Ciphertext,
	})
	return string(value), err
}

// decode returns the secret of a key, and a *runtime.CorruptError for a value that is none.
// The error does not contain the value.
func (s *Store) decode(kv *mvccpb.KeyValue) (ports.VersionedSecret, error) {
	key := string(kv.GetKey())
	corrupt := func(reason string) (ports.VersionedSecret, error) {
		return ports.VersionedSecret{}, &runtime.CorruptError{Key: key, Reason: reason}
	}
	name, err := etcd.UnescapeSegment(strings.TrimPrefix(key, etcd.SecretsPrefix(s.prefix)))
	if err == nil {
		err = secret.ValidateName(name)
	}
	if err != nil {
		return corrupt(err.Error())
	}
	var found stored
	if err := json.Unmarshal(kv.GetValue(), &found); err != nil {
		return corrupt("it is not a secret in JSON")
	}
	switch {
	case found.Format > format:
		return corrupt(fmt.Sprintf("it has the format %d of a newer version; upgrade rtmanager", found.Format))
	case found.Format < 1 || found.Version < 1 || found.KeyID == "" || len(found.WrappedKey) == 0 || len(found.Ciphertext) == 0:
		return corrupt("it is not a complete secret")
	}
	return ports.VersionedSecret{Revision: kv.GetModRevision(), Encrypted: secret.Encrypted{
		Metadata: secret.Metadata{
			Name: name, Version: found.Version, Keys: found.Keys, Games: found.Games, KeyID: found.KeyID,
			CreatedAt: found.CreatedAt, UpdatedAt: found.UpdatedAt, UpdatedBy: found.UpdatedBy,
		},
		WrappedKey: found.WrappedKey, Ciphertext: found.Ciphertext,
	}}, nil
}
