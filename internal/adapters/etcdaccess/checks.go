package etcdaccess

import (
	"errors"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/etcd"
)

// Checks returns the checks of tokens, bindings and uses of tokens, below the prefix of a store.
func Checks(prefix string) []etcd.FamilyCheck {
	keys := keyspace{etcd.TrimPrefix(prefix)}
	return []etcd.FamilyCheck{
		{Prefix: keys.policy(), Effect: "a token grants nothing, and a binding denies everything", Check: keys.checkPolicy},
		{Prefix: keys.uses(), Effect: "the last use of the token is unknown", Check: func(kv *mvccpb.KeyValue) error {
			if _, isUse := cutFamily(string(kv.GetKey()), keys.uses()); !isUse {
				return errors.New("the key does not name a token")
			}
			_, err := time.Parse(time.RFC3339, string(kv.GetValue()))
			return err
		}},
	}
}

// checkPolicy returns why a token or a binding cannot be read.
func (k keyspace) checkPolicy(kv *mvccpb.KeyValue) error {
	key := string(kv.GetKey())
	if name, isToken := cutFamily(key, k.tokens()); isToken {
		_, err := decodeToken(name, kv.GetValue())
		return err
	}
	if subject, isBinding := cutFamily(key, k.bindings()); isBinding {
		_, err := decodeBinding(subject, kv.GetValue())
		return err
	}
	return errors.New("the key names neither a token nor a binding")
}
