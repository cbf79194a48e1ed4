package etcdaccess

import (
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/domain/access"
)

// decodePolicy returns the tokens and bindings of the keys. A value that cannot be read is
// logged and left out, so it grants nothing. A binding that cannot be read may deny
// something with access.RoleNone: it becomes a binding that denies everything.
func (s *Store) decodePolicy(kvs []*mvccpb.KeyValue, uses map[string]time.Time) (tokens []access.Token, bindings []access.Binding) {
	for _, kv := range kvs {
		key := string(kv.GetKey())
		if name, isToken := cutFamily(key, s.keys.tokens()); isToken {
			token, err := decodeToken(name, kv.GetValue())
			if err != nil {
				s.corrupt.Add(kv, err)
				continue
			}
			token.LastUsedAt = uses[name]
			tokens = append(tokens, token)
		}
		if subject, isBinding := cutFamily(key, s.keys.bindings()); isBinding {
			binding, err := decodeBinding(subject, kv.GetValue())
			if err != nil {
				s.corrupt.Add(kv, err)
				binding = access.Binding{Subject: subject, Grants: []access.Grant{{Role: access.RoleNone}}}
			}
			bindings = append(bindings, binding)
		}
	}
	return tokens, bindings
}

func decodeToken(name string, value []byte) (access.Token, error) {
	var token access.Token
	if err := json.Unmarshal(value, &token); err != nil {
		return token, err
	}
	if token.Name != name {
		return token, fmt.Errorf("the value is of the token %.64q", token.Name)
	}
	return token, token.Validate()
}

func decodeBinding(subject string, value []byte) (access.Binding, error) {
	var binding access.Binding
	if err := json.Unmarshal(value, &binding); err != nil {
		return binding, err
	}
	if binding.Subject != subject {
		return binding, fmt.Errorf("the value is of the subject %.64q", binding.Subject)
	}
	return binding, binding.Validate()
}

// decodeUses returns the times of the last uses by name of the token.
func (s *Store) decodeUses(kvs []*mvccpb.KeyValue) map[string]time.Time {
	uses := map[string]time.Time{}
	for _, kv := range kvs {
		name, isUse := cutFamily(string(kv.GetKey()), s.keys.uses())
		at, err := time.Parse(time.RFC3339, string(kv.GetValue()))
		if isUse && err == nil {
			uses[name] = at
		}
	}
	return uses
}
