package api

import (
	"time"

	"galaxy/rtmanager/internal/domain/secret"
)

// Secrets is the response to GET /v1/secrets.
type Secrets struct {
	Items []Secret `json:"items" nullable:"false" doc:"All secrets, ordered by name"`
}

// Secret describes a secret. It has no values unless they were requested.
type Secret struct {
	Name      string    `json:"name" doc:"The name; game.GAME_ID belongs to one game, registry.HOST has the credentials of a registry"`
	Version   int64     `json:"version" doc:"The number of writes of the secret"`
	Keys      []string  `json:"keys" nullable:"false" doc:"The names of the values, in order"`
	Games     []string  `json:"games,omitempty" doc:"The games that may use the secret: ids, or prefixes that end with *; absent for all"`
	KeyID     string    `json:"key_id" doc:"The id of the key-encryption key that wraps the data key of the secret"`
	CreatedAt time.Time `json:"created_at" doc:"The time of the first write"`
	UpdatedAt time.Time `json:"updated_at" doc:"The time of the last write"`
	UpdatedBy string    `json:"updated_by,omitempty" doc:"The actor of the last write"`

	Values map[string]string `json:"values,omitempty" doc:"The values by name, only with reveal=true"`
}

// SecretOf returns the description of a secret, without values.
func SecretOf(m secret.Metadata) Secret {
	return Secret{
		Name: m.Name, Version: m.Version, Keys: append([]string{}, m.Keys...), Games: m.Games, KeyID: m.KeyID,
		CreatedAt: m.CreatedAt.UTC(), UpdatedAt: m.UpdatedAt.UTC(), UpdatedBy: m.UpdatedBy,
	}
}

// SecretPut is the body of PUT /v1/secrets/{name}.
type SecretPut struct {
	Values map[string]string `json:"values" required:"true" secret:"true" doc:"All values of the secret, by the name of the environment variable; at most 64 KiB together"`
	Games  []string          `json:"games,omitempty" doc:"The games that may use the secret: ids, or prefixes that end with *; absent keeps those of the secret, which are all for a new one"`
}

// SecretRotation is the response to POST /v1/secrets/rotate.
type SecretRotation struct {
	KeyID     string                  `json:"key_id" doc:"The id of the newest key"`
	Rewrapped int                     `json:"rewrapped" doc:"The number of secrets that have changed to that key"`
	Current   int                     `json:"current" doc:"The number of secrets that had that key before"`
	Failed    []SecretRotationFailure `json:"failed" nullable:"false" doc:"The secrets that keep their key"`
}

// SecretRotationFailure is one secret that could not be changed to another key.
type SecretRotationFailure struct {
	Name   string `json:"name" doc:"The name of the secret"`
	Reason string `json:"reason" doc:"Why it keeps its key"`
}

// RotationOf returns the response of a rotation.
func RotationOf(r secret.Rotation) SecretRotation {
	response := SecretRotation{KeyID: r.KeyID, Rewrapped: r.Rewrapped, Current: r.Current, Failed: []SecretRotationFailure{}}
	for _, failure := range r.Failed {
		response.Failed = append(response.Failed, SecretRotationFailure(failure))
	}
	return response
}
