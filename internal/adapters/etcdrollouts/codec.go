package etcdrollouts

import (
	"bytes"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
)

// keyspace builds every key.
type keyspace struct{ prefix string }

func (k keyspace) rollouts() string              { return k.prefix + "/rollouts/" }
func (k keyspace) rollout(id string) string      { return k.rollouts() + etcd.EscapeSegment(id) }
func (k keyspace) allGames() string              { return k.prefix + "/rollout-games/" }
func (k keyspace) games(id string) string        { return k.allGames() + etcd.EscapeSegment(id) + "/" }
func (k keyspace) game(id, gameID string) string { return k.games(id) + etcd.EscapeSegment(gameID) }

// stored is the value of a key. Members that only a newer version knows survive.
type stored[T any] struct {
	Value   T              `json:",embed"`
	Unknown jsontext.Value `json:",embed"`
}

// unknownMembers keeps the unknown members of the values that were read, by key, until they are
// written. Only values of a newer version have any.
type unknownMembers struct {
	mu     sync.Mutex
	values map[string]jsontext.Value // guarded by mu
}

func (u *unknownMembers) set(key string, members jsontext.Value) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(members) == 0 || string(members) == "{}" {
		delete(u.values, key)
		return
	}
	if u.values == nil {
		u.values = map[string]jsontext.Value{}
	}
	u.values[key] = bytes.Clone(members)
}

func (u *unknownMembers) of(key string) jsontext.Value {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.values[key]
}

// decode decodes the value of a key. An error is a *runtime.CorruptError.
func decode[T any](s *Store, kv *mvccpb.KeyValue) (T, error) {
	var decoded stored[T]
	if err := json.Unmarshal(kv.GetValue(), &decoded); err != nil {
		return decoded.Value, &runtime.CorruptError{Key: string(kv.GetKey()), Reason: "the value is not that of a rollout: " + err.Error()}
	}
	s.unknown.set(string(kv.GetKey()), decoded.Unknown)
	return decoded.Value, nil
}

// decodeRollout decodes a rollout with its revision.
func (s *Store) decodeRollout(kv *mvccpb.KeyValue) (rollout.Rollout, error) {
	decoded, err := decode[rollout.Rollout](s, kv)
	if err == nil && s.keys.rollout(decoded.ID) != string(kv.GetKey()) {
		err = &runtime.CorruptError{Key: string(kv.GetKey()), Reason: "the value is of another rollout: " + decoded.ID}
	}
	decoded.Revision = kv.GetModRevision()
	return decoded, err
}

// encode encodes the value of a key, with the unknown members that the key had when it was read.
func encode[T any](s *Store, key string, value T) (string, error) {
	text, err := json.Marshal(stored[T]{Value: value, Unknown: s.unknown.of(key)})
	if err != nil {
		return "", &runtime.InvalidError{Field: "rollout", Reason: "cannot be encoded as JSON: " + err.Error()}
	}
	return string(text), nil
}

// encodeRollout encodes a rollout without its revision.
func (s *Store) encodeRollout(r rollout.Rollout) (string, error) {
	r.Revision = 0
	return encode(s, s.keys.rollout(r.ID), r)
}
