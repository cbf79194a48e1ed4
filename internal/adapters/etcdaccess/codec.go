package etcdaccess

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
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

// labeledRole precedes the role of a stored grant that is limited to labels. Versions of this program
// without such limits must not take it for a grant without one: they reject the role, and so
// deny what the token or binding grants.
const labeledRole = "labels:"

func encodeToken(token access.Token) ([]byte, error) {
	token.Grants = toStored(token.Grants)
	return json.Marshal(token)
}

func encodeBinding(binding access.Binding) ([]byte, error) {
	binding.Grants = toStored(binding.Grants)
	return json.Marshal(binding)
}

// toStored returns the grants in their stored form.
func toStored(grants []access.Grant) []access.Grant {
	stored := slices.Clone(grants)
	for i, grant := range stored {
		if grant.Labels != nil {
			stored[i].Role = labeledRole + grant.Role
		}
	}
	return stored
}

// fromStored replaces the stored form of the grants. A role that does not match the labels stays as it
// is, and so is invalid.
func fromStored(grants []access.Grant) {
	for i, grant := range grants {
		role, isLabeled := strings.CutPrefix(string(grant.Role), labeledRole)
		switch {
		case isLabeled && grant.Labels != nil:
			grants[i].Role = access.Role(role)
		case grant.Labels != nil:
			grants[i].Role = "unlabeled " + grant.Role
		}
	}
}

func decodeToken(name string, value []byte) (access.Token, error) {
	var token access.Token
	if err := json.Unmarshal(value, &token); err != nil {
		return token, err
	}
	fromStored(token.Grants)
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
	fromStored(binding.Grants)
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
