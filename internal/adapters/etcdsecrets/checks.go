package etcdsecrets

import (
	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/etcd"
)

// Checks returns the check of the secrets below the prefix of a store. It decrypts nothing.
func Checks(prefix string) []etcd.FamilyCheck {
	s := &Store{prefix: prefix}
	return []etcd.FamilyCheck{{Prefix: etcd.SecretsPrefix(prefix), Effect: "games that refer to the secret do not start", Check: func(kv *mvccpb.KeyValue) error {
		_, err := s.decode(kv)
		return err
	}}}
}
